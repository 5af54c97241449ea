"""Two audits of one and the same scan, held against one another figure by figure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from semaudit.errors import UsageError
from semaudit.figures import Difference, differences, figures
from semaudit.report.document import Report
from semaudit.reproducing.shown import other_flips, other_kept, other_worst
from semaudit.store import IMAGES, PATHS, SAMPLES

TOLERANCE = 1e-3
"""Share of a figure by which it may be off by default: what other kernels make of float32."""

LARGEST_TOLERANCE = 0.1
"""A figure that is further off has not come back, whatever one calls it."""


@dataclass(frozen=True)
class Reproduced:
    """What came back.

    Attributes:
        figures: how many there are.
        differing: those that are not equal to the last bit, worst first.
        tolerance: share of a figure by which it may be off.
        other_tables: the tables whose values are not equal to the last bit.
        verdicts: each gate with its verdict before and after, where these differ.
        findings: what only one of the two says of the model: that it is degenerate, or a doubt.
        shown: which flips, worst and kept pictures did not come back.
        circumstances: what was otherwise this time, as another version of a library.
    """

    figures: int
    differing: tuple[Difference, ...]
    tolerance: float
    other_tables: tuple[str, ...]
    verdicts: tuple[tuple[str, str, str], ...]
    findings: tuple[str, ...]
    shown: tuple[str, ...]
    circumstances: tuple[str, ...]

    @property
    def lost(self) -> tuple[Difference, ...]:
        """The figures that did not come back."""
        return tuple(each for each in self.differing if not each.within(self.tolerance))

    @property
    def bit_equal(self) -> bool:
        """Whether every figure and every sample came back to the last bit."""
        return not (self.differing or self.other_tables or self.exit_code)

    @property
    def exit_code(self) -> int:
        """0 every figure, verdict, finding and picture came back, 1 one did not."""
        return 1 if self.lost or self.verdicts or self.findings or self.shown else 0


_Audit = tuple[Report, Mapping[str, Any], Path]


def held_against(before: _Audit, after: _Audit, tolerance: float) -> Reproduced:
    """Hold two audits, each as (report, manifest, folder), against one another."""
    old, new = ({**figures(each[0]), **_judged(each[0])} for each in (before, after))
    tables = (IMAGES, PATHS, SAMPLES)
    return Reproduced(
        figures=len(old),
        differing=tuple(differences(old, new)),
        tolerance=tolerance,
        other_tables=tuple(t for t in tables if not _same_table(before[2] / t, after[2] / t)),
        verdicts=_verdicts(before[0], after[0]),
        findings=tuple(sorted(_findings(before[0]) ^ _findings(after[0]))),
        shown=tuple(_shown(before, after, tolerance)),
        circumstances=tuple(_circumstances(before[1], after[1])),
    )


def require_sensible(tolerance: float) -> None:
    """Refuse a tolerance under which nothing, or anything, would come back.

    Raises:
        UsageError: it is no share from 0 to `LARGEST_TOLERANCE`.
    """
    if not 0 <= tolerance <= LARGEST_TOLERANCE:  # nor is NaN
        raise UsageError(
            f"--tolerance {tolerance:g}: a figure comes back if it is off by no more than this "
            f"share of it; a number from 0 (to the last bit) to {LARGEST_TOLERANCE:g}"
        )


def _shown(before: _Audit, after: _Audit, tolerance: float) -> Iterator[str]:
    yield from other_flips(before[0].class_flips, after[0].class_flips, tolerance)
    yield from other_worst(before[0].worst, after[0].worst, tolerance)
    yield from other_kept(before[2], after[2], tolerance)


def _same_table(one: Path, other: Path) -> bool:
    # Not Table.equals alone, for which NaN differs from NaN, and dictionaries may be cut otherwise.
    import pandas as pd

    first, second = (pq.read_table(path).to_pandas() for path in (one, other))
    for frame in (first, second):
        for name in frame.columns:
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                frame[name] = frame[name].astype(str)
    return bool(first.equals(second))


def _verdicts(before: Report, after: Report) -> tuple[tuple[str, str, str], ...]:
    old, now = ({each.gate: each.outcome.value for each in r.verdicts} for r in (before, after))
    return tuple(
        (gate, old.get(gate, "not judged"), now.get(gate, "not judged"))
        for gate in dict.fromkeys((*old, *now))
        if old.get(gate) != now.get(gate)
    )


def _judged(report: Report) -> dict[str, float | None]:
    """The figures of verdicts and counts, which no estimate holds."""
    found: dict[str, float | None] = {"distinct clean classes": report.clean.distinct_classes}
    for each in report.verdicts:
        for name in ("value", "low", "high", "n"):
            found[f"{each.gate}, {name}"] = getattr(each, name)
    return found


def _findings(report: Report) -> set[str]:
    degenerate = set() if report.degenerate is None else {"a degenerate model"}
    # What a warning tells in numbers is among the figures.
    warned = {f"the warning {re.sub(r'[0-9][0-9.,e-]*', '#', each)}" for each in report.warnings}
    return degenerate | warned | {doubt.name for doubt in report.doubts}


def _circumstances(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    said = []
    for part in ("versions", "runtime"):
        then, now = before.get(part) or {}, after.get(part) or {}
        for name in now:
            if then.get(name) != now[name] and name != "workers":
                said.append(f"{name} was {then.get(name)} then and is {now[name]} now")
    return said
