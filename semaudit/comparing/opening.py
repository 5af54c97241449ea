"""Opens a finished audit for a comparison: its report, its manifest and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semaudit.comparing.plans import Plan
from semaudit.errors import AuditError
from semaudit.folder import MANIFEST, REPORT, read_manifest, reading_manifest
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
        gradient_samples: random draws in an estimate on gradients; None where there is none.
        taxonomy: the tree of classes that weighs the shift, as the manifest describes it.
        metrics: the hash of the file of each metric that a plugin brought.
        sha256: of what was opened, where it is a baseline.
        class_names: of the outputs, in their order; empty where the manifest has none.
    """

    name: str
    report: Report
    samples: Samples
    effort: Mapping[str, Any] | None
    plugins: Mapping[str, str]
    precision: str
    differentiable: bool
    gradient_samples: int | None = None
    taxonomy: Mapping[str, Any] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    class_names: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """What it was told to do."""
        return Plan(
            name=self.name,
            activation=self.report.model.activation,
            num_classes=self.report.model.num_classes,
            seed=self.report.seed,
            battery=self.report.battery,
            plugins=self.plugins,
            effort=self.effort,
        )


def opened(audit: Audit | Path | str) -> Opened:
    """Open an audit, or take one that is in memory.

    Raises:
        AuditError: it is not there, not finished or damaged.
    """
    if isinstance(audit, (str, Path)):
        folder = Path(audit)
        require_finished(folder)
        report = read_report(folder / REPORT)
        samples = Samples(folder, report.layout)
        return gathered(str(audit), report, samples, read_manifest(folder))
    name = str(
        audit.manifest["settings"]["out"]["value"] or f"the audit of {audit.report.model.name}"
    )
    samples = Samples(audit.folder, audit.report.layout)
    return gathered(name, audit.report, samples, audit.manifest)


def require_finished(folder: Path) -> None:
    """Make sure that a folder is what a finished scan wrote.

    Raises:
        AuditError: it is not, or not there.
    """
    if not folder.exists():
        raise AuditError(f"there is no audit {folder}: no such file or folder")
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


def gathered(name: str, report: Report, samples: Samples, manifest: Mapping[str, Any]) -> Opened:
    """Gather what a report, the tables and a manifest say.

    Raises:
        AuditError: the tables are not of the report's size, or the manifest lacks something.
    """
    samples.check(report.data.pictures)
    with reading_manifest(samples.folder / MANIFEST):
        effort, gradients = manifest["worst_case"], manifest.get("gradients")
        return Opened(
            name=name,
            report=report,
            samples=samples,
            effort=None if effort is None else dict(effort),
            plugins=_brought(manifest, "perturbations"),
            precision=str(manifest["runtime"]["amp_dtype"]),
            differentiable=bool(manifest["model"]["differentiable"]),
            gradient_samples=None if gradients is None else int(gradients["samples"]),
            taxonomy=manifest.get("taxonomy"),
            metrics=_brought(manifest, "metrics"),
            class_names=tuple(map(str, manifest["model"].get("class_names", ()))),
        )


def _brought(manifest: Mapping[str, Any], kind: str) -> dict[str, str]:
    """The hash of the file of each perturbation, or metric, that a plugin brought."""
    return {
        str(name): str(plugin["sha256"])
        for plugin in manifest["plugins"]
        for name in plugin.get(kind, ())
    }
