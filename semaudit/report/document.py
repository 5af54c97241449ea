"""report.json: the one source of every rendering, versioned and described by a JSON Schema."""

from __future__ import annotations

import math
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from semaudit.layout import Layout, Track
from semaudit.metric import Activation, Level, Metric

SCHEMA_VERSION: Literal[1] = 1

Statistic = Literal["mean", "median", "p95", "max"]
Scope = Literal["all", "family", "probe"]


class Part(BaseModel):
    """Base of the document's parts: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class Interval(Part):
    """A value with its 95 % interval; an end is null where nothing bounds it."""

    value: float
    low: float | None
    high: float | None
    n: int


class Estimate(Interval):
    """A statistic over pictures of a metric, for the whole, a family or a probe."""

    metric: str
    statistic: Statistic
    scope: Scope
    name: str


class Curve(Part):
    """Means over pictures along one probe's ladder, one entry a rung."""

    probe: str
    family: str
    strengths: list[float]
    shift: list[Interval]
    flip_rate: list[Interval] | None
    ssim: list[float]
    input_rms: list[float]


class ClassFlip(Part):
    """How often one clean class turned into another."""

    from_class: int
    to_class: int
    from_name: str
    to_name: str
    pictures: int
    cells: int


class WorstPicture(Part):
    """A picture with a large mean shift, and its worst cell."""

    image: str
    label: int | None
    clean_class: int
    clean_name: str
    confidence: float | None
    shift: float
    flip_rate: float | None
    probe: str
    strength: float
    cell_shift: float
    to_class: int
    to_name: str


class Outcome(str, Enum):
    """What the interval says of a gate."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Verdict(Part):
    """A gate, judged."""

    gate: str
    outcome: Outcome
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    pictures_to_decide: int | None
    reason: str


class Probed(Part):
    """A probe as it was run."""

    name: str
    family: str
    perturbation: str
    claim: str
    ladder: list[float]
    sha256: str


class Measured(Part):
    """A metric that was measured; an infinite bound is null."""

    name: str
    column: str
    level: Level
    lower: float | None
    upper: float | None
    comparable: bool
    needs_classes: bool
    shown: bool = False
    description: str

    @classmethod
    def of(cls, metric: Metric) -> Measured:
        """Describe a metric."""
        lower, upper = (end if math.isfinite(end) else None for end in metric.bounds)
        return cls(
            name=metric.name,
            column=metric.column,
            level=metric.level,
            lower=lower,
            upper=upper,
            comparable=metric.comparable,
            needs_classes=metric.needs_classes,
            shown=metric.shown,
            description=metric.description,
        )

    @property
    def metric(self) -> Metric:
        """The metric that this describes."""
        lower = -math.inf if self.lower is None else self.lower
        upper = math.inf if self.upper is None else self.upper
        return Metric(
            self.name,
            self.column,
            self.level,
            (lower, upper),
            self.comparable,
            self.description,
            self.needs_classes,
            self.shown,
        )


class Model(Part):
    """What was audited."""

    name: str
    num_classes: int
    activation: Activation
    input_size: tuple[int, int, int]
    preprocessing: str
    weights_sha256: str
    notes: list[str]


class Unread(Part):
    """A picture that could not be read and was left out."""

    image: str
    reason: str


class Compared(Part):
    """What another resize does to the clean pictures, against the model's own."""

    name: str
    shift: Interval
    flip_rate: Interval
    pixel_difference: float
    accuracy: float | None
    worst: str


class Comparison(Part):
    """The clean pictures under several resizes; ``reading`` says what follows."""

    pictures: int
    own: str
    accuracy: float | None
    compared: list[Compared]
    reading: str


class Data(Part):
    """What it was audited on."""

    source: str
    pictures: int
    labelled: bool
    smoke_test: bool
    fingerprint: str
    unreadable: list[Unread]
    unreadable_count: int
    notes: list[str]


class Clean(Part):
    """What stands beside every shift: how the model does on the clean pictures."""

    accuracy: Interval | None
    confidence: Interval | None
    entropy: Interval | None
    logit_norm: Interval
    distinct_classes: int


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
