"""What changed since a baseline, a figure a line: for renderings that programs read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semaudit.report.document import Baseline, Interval, Moved

SUFFIX = "-baseline"
"""Marks, after a metric's name, a difference from the baseline."""


@dataclass(frozen=True)
class Since:
    """One figure.

    Attributes:
        metric: as limits are written; of a difference, without the mark.
        place: the whole (``all``) or a family.
        interval: of the figure.
        moved: both values, where the figure is a difference.
    """

    metric: str
    place: str
    interval: Interval
    moved: Moved | None = None

    @property
    def key(self) -> str:
        """A flat name, as ``new_flips[noise]`` or ``flip_rate[noise]-baseline``."""
        part = "" if self.place == "all" else f"[{self.place}]"
        return f"{self.metric}{part}{SUFFIX if self.moved else ''}"


def since(baseline: Baseline) -> Iterator[Since]:
    """All figures: of the clean pictures, then of the whole and each family."""
    if baseline.accuracy is not None:
        yield _difference("accuracy", "all", baseline.accuracy)
    for name, share in (
        ("other_answers", baseline.answers),
        ("negative_flips", baseline.negative_flips),
        ("positive_flips", baseline.positive_flips),
    ):
        if share is not None:
            yield Since(name, "all", share)
    for each in baseline.changed:
        yield _difference("shift", each.name, each.shift)
        if each.flips is not None:
            yield _difference("flip_rate", each.name, each.flips.rate)
            yield Since("new_flips", each.name, each.flips.new)
            yield Since("fixed_flips", each.name, each.flips.fixed)
            yield Since("unchanged_flips", each.name, each.flips.unchanged)


def _difference(metric: str, place: str, moved: Moved) -> Since:
    return Since(metric, place, moved.difference, moved)
