"""Verifies an audit: the hashes of its files, and its report against its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semaudit import summary
from semaudit.comparing.opening import require_finished
from semaudit.errors import AuditError, UsageError
from semaudit.figures import Difference, differences, figures
from semaudit.files import file_sha256
from semaudit.folder import MANIFEST, REPORT, read_manifest
from semaudit.gates.shipped import recorded_metrics
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.store import Samples
from semaudit.verifying.hashes import Held, held_against, is_hash, recorded

SAME = 1e-6
"""Share by which a figure that is reckoned again may be off: another version of a library."""


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        manifest_sha256: of the manifest, which no file of the audit vouches for.
        kept_sha256: what it has to be, kept elsewhere; None where nobody kept it.
        held: the files against their hashes; None where there are none on record.
        recomputed: how many figures were reckoned again from the tables.
        disagreeing: those of them that the report has otherwise, worst first.
        unreadable: why the report could not be held against the tables, if so.
    """

    manifest_sha256: str
    kept_sha256: str | None
    held: Held | None
    recomputed: int
    disagreeing: tuple[Difference, ...]
    unreadable: str | None

    @property
    def other_manifest(self) -> bool:
        """Whether the manifest is not the one whose hash was kept."""
        return self.kept_sha256 is not None and self.kept_sha256 != self.manifest_sha256

    @property
    def broken(self) -> bool:
        """Whether anything is not as the scan left it."""
        changed = self.held is not None and bool(self.held.changed or self.held.missing)
        return (
            self.other_manifest or changed or bool(self.disagreeing) or self.unreadable is not None
        )

    @property
    def exit_code(self) -> int:
        """0 nothing is otherwise, 1 something is not, 3 there is no record that could tell."""
        if self.broken:
            return 1
        return 3 if self.held is None else 0


def verify(audit: Path, manifest_sha256: str | None = None) -> Verified:
    """Hash an audit's files again, and reckon its figures again from its tables.

    Args:
        audit: its folder.
        manifest_sha256: what the hash of its manifest has to be.

    Raises:
        UsageError: that is no hash.
        AuditError: there is no audit, or its manifest cannot be read.
    """
    kept = None if manifest_sha256 is None else manifest_sha256.strip().lower()
    if kept is not None and not is_hash(kept):
        raise UsageError(
            f"--manifest-sha256 {manifest_sha256!r} is no SHA-256: 64 hexadecimal digits, as "
            "semaudit verify prints them"
        )
    if not (audit / MANIFEST).exists():
        require_finished(audit)
    record = recorded(read_manifest(audit), audit)
    held = None if record is None else held_against(record, audit)
    recomputed = 0
    disagreeing: tuple[Difference, ...] = ()
    unreadable: str | None = None
    try:
        report = read_report(audit / REPORT)
        again = figures(_again(report, audit))
        before = figures(report)
        recomputed = len(again)
        disagreeing = tuple(d for d in differences(before, again) if not d.within(SAME))
    except AuditError as error:
        unreadable = str(error)
    except (ValueError, KeyError) as error:  # samples outside their range, metrics that lack
        unreadable = f"the tables in {audit} are damaged: {error}"
    found = file_sha256(audit / MANIFEST)
    return Verified(found, kept, held, recomputed, disagreeing, unreadable)


def _again(report: Report, audit: Path) -> Report:
    """The report with all figures that follow from the tables reckoned anew."""
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    names = [each.name for each in report.metrics]
    metrics = list(recorded_metrics(report, names, audit).values())
    clean = summary.clean(samples, report.data.labelled, metrics)
    return report.model_copy(
        update={
            "score": None if report.degenerate is not None else summary.score(samples),
            "noise_floor": summary.noise_floor(samples),
            "clean": clean,
            "estimates": summary.estimates(samples, metrics),
            "curves": summary.curves(samples),
        }
    )
