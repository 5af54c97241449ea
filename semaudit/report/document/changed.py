"""What changed since a baseline: another audit of the same pictures, probes and seed."""

from __future__ import annotations

from typing import Literal

from semaudit.report.document.measured import Interval
from semaudit.report.document.part import Part


class Moved(Part):
    """One number then and now; ``difference`` is now less then, with its paired 95 % interval."""

    baseline: float
    now: float
    difference: Interval


class Flips(Part):
    """Flips against those of the baseline, as shares of cells.

    ``new`` are there now only, ``fixed`` were in the baseline only, ``unchanged`` are in both.
    """

    rate: Moved
    new: Interval
    fixed: Interval
    unchanged: Interval


class Changed(Part):
    """What changed along the ladders of the whole or of a family; an embedding cannot flip."""

    scope: Literal["all", "family"]
    name: str
    shift: Moved
    flips: Flips | None


class Baseline(Part):
    """What an audit was held against, and what changed since.

    ``answers`` is the share of clean pictures that are answered differently; of those with a
    label, ``negative_flips`` were right and are wrong now, ``positive_flips`` the other way.
    Each is None where it cannot be told.
    """

    source: str
    model: str
    weights_sha256: str
    semaudit: str
    notes: list[str]
    accuracy: Moved | None
    answers: Interval | None
    negative_flips: Interval | None
    positive_flips: Interval | None
    changed: list[Changed]
