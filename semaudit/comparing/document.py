"""What a comparison says: the one source of its renderings, as report.json is of an audit's."""

from __future__ import annotations

from typing import Literal

from semaudit.metric import Activation
from semaudit.report.document import Interval
from semaudit.report.document.part import Part

COMPARISON_VERSION: Literal[1] = 1

Place = Literal["clean", "all", "seen", "held-out", "family"]
"""Where a number is from: clean pictures; all families that count; those that were named as seen;
those that were not; one family."""


class Side(Part):
    """One of the two audits."""

    audit: str
    model: str
    weights_sha256: str
    preprocessing: str
    semaudit: str
    degenerate: str | None


class Change(Part):
    """One number of both models on the same pictures.

    ``difference`` is after minus before, with its paired 95 % interval over pictures. ``lower``
    and ``higher`` count the pictures whose number fell and rose, and ``p_value`` is the exact sign
    test on these two: on accuracy of clean pictures it is McNemar's exact test.
    """

    metric: str
    place: Place
    name: str
    before: float
    after: float
    difference: Interval
    relative: float | None
    lower: int
    higher: int
    p_value: float
    higher_is_better: bool | None


class Churn(Part):
    """Answers that the two models give differently to the same picture, as shares.

    ``negative``: right before, wrong now; ``positive``: wrong before, right now; None where no
    picture has a label. Yan et al. 2021, Positive-Congruent Training.
    """

    place: Place
    name: str
    churn: Interval
    negative_flips: Interval | None
    positive_flips: Interval | None


class Point(Part):
    """One rung: both means over pictures, and the paired difference."""

    before: Interval
    after: Interval
    difference: Interval


class Ladder(Part):
    """Both models along one probe's ladder, one entry a rung."""

    probe: str
    family: str
    strengths: list[float]
    shift: list[Point]
    flip_rate: list[Point] | None


class Comparison(Part):
    """Two audits of the same pictures, probes and seed, compared picture by picture.

    ``identical`` says that every number that is compared is the same, to the last bit.
    """

    comparison_version: Literal[1] = COMPARISON_VERSION
    before: Side
    after: Side
    pictures: int
    labelled: bool
    activation: Activation
    seed: int
    fingerprint: str
    identical: bool
    seen: list[str]
    warnings: list[str]
    notes: list[str]
    changes: list[Change]
    churn: list[Churn]
    ladders: list[Ladder]

    @property
    def families(self) -> list[str]:
        """The families of the battery, in its order."""
        return list(dict.fromkeys(ladder.family for ladder in self.ladders))

    def change(self, metric: str, place: Place = "all", name: str | None = None) -> Change | None:
        """Look one change up; ``name`` is the family's, and the place's where it is no family."""
        wanted = (metric, place, name or place)
        for each in self.changes:
            if (each.metric, each.place, each.name) == wanted:
                return each
        return None

    def answers(self, place: Place = "clean", name: str | None = None) -> Churn | None:
        """Look up how the answers changed somewhere."""
        for each in self.churn:
            if (each.place, each.name) == (place, name or place):
                return each
        return None
