"""report.json: the one source of every rendering, versioned and described by a JSON Schema."""

from semaudit.report.document.audited import Data, Doubt, Measured, Model, Probed, Unread
from semaudit.report.document.changed import Baseline, Changed, Flips, Moved
from semaudit.report.document.measured import (
    Against,
    ClassFlip,
    Clean,
    Compared,
    Comparison,
    Curve,
    Estimate,
    Interval,
    Outcome,
    Scope,
    Statistic,
    Verdict,
    WorstPicture,
)
from semaudit.report.document.part import Part
from semaudit.report.document.report import SCHEMA_VERSION, Report

__all__ = [
    "SCHEMA_VERSION",
    "Against",
    "Baseline",
    "Changed",
    "ClassFlip",
    "Clean",
    "Compared",
    "Comparison",
    "Curve",
    "Data",
    "Doubt",
    "Estimate",
    "Flips",
    "Interval",
    "Measured",
    "Model",
    "Moved",
    "Outcome",
    "Part",
    "Probed",
    "Report",
    "Scope",
    "Statistic",
    "Unread",
    "Verdict",
    "WorstPicture",
]
