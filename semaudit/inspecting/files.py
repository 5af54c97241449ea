"""Writes cases: a PNG each, and the numbers of all as JSON."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from semaudit import __version__
from semaudit.errors import UsageError
from semaudit.files import appearing_file, folders_made
from semaudit.folder import CASE_NUMBERS, CASES
from semaudit.inspecting.again import Inspection
from semaudit.inspecting.case import Case, Side
from semaudit.inspecting.picture import draw

_LONGEST = 60  # characters of an id in a file's name


def check_folder(out: Path) -> None:
    """Make sure, before any work, that files can be written there.

    Raises:
        UsageError: they cannot.
    """
    nearest = out.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UsageError(f"--out {out}: {nearest} is a file; name a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out} cannot be written: no permission in {nearest}")


def file_name(case: Case) -> str:
    """The name of a case's picture: safe on any system, and its own."""
    parts = (case.image_id, case.probe.name)
    name = "-".join(re.sub(r"[^A-Za-z0-9_.-]+", "_", part)[-_LONGEST:] for part in parts)
    name = name.lstrip("._-") or "case"
    # Whatever was lost, and letters that a file system takes for one another, is told apart.
    if "/".join(parts) != name.lower().replace(f"-{case.probe.name}", f"/{case.probe.name}"):
        name += "-" + blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()
    return f"{name}.png"


def write(found: Inspection, out: Path) -> list[Path]:
    """Write all cases; the files take their names together, at the end.

    Returns:
        the pictures, one a case, and last the numbers.

    Raises:
        UsageError: they cannot be written.
    """
    check_folder(out)
    files = [out / file_name(case) for case in found.cases]
    with folders_made(out), ExitStack() as stack:
        pairs = [
            (case, stack.enter_context(appearing_file(file)))
            for case, file in zip(found.cases, files, strict=True)
        ]
        numbers = stack.enter_context(appearing_file(out / CASE_NUMBERS))
        for case, work in pairs:
            draw(case, work)
        text = json.dumps(_document(found, files), indent=1, allow_nan=False)
        numbers.write_text(f"{text}\n", encoding="utf-8")
    return [*files, out / CASE_NUMBERS]


def _document(found: Inspection, files: Sequence[Path]) -> dict[str, Any]:
    report = found.report
    return {
        "semaudit": __version__,
        "model": {"name": report.model.name, "weights_sha256": report.model.weights_sha256},
        "data": {"source": report.data.source, "fingerprint": report.data.fingerprint},
        "seed": report.seed,
        "warnings": list(found.warnings),
        "cases": [
            {"file": file.name, **as_json(case)}
            for case, file in zip(found.cases, files, strict=True)
        ],
    }


def as_json(case: Case) -> dict[str, Any]:
    """The numbers of a case, fit for JSON; what is not known is null."""
    probe, sweep = case.probe, case.sweep
    return {
        "image": case.image_id,
        "label": case.label,
        "activation": case.activation,
        "probe": {
            "name": probe.name,
            "family": probe.family,
            "perturbation": probe.perturbation,
            "claim": probe.claim,
            "unit": probe.unit,
            "ladder": list(probe.ladder),
            "searched": case.searched,
        },
        "flips": case.flips,
        "onset": case.onset if case.flips else None,
        "onset_of_the_scan": case.course.onset,
        "flips_early_at": case.course.early,
        "flips_back_by": case.course.back,
        "clean": _side(case, case.clean),
        "before": _side(case, case.before),
        "after": _side(case, case.after),
        "shift": case.shift,
        "leap": case.leap,
        "share": None if math.isnan(case.share) else case.share,
        "gradient_turn": case.gradient_turn,
        "moved": asdict(case.moved),
        "rung_shifts": case.rung_shifts.tolist(),
        "sweep": {
            "strengths": sweep.strengths.tolist(),
            "shift": sweep.shift.tolist(),
            "classes": [
                {
                    "index": k,
                    "name": case.names[k],
                    "probability": sweep.probabilities[:, k].tolist(),
                }
                for k in case.shown
            ],
        },
        "notes": list(case.notes),
    }


def _side(case: Case, side: Side) -> dict[str, Any]:
    return {
        "strength": side.strength,
        "decided": list(side.decided),
        "classes": [
            {"index": k, "name": case.names[k], "probability": float(side.probabilities[k])}
            for k in case.shown
        ],
    }


__all__ = ["CASES", "CASE_NUMBERS", "as_json", "check_folder", "file_name", "write"]
