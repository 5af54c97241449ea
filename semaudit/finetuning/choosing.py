"""Which weights between the original and the tuned ones are shipped, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from semaudit.finetuning.interpolation import Point

_ROUNDING = 1e-9

Reason = Literal["", "untrained", "infinite", "chance", "overshot", "flips", "loses"]
"""What keeps the original; empty where nothing does."""

_ADVICE: dict[Reason, str] = {
    "chance": "more updates, a larger --lr, --alpha auto or more pictures may show one",
    "overshot": "the tuned weights move more than the original: a smaller --lr may overshoot less",
    "flips": "a smaller --lr or --alpha may hold the answers",
    "loses": "a smaller --lr or --alpha may keep more",
}
_SEARCHED = "more updates, more pictures or a longer --auto-time may find a better pair"
_DIVERGED = "a smaller --lr, or --clip-grad, may keep training finite"


@dataclass(frozen=True)
class Choice:
    """What is shipped.

    Attributes:
        point: None: the original is kept.
        why: in words.
        reason: what keeps the original.
    """

    point: Point | None
    why: str
    reason: Reason = ""

    def stated(self) -> dict[str, Any]:
        """Fit for JSON."""
        share = None if self.point is None else self.point.share
        return {"improved": self.point is not None, "share": share, "why": self.why}


def choose(points: Sequence[Point], max_drop: float, what: str) -> Choice:
    """Take the most continuous point that keeps accuracy, if it is surely better than the original.

    Better is less shift, and no more flips, which do not fall where answers only fade.

    Args:
        points: the first is the original; no other where nothing was trained.
        max_drop: percentage points that may be lost.
        what: the name of what is kept, ``accuracy`` or ``agreement``.
    """
    original, *others = points
    if not others:
        return Choice(None, "no update was left of training", "untrained")
    finite = [point for point in others if math.isfinite(point.shift)]
    better = [point for point in finite if point.gain_low > 0]
    if not better:
        return _by_chance(original, finite, others[-1])
    # Answers that fade move less, and flip as before: a shift that falls alone proves nothing.
    steady = [point for point in better if flips_no_more(point, original)]
    if not steady:
        faded = min(better, key=lambda point: point.flips)
        return Choice(
            None,
            "all weights with less shift on validation flip more often: "
            f"{100 * original.flips:.2f} % -> {100 * faded.flips:.2f} % at the least, while the "
            f"mean entropy goes from {original.entropy:.3g} to {faded.entropy:.3g} bits"
            f"{': the answers fade rather than hold' * (faded.entropy > original.entropy)}",
            "flips",
        )
    keeping = [point for point in steady if keeps(point, max_drop)]
    if not keeping:
        least_drop = min(point.drop for point in steady)
        return Choice(
            None,
            f"all weights with less shift and no more flips on validation lose more {what} than "
            f"--max-accuracy-drop {max_drop:g} allows: {least_drop:.2f} points at the least",
            "loses",
        )
    best = min(keeping, key=lambda point: point.shift)
    return Choice(
        best,
        f"{named(best.share)}: validation shift {original.shift:.4g} -> {best.shift:.4g}, "
        f"{_flips(original, best)}{what} {100 * original.kept:.2f} % -> {100 * best.kept:.2f} %",
    )


def advice_on(choice: Choice, *, diverged: bool, searched: bool) -> str | None:
    """What may lead to another choice than the original, in words; None: nothing to be said.

    Args:
        choice: that was made.
        diverged: whether training ended in numbers that are not finite.
        searched: whether alpha and learning rate are what a search found best.
    """
    if choice.point is not None:
        return None
    if diverged or choice.reason == "infinite":
        return _DIVERGED
    return _SEARCHED if searched and choice.reason in _ADVICE else _ADVICE.get(choice.reason)


def flips_no_more(point: Point, original: Point) -> bool:
    """Whether answers change no more often; embeddings have none that could."""
    return not point.flips > original.flips + _ROUNDING


def keeps(point: Point, max_drop: float) -> bool:
    """Whether no more is lost than may be: a drop of 0.5 is not above 0.5 by its last bit."""
    return point.drop <= max_drop + _ROUNDING


def named(share: float) -> str:
    """A share of the tuned weights in words."""
    return "tuned weights" if share == 1 else f"weights {share:g} of the way to the tuned ones"


def _by_chance(original: Point, finite: Sequence[Point], tuned: Point) -> Choice:
    why = "no weights have surely less shift on validation"
    nearest = min(finite, key=lambda point: point.shift, default=None)
    if nearest is None:
        return Choice(None, f"{why}: but for the original's, answers are not finite", "infinite")
    return Choice(
        None,
        f"{why}: the lowest mean shift is {nearest.shift:.4g}, of the {named(nearest.share)}, and "
        f"the original's {original.shift:.4g}; of so many pictures that may be chance (the "
        f"one-sided 95 % bound of the gain is {nearest.gain_low:.2g})",
        "chance" if tuned.shift <= original.shift else "overshot",
    )


def _flips(original: Point, best: Point) -> str:
    if math.isnan(best.flips):  # of embeddings
        return ""
    return f"flips {100 * original.flips:.2f} % -> {100 * best.flips:.2f} %, "
