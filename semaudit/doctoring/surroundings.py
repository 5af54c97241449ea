"""What is installed and what is here: versions, extras, devices, hub, settings, room."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semaudit import __version__
from semaudit.errors import UsageError
from semaudit.settings import DEFAULT, resolve

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "pandas", "pyarrow", "pillow")
EXTRAS = {
    "onnx": (("onnx", "onnxruntime", "onnx2torch"), "models in ONNX"),
    "hfds": (("datasets",), "--dataset hfds/NAME"),
    "wds": (("webdataset",), "--dataset wds/NAME"),
    "tfds": (("tensorflow_datasets",), "--dataset tfds/NAME"),
    "photos": (("skimage",), "a smoke test without --data"),
    "plots": (("matplotlib",), "the pictures of fourier, inspect and compare"),
    "html": (("plotly", "jinja2"), "reports in HTML"),
    "finetune": (("accelerate", "matplotlib"), "semaudit finetune"),
}
HUB_SECONDS = 5.0


def versions() -> dict[str, str | None]:
    """Of semaudit, Python and what semaudit rests on; None where it is not installed."""
    found: dict[str, str | None] = {"semaudit": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def missing_of_extras() -> dict[str, list[str]]:
    """The modules that each extra lacks; none where it is installed."""
    return {
        extra: [name for name in modules if importlib.util.find_spec(name) is None]
        for extra, (modules, _) in EXTRAS.items()
    }


def devices() -> list[str]:
    """Where a model could run."""
    import torch

    found = [f"cpu, {torch.get_num_threads()} threads, {os.cpu_count()} cores{_memory()}"]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            found.append(f"cuda:{index}, {about.name}, {about.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def hub() -> str:
    """Whether the hub answers; never waits longer than `HUB_SECONDS`."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "not asked: offline by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE"
    answers: list[bool] = []
    # Looking a name up may hang past any timeout of the request itself.
    asking = threading.Thread(target=lambda: answers.append(_answers()), daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    return "reachable" if answers == [True] else "not reachable: names open from the cache alone"


def configuration() -> tuple[str, bool]:
    """Which settings a scan here would take from elsewhere than defaults, and whether they hold."""
    try:
        origins = resolve().origins
    except UsageError as error:
        return f"wrong: {error}", False
    set_ones = [f"{name} ({place})" for name, place in origins.items() if place != DEFAULT]
    return ", ".join(set_ones) or "none: defaults hold", True


def room(folder: Path) -> str:
    """How much of the disk is free."""
    return f"{shutil.disk_usage(folder).free / 2**30:.1f} GiB free"


def _answers() -> bool:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS - 1)
    except Exception:  # requests, httpx or httpx2, by the version; any failure means no
        return False
    return True


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    except (ValueError, OSError, AttributeError):  # not on every system
        return ""
