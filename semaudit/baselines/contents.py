"""What a baseline's file is: a small archive of what paired gates need, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from semaudit.folder import MANIFEST, REPORT
from semaudit.metric import Level
from semaudit.report.document import Measured, Report
from semaudit.store import IMAGES, PATHS, SAMPLES

VERSION = 2
UNCHECKED_VERSION = 1
"""Of files from before there was a checksum: nothing in them is held against anything."""

MEMBERS = (REPORT, MANIFEST, IMAGES, PATHS, SAMPLES)
CHECKSUM = "checksum"
"""The member with the SHA-256 of all others: what was edited, or mixed of two files, is refused."""

_KEPT: Mapping[Level, tuple[str, ...]] = {
    "rung": ("flip", "shift", "gradient_turn"),
    "path": ("jump", "onset"),
}
"""Columns that every file holds, beside all that is measured once a picture. They take 0.6 to 0.8
KB a picture under the standard battery; one more that is measured at every rung takes 0.3."""

_OF_A_SCAN = ("estimates", "curves", "class_flips", "worst", "verdicts")
"""Parts of a report that no gate needs."""


def checksum(members: Mapping[str, bytes]) -> str:
    """The SHA-256 of the members' names and contents. Returns 64 hex digits."""
    lines = (f"{name} {hashlib.sha256(members[name]).hexdigest()}\n" for name in MEMBERS)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_kept(measured: Measured, more: frozenset[str]) -> bool:
    """Whether a metric is in the file: always, or because it is one of ``more``."""
    always = measured.level == "image" or measured.column in _KEPT[measured.level]
    return always or measured.name in more


def slim_report(report: Report, more: frozenset[str]) -> Report:
    """The report of what is in the file."""
    nothing: dict[str, Any] = {name: [] for name in _OF_A_SCAN}
    metrics = [each for each in report.metrics if is_kept(each, more)]
    unread = report.data.model_copy(update={"unreadable": []})
    return report.model_copy(
        update={
            **nothing,
            "data": unread,
            "metrics": metrics,
            "preprocessing": None,
            "baseline": None,
        }
    )


def slim_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Of a manifest what decides whether two audits can be compared; no path is in it."""
    return {
        "baseline_version": VERSION,
        "created": manifest["created"],
        "model": {"differentiable": manifest["model"]["differentiable"]},
        "runtime": {"amp_dtype": manifest["runtime"]["amp_dtype"]},
        "gradients": manifest["gradients"],
        "worst_case": manifest["worst_case"],
        "taxonomy": manifest.get("taxonomy"),
        "plugins": [
            {name: each[name] for name in ("sha256", "perturbations", "metrics")}
            for each in manifest["plugins"]
        ],
    }
