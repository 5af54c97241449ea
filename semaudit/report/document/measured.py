"""What was measured: estimates, curves, pictures, verdicts."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from semaudit.report.document.part import Part

Statistic = Literal["mean", "median", "p95", "max"]
Scope = Literal["all", "family", "probe"]


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


class Against(Part):
    """Both means over the same pictures of a gate that is held against a baseline."""

    now: float
    baseline: float
    factor: float


class Verdict(Part):
    """A gate, judged.

    With ``against``, value and interval are of the difference that the gate limits: what it is now
    less ``factor`` times what it is in the baseline.
    """

    gate: str
    outcome: Outcome
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    pictures_to_decide: int | None
    reason: str
    against: Against | None = None


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


class Clean(Part):
    """What stands beside every shift: how the model does on the clean pictures."""

    accuracy: Interval | None
    confidence: Interval | None
    entropy: Interval | None
    logit_norm: Interval
    distinct_classes: int
