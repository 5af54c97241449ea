"""The whole document."""

from __future__ import annotations

from typing import Literal

from semaudit.layout import Layout, Track
from semaudit.report.document.audited import Data, Doubt, Measured, Model, Probed
from semaudit.report.document.changed import Baseline
from semaudit.report.document.measured import (
    ClassFlip,
    Clean,
    Comparison,
    Curve,
    Estimate,
    Interval,
    Scope,
    Statistic,
    Verdict,
    WorstPicture,
)
from semaudit.report.document.part import Part

SCHEMA_VERSION: Literal[1] = 1


class Report(Part):
    """One audit."""

    schema_version: Literal[1] = SCHEMA_VERSION
    semaudit: str
    model: Model
    data: Data
    seed: int
    score: Interval | None
    degenerate: str | None
    warnings: list[str]
    doubts: list[Doubt]
    clean: Clean
    noise_floor: Interval | None
    battery: list[Probed]
    metrics: list[Measured]
    estimates: list[Estimate]
    curves: list[Curve]
    class_flips: list[ClassFlip]
    preprocessing: Comparison | None
    worst: list[WorstPicture]
    verdicts: list[Verdict]
    baseline: Baseline | None = None

    @property
    def layout(self) -> Layout:
        """The columns of the samples."""
        return Layout(
            tuple(Track(probe.name, probe.family, tuple(probe.ladder)) for probe in self.battery)
        )

    def estimate(
        self,
        metric: str,
        scope: Scope = "all",
        name: str = "all",
        statistic: Statistic = "mean",
    ) -> Estimate | None:
        """Look one estimate up; None where it is not there."""
        wanted = (metric, scope, name, statistic)
        for each in self.estimates:
            if (each.metric, each.scope, each.name, each.statistic) == wanted:
                return each
        return None
