"""One case: a picture, a probe, and the strength at which the answer breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semaudit.metric import Activation
from semaudit.probes import Probe

Array = NDArray[np.float64]

SHOWN = 4
"""Classes that a case is told by, at most."""


@dataclass(frozen=True)
class Side:
    """What the model answers at one strength.

    Attributes:
        strength: in the probe's unit; 0 is the clean picture.
        probabilities: (classes,), or of each label; empty for embeddings.
        decided: the top class, or the labels that hold; empty for embeddings.
    """

    strength: float
    probabilities: Array
    decided: tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """What the model answers along the way, the clean picture first.

    Attributes:
        strengths: (K,) rising.
        probabilities: (K, classes); (K, 0) for embeddings.
        shift: (K,) against the clean picture.
        step: (K - 1,) sqrt of the shift between neighbours, a metric.
        even: the indices of the points that lie evenly.
    """

    strengths: Array
    probabilities: Array
    shift: Array
    step: Array
    even: NDArray[np.int64]


@dataclass(frozen=True)
class Moved:
    """How far the picture had moved just past the break."""

    rms: float
    linf: float
    ssim: float


@dataclass(frozen=True)
class Course:
    """How a flip stands to the scan's tables, and what the way does besides.

    Attributes:
        onset: as the tables of the audit have it, or would; to a thousandth of the way from rung
            to rung. None: no rung flips, so that they have none, and this flip lies between rungs.
        early: the first strength looked at, well before the flip, where the answer is another
            already, only to be the clean one again; None: none.
        back: the first strength looked at past the flip where the clean answer is back; None: it
            stays away.
    """

    onset: float | None = None
    early: float | None = None
    back: float | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """How one picture's answer breaks under one probe.

    Attributes:
        image_id: of the picture.
        label: its class; None where it has none.
        names: of the classes.
        activation: what the outputs mean.
        probe: what was done to the picture.
        searched: whether the change was looked for, so that the way leads straight to it.
        flips: whether the answer flips on the way; else the sides are those of the steepest step.
        clean: the answer for the clean picture.
        before: just before the break.
        after: just past it; of a flip, (after - before) <= 1e-3 after.
        sweep: what happens along the whole way.
        rung_shifts: (K,) shift at each rung of the probe's ladder, as a scan measures it.
        shift: from the clean picture to just past the break.
        leap: sqrt of the shift across the break.
        share: the leap over all that the output moves along the way, in that metric; NaN: not.
        moved: how far the picture moved up to just past the break.
        gradient_turn: 1 - cos of the input gradients of the clean class's logit, just before and
            just past the break; None where there are none.
        pictures: clean, just before and just past the break, (3, c, h, w) in [0, 1].
        saliency: of the clean class's logit at the same three, (3, h, w); None where none is had.
        course: how the flip stands to the scan's onset, and whether it flips back.
        notes: what was left out, and why.
        random: whether the same picture gets another answer in a second run; then no flip is
            claimed, for chance makes flips, too.
    """

    image_id: str
    label: int | None
    names: tuple[str, ...]
    activation: Activation
    probe: Probe
    searched: bool
    flips: bool
    clean: Side
    before: Side
    after: Side
    sweep: Sweep
    rung_shifts: Array
    shift: float
    leap: float
    share: float
    moved: Moved
    gradient_turn: float | None
    pictures: Tensor
    saliency: Tensor | None
    course: Course = Course()
    notes: tuple[str, ...] = ()
    random: bool = False

    @property
    def onset(self) -> float:
        """Where it flips: as the scan's tables have it, unless the sides know it more closely."""
        told = self.course.onset
        within = told is not None and self.before.strength <= told <= self.after.strength
        return told if told is not None and within else self.after.strength

    @property
    def shown(self) -> tuple[int, ...]:
        """The classes that tell it: those decided for on both sides, then the strongest others.

        Of labels, first those that change. At most `SHOWN`; none for embeddings.
        """
        if self.activation == "none":
            return ()
        first: tuple[int, ...]
        if self.activation == "sigmoid":
            first = tuple(sorted({*self.before.decided} ^ {*self.after.decided}))
        else:
            first = (*self.clean.decided, *self.after.decided)
        strongest = np.argsort(-np.maximum(self.before.probabilities, self.after.probabilities))
        ordered = dict.fromkeys((*first, *(int(k) for k in strongest[:SHOWN])))
        return tuple(ordered)[:SHOWN]

    def decided(self, side: Side) -> str:
        """The answer in words."""
        if self.activation == "none":
            return "an embedding"
        said = ", ".join(self.names[k] for k in side.decided[:SHOWN])
        more = len(side.decided) - SHOWN
        return (said or "no label") + (f" and {more} more" if more > 0 else "")
