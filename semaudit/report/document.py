"""report.json: the one source of every rendering, versioned and described by a JSON Schema."""

from __future__ import annotations

import json
import math
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from semaudit.errors import AuditError
from semaudit.layout import Layout, Track
from semaudit.metric import Level, Metric

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
    flip_rate: list[Interval]
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
    confidence: float
    shift: float
    flip_rate: float
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
            description=metric.description,
        )

    @property
    def metric(self) -> Metric:
        """The metric that this describes."""
        lower = -math.inf if self.lower is None else self.lower
        upper = math.inf if self.upper is None else self.upper
        return Metric(
            self.name, self.column, self.level, (lower, upper), self.comparable, self.description
        )


class Model(Part):
    """What was audited."""

    name: str
    num_classes: int
    input_size: tuple[int, int, int]
    weights_sha256: str


class Data(Part):
    """What it was audited on."""

    source: str
    pictures: int
    labelled: bool
    fingerprint: str
    notes: list[str]


class Clean(Part):
    """What stands beside every shift: how the model does on the clean pictures."""

    accuracy: Interval | None
    confidence: Interval
    entropy: Interval
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


def schema() -> dict[str, Any]:
    """The JSON Schema of report.json; `report.schema.json`, beside this file, is a copy of it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Report.model_json_schema(mode="serialization"),
    }


def read_report(path: Path) -> Report:
    """Read a report.json back.

    Raises:
        AuditError: it is missing, damaged or of another version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise AuditError(f"{path} cannot be read: {reason}; is {path.parent} an audit?") from error
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise AuditError(f"{path} is not a semaudit report; scan again") from error
    if version != SCHEMA_VERSION:
        raise AuditError(
            f"{path} has schema version {version}, this semaudit reads {SCHEMA_VERSION}"
        )
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AuditError(f"{path} is damaged at {where}: {first['msg']}; scan again") from error
