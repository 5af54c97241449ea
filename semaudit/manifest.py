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
from semaudit.baselines import identity
from semaudit.files import utf8
from semaudit.preparing import Prepared
from semaudit.report.document import Report
from semaudit.settings import Resolved
from semaudit.verifying.findings import FINDINGS, findings_of

MANIFEST_VERSION = 1
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "pillow", "pyarrow", "safetensors")


def made_now(seconds: float, packages: Sequence[str]) -> dict[str, Any]:
    """When something was made, how long that took, and by which versions; fit for JSON."""
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "versions": {
            "semaudit": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
    }


def build(
    made: Prepared, resolved: Resolved, batch_size: int, report: Report, seconds: float
) -> dict[str, Any]:
    """Gather everything that the samples depend on; fit for JSON."""
    classifier, place, chosen = made.classifier, made.place, made.chosen
    return {
        "manifest_version": MANIFEST_VERSION,
        **made_now(seconds, _PACKAGES),
        "model": {
            "name": classifier.name,
            "num_classes": classifier.num_classes,
            "activation": classifier.activation,
            "output": None if classifier.form is None else asdict(classifier.form),
            "differentiable": classifier.differentiable,
            "notes": list(classifier.notes),
            "provenance": classifier.provenance,
            "preprocessing": asdict(classifier.preprocessing),
            "class_names": list(made.names),
        },
        "data": report.data.model_dump(mode="json"),
        FINDINGS: findings_of(report),
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
            for probe in made.battery
        ],
        "battery_file": None
        if chosen.file is None
        else {"path": str(chosen.file), "sha256": chosen.sha256, "text": chosen.text},
        "gradients": None if made.asked.samples is None else {"samples": made.asked.samples},
        "worst_case": None if made.asked.hunt is None else asdict(made.asked.hunt.effort),
        **({} if made.taxonomy is None else {"taxonomy": made.taxonomy.described}),
        **identity.described(made.baseline),
        "plugins": [{**asdict(plugin), "path": str(plugin.path)} for plugin in made.plugins],
    }


def write(path: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest as JSON."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    path.write_text(utf8(text) + "\n", encoding="utf-8")  # in JSON the escape is what it stands for


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
