"""What a report says of the audit as a whole that its tables cannot tell: the manifest keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from semaudit.folder import MANIFEST, reading_manifest
from semaudit.report.document import Report

FINDINGS = "findings"
"""The manifest's key with them; audits of before it was written have none."""


def findings_of(report: Report) -> dict[str, Any]:
    """Why nothing, or not all, of an audit can be judged; fit for JSON."""
    return {
        "degenerate": report.degenerate,
        "doubts": [each.name for each in report.doubts],
        "warnings": list(report.warnings),
        "guessed_architecture": report.model.guessed_architecture,
    }


def unlike_manifest(report: Report, manifest: Mapping[str, Any], audit: Path) -> list[str]:
    """What a report says of what was audited that its manifest says otherwise, a line each.

    Raises:
        AuditError: the manifest is damaged.
    """
    with reading_manifest(audit / MANIFEST):
        return [
            f"report.json and manifest.json do not say the same of {name}"
            for name, said, kept in _pairs(report, manifest)
            if said != kept
        ]


def _pairs(report: Report, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(what, as the report says it, as the manifest does)."""
    model = manifest["model"]
    for name in ("name", "num_classes", "activation"):
        yield f"the model's {name}", getattr(report.model, name), model[name]
    weights = model["provenance"].get("weights_sha256")
    if weights is not None:  # of a live module nobody has asked for the hash
        yield "the weights", report.model.weights_sha256, weights
    yield "the pictures", report.data.model_dump(mode="json"), manifest["data"]
    yield "the seed", report.seed, manifest["settings"]["seed"]["value"]
    keys = ("name", "family", "ladder", "sha256")
    yield (
        "the probes",
        [each.model_dump(include={*keys}) for each in report.battery],
        [{key: each[key] for key in keys} for each in manifest["battery"]],
    )
    limits = [str(each).strip() for each in manifest["settings"]["fail_on"]["value"]]
    yield "the limits", [each.gate for each in report.verdicts], limits
    kept = manifest.get(FINDINGS)
    if kept is not None:
        for name, said in findings_of(report).items():
            yield f"what was found of it ({name})", said, kept[name]
