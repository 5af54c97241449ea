"""What was audited, and by what: the model, the pictures, the probes, the metrics."""

from __future__ import annotations

import math

from semaudit.metric import Activation, Level, Metric
from semaudit.report.document.part import Part


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
    needs_gradients: bool = False
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
            needs_gradients=metric.needs_gradients,
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
            self.needs_gradients,
        )


class Model(Part):
    """What was audited."""

    name: str
    num_classes: int
    activation: Activation
    input_size: tuple[int, int, int]
    preprocessing: str
    weights_sha256: str
    guessed_architecture: bool
    notes: list[str]


class Doubt(Part):
    """A sign that a search for the worst case, or a gradient, does not tell the truth."""

    name: str
    meaning: str
    evidence: str


class Unread(Part):
    """A picture that could not be read and was left out."""

    image: str
    reason: str


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
