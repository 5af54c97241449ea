"""Two audits of one and the same scan, held against one another figure by figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from semaudit.figures import Difference, differences, figures
from semaudit.report.document import Report
from semaudit.store import IMAGES, PATHS, SAMPLES

TOLERANCE = 1e-3
"""Share of a figure by which it may be off by default: what other kernels make of float32."""


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
        circumstances: what was otherwise this time, as another version of a library.
    """

    figures: int
    differing: tuple[Difference, ...]
    tolerance: float
    other_tables: tuple[str, ...]
    verdicts: tuple[tuple[str, str, str], ...]
    findings: tuple[str, ...]
    circumstances: tuple[str, ...]

    @property
    def lost(self) -> tuple[Difference, ...]:
        """The figures that did not come back."""
        return tuple(each for each in self.differing if not each.within(self.tolerance))

    @property
    def bit_equal(self) -> bool:
        """Whether every figure and every sample came back to the last bit."""
        return not (self.differing or self.other_tables or self.findings)

    @property
    def exit_code(self) -> int:
        """0 every figure, verdict and finding came back, 1 one did not."""
        return 1 if self.lost or self.verdicts or self.findings else 0


def held_against(
    before: tuple[Report, Mapping[str, Any], Path],
    after: tuple[Report, Mapping[str, Any], Path],
    tolerance: float,
) -> Reproduced:
    """Hold two audits, each as (report, manifest, folder), against one another."""
    old, new = figures(before[0]), figures(after[0])
    tables = (IMAGES, PATHS, SAMPLES)
    return Reproduced(
        figures=len(old),
        differing=tuple(differences(old, new)),
        tolerance=tolerance,
        other_tables=tuple(t for t in tables if not _same_table(before[2] / t, after[2] / t)),
        verdicts=_verdicts(before[0], after[0]),
        findings=tuple(sorted(_findings(before[0]) ^ _findings(after[0]))),
        circumstances=tuple(_circumstances(before[1], after[1])),
    )


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
    now = {each.gate: each.outcome.value for each in after.verdicts}
    return tuple(
        (each.gate, each.outcome.value, now.get(each.gate, "not judged"))
        for each in before.verdicts
        if now.get(each.gate) != each.outcome.value
    )


def _findings(report: Report) -> set[str]:
    degenerate = set() if report.degenerate is None else {"a degenerate model"}
    return degenerate | {doubt.name for doubt in report.doubts}


def _circumstances(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    said = []
    for part in ("versions", "runtime"):
        then, now = before.get(part, {}), after.get(part, {})
        for name in now:
            if then.get(name) != now[name] and name != "workers":
                said.append(f"{name} was {then.get(name)} then and is {now[name]} now")
    return said
