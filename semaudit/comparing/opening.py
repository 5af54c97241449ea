"""Opens a finished audit for a comparison: its report, its manifest and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semaudit.errors import AuditError
from semaudit.folder import MANIFEST, REPORT, read_manifest
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.store import SAMPLES, Samples

if TYPE_CHECKING:  # it brings torch, and comparing must not
    from semaudit.audit import Audit


@dataclass(frozen=True)
class Opened:
    """A finished audit.

    Attributes:
        name: what messages call it: its folder, as it was given.
        report: the document.
        samples: the tables, found to be of the report's size.
        effort: how hard worst cases were looked for; None where none was.
        plugins: the hash of the file of each perturbation that a plugin brought.
        precision: of the forward, as ``float32``.
        differentiable: whether gradients could be taken.
    """

    name: str
    report: Report
    samples: Samples
    effort: Mapping[str, Any] | None
    plugins: Mapping[str, str]
    precision: str
    differentiable: bool


def opened(audit: Audit | Path | str) -> Opened:
    """Open an audit, or take one that is in memory.

    Raises:
        AuditError: it is not there, not finished or damaged.
    """
    if isinstance(audit, (str, Path)):
        folder = Path(audit)
        _require_finished(folder)
        return _opened(str(audit), folder, read_report(folder / REPORT), read_manifest(folder))
    name = str(
        audit.manifest["settings"]["out"]["value"] or f"the audit of {audit.report.model.name}"
    )
    return _opened(name, audit.folder, audit.report, audit.manifest)


def _require_finished(folder: Path) -> None:
    if not folder.exists():
        raise AuditError(f"there is no audit {folder}: no such folder")
    if not folder.is_dir():
        raise AuditError(f"{folder} is a file; name the folder that --out of a scan wrote")
    if (folder / REPORT).exists():
        return
    if (folder / SAMPLES).exists():
        raise AuditError(
            f"{folder} is no finished audit: it has samples and no {REPORT}, as an interrupted "
            "scan leaves it; scan again"
        )
    raise AuditError(f"{folder} is no audit: it has no {REPORT}; name what --out of a scan wrote")


def _opened(name: str, folder: Path, report: Report, manifest: Mapping[str, Any]) -> Opened:
    samples = Samples(folder, report.layout)
    samples.check(report.data.pictures)
    try:
        effort = manifest["worst_case"]
        return Opened(
            name=name,
            report=report,
            samples=samples,
            effort=None if effort is None else dict(effort),
            plugins={
                str(perturbation): str(plugin["sha256"])
                for plugin in manifest["plugins"]
                for perturbation in plugin["perturbations"]
            },
            precision=str(manifest["runtime"]["amp_dtype"]),
            differentiable=bool(manifest["model"]["differentiable"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(
            f"{folder / MANIFEST} is damaged, or no manifest of semaudit's; scan again"
        ) from error
