"""Verifies an audit: the hashes of its files, its figures and verdicts against its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semaudit import summary
from semaudit.baselines.identity import found_again
from semaudit.comparing.opening import require_finished
from semaudit.errors import SemauditError, UsageError
from semaudit.figures import Difference, differences, figures
from semaudit.files import file_sha256
from semaudit.findings import class_flips, worst_pictures
from semaudit.folder import MANIFEST, REPORT, read_manifest
from semaudit.gates.shipped import recorded_metrics
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.store import Samples
from semaudit.verifying.findings import unlike_manifest
from semaudit.verifying.hashes import Held, held_against, is_hash, recorded
from semaudit.verifying.judging import judged_again
from semaudit.verifying.parts import SAME, class_names, unlike_flat, unlike_tables


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        manifest_sha256: of the manifest, which no file of the audit vouches for.
        kept_sha256: what it has to be, kept elsewhere; None where nobody kept it.
        held: the files against their hashes; None where there are none on record.
        recomputed: how many figures were reckoned again from the tables.
        disagreeing: those of them that the report has otherwise, worst first.
        judged: how many gates were judged again.
        claims: what the report says otherwise than the tables and the manifest, a line each.
        exit_code_of_scan: by the verdicts of the tables; None where they were not judged.
        unheld: why the gates could not be judged again, though nothing is known to be wrong.
        unreadable: why the report could not be held against the tables, if so.
    """

    manifest_sha256: str
    kept_sha256: str | None
    held: Held | None
    recomputed: int = 0
    disagreeing: tuple[Difference, ...] = ()
    judged: int = 0
    claims: tuple[str, ...] = ()
    exit_code_of_scan: int | None = None
    unheld: str | None = None
    unreadable: str | None = None

    @property
    def other_manifest(self) -> bool:
        """Whether the manifest is not the one whose hash was kept."""
        return self.kept_sha256 is not None and self.kept_sha256 != self.manifest_sha256

    @property
    def broken(self) -> bool:
        """Whether anything is not as the scan left it."""
        changed = self.held is not None and bool(self.held.changed or self.held.missing)
        said = bool(self.disagreeing or self.claims) or self.unreadable is not None
        return self.other_manifest or changed or said

    @property
    def exit_code(self) -> int:
        """0 nothing is otherwise, 1 something is not, 3 there is no record that could tell."""
        if self.broken:
            return 1
        return 3 if self.held is None or self.unheld is not None else 0


def verify(
    audit: Path, manifest_sha256: str | None = None, baseline: Path | None = None
) -> Verified:
    """Hash an audit's files again, reckon its figures again, and judge its gates again.

    Args:
        audit: its folder.
        manifest_sha256: what the hash of its manifest has to be.
        baseline: where the baseline is now; None for where it was.

    Raises:
        UsageError: that is no hash, or there was no baseline.
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
    manifest = read_manifest(audit)
    record = recorded(manifest, audit)
    found_again(manifest, audit, baseline)  # a manifest without settings, or a flag too many
    held = None if record is None else held_against(record, audit)
    found = Verified(file_sha256(audit / MANIFEST), kept, held)
    try:
        return _reckoned(found, audit, manifest, baseline)
    except SemauditError as error:
        return replace(found, unreadable=str(error))
    except (ValueError, KeyError, IndexError) as error:  # samples, metrics or names that lack
        return replace(found, unreadable=f"the tables in {audit} are damaged: {error}")


def _reckoned(
    found: Verified, audit: Path, manifest: Mapping[str, Any], baseline: Path | None
) -> Verified:
    report = read_report(audit / REPORT)
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    again = _again(report, samples, manifest, audit)
    verdicts = judged_again(report, again, samples, manifest, audit, baseline)
    after = figures(again.model_copy(update={"baseline": verdicts.report.baseline}))
    every = (*differences(figures(report), after), *verdicts.figures)
    return replace(
        found,
        recomputed=len(after),
        disagreeing=tuple(each for each in every if not each.within(SAME)),
        judged=0 if verdicts.unheld is not None else len(report.verdicts),
        claims=(
            *unlike_manifest(report, manifest, audit),
            *unlike_tables(report, again),
            *unlike_flat(report, audit),
            *verdicts.claims,
        ),
        exit_code_of_scan=verdicts.exit_code,
        unheld=verdicts.unheld,
    )


def _again(report: Report, samples: Samples, manifest: Mapping[str, Any], audit: Path) -> Report:
    """The report with all figures that follow from the tables reckoned anew."""
    names = [each.name for each in report.metrics]
    known = recorded_metrics(report, names, audit)
    metrics = list(known.values())
    classes = class_names(report, manifest, audit)
    return report.model_copy(
        update={
            "score": None if report.degenerate is not None else summary.score(samples),
            "noise_floor": summary.noise_floor(samples),
            "clean": summary.clean(samples, report.data.labelled, metrics),
            "estimates": summary.estimates(samples, metrics),
            "curves": summary.curves(samples),
            "class_flips": class_flips(samples, classes),
            "worst": worst_pictures(samples, classes, known["shift"], known["flip_rate"]),
        }
    )
