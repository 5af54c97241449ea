"""The manifest: what ran, on what, with what, so that a scan can be repeated and trusted."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from semaudit import __version__
from semaudit.battery import Battery
from semaudit.models import Classifier
from semaudit.plugins import LoadedPlugin
from semaudit.probes import Probe
from semaudit.report.document import Data
from semaudit.runtime import Runtime
from semaudit.settings import Resolved

MANIFEST_VERSION = 1
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "pillow", "pyarrow", "safetensors")


def build(
    *,
    resolved: Resolved,
    classifier: Classifier,
    battery: Sequence[Probe],
    chosen: Battery,
    plugins: Sequence[LoadedPlugin],
    place: Runtime,
    batch_size: int,
    data: Data,
    seconds: float,
) -> dict[str, Any]:
    """Gather everything that the samples depend on; fit for JSON.

    `battery` is what ran: that of `chosen` which means something for the pictures.
    """
    return {
        "manifest_version": MANIFEST_VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "versions": {
            "semaudit": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        "model": {
            "name": classifier.name,
            "num_classes": classifier.num_classes,
            "activation": classifier.activation,
            "output": None if classifier.form is None else asdict(classifier.form),
            "differentiable": classifier.differentiable,
            "notes": list(classifier.notes),
            "provenance": classifier.provenance,
            "preprocessing": asdict(classifier.preprocessing),
        },
        "data": data.model_dump(mode="json"),
        "runtime": {
            "platform": platform.platform(),
            "device": str(place.device),
            "device_name": _device_name(place.device),
            "threads": torch.get_num_threads(),
            "amp_dtype": str(place.amp_dtype or torch.float32).removeprefix("torch."),
            "channels_last": place.channels_last,
            "torchcompile": place.compile,
            "batch_size": batch_size,
            "workers": place.workers,
        },
        "settings": {
            name: {"value": value, "origin": resolved.origins[name]}
            for name, value in resolved.settings.model_dump(mode="json").items()
        },
        "battery": [
            {
                "name": probe.name,
                "family": probe.family,
                "ladder": list(probe.ladder),
                "sha256": probe.sha256,
                "text": probe.source_text,
            }
            for probe in battery
        ],
        "battery_file": None
        if chosen.file is None
        else {"path": str(chosen.file), "sha256": chosen.sha256, "text": chosen.text},
        "plugins": [{**asdict(plugin), "path": str(plugin.path)} for plugin in plugins],
    }


def write(path: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest as JSON."""
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
