"""The onset on a picture's way, as a scan's tables have it, and what they do not tell of the way.

A scan looks at the rungs alone: its onset is where the answer flips between the first rung that
flips and the rung before it. Between rungs the answer may flip and flip back unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semaudit.crossing import Seen, crossing
from semaudit.inspecting.case import Array, Course
from semaudit.inspecting.way import Way
from semaudit.metrics import View

CLOSE = 1e-3
"""The break is known when its bracket is at most this share of its strength."""

MOST_HALVINGS = 60
"""Where an answer flips at any strength above 0 there is no end to halving."""

See = Callable[[list[float]], View]
"""What the model makes of the picture at some strengths."""


class Break(NamedTuple):
    """A flip: the last strength before it, the first past it, and what lies around it."""

    low: float
    high: float
    course: Course


def find_break(
    see: See, clean: View, way: Way, strengths: Array, flipped: NDArray[np.bool_]
) -> Break | None:
    """Find the flip on a way that a scan's tables tell of, to a relative thousandth.

    Args:
        see: looks at strengths.
        clean: the view of the picture.
        way: from the clean picture on.
        strengths: (K,) rising, all rungs of the way among them, that were looked at.
        flipped: (K,) whether the answer is another there.

    Returns:
        None where nothing flips. Where no rung does, the first flip that was seen between rungs.
    """
    if not flipped.any():
        return None
    bracket = way.bracket(flipped[np.searchsorted(strengths, way.ladder)].tolist())
    onset = None
    if bracket is None:
        first = int(flipped.argmax())
        low, high = strengths[[max(first - 1, 0), first]].tolist()
    else:
        low, high = _as_a_scan(see, clean, *bracket)
        onset = high
    low, high = _apart(see, clean, *_closer(see, clean, low, high), way.top)
    # A flip in the very bracket that was narrowed down belongs to it.
    early = flipped & (strengths < low)
    back = ~flipped & (strengths > high)
    return Break(low, high, Course(onset, _first(strengths, early), _first(strengths, back)))


def _first(strengths: Array, where: NDArray[np.bool_]) -> float | None:
    return float(strengths[where][0]) if where.any() else None


def _as_a_scan(see: See, clean: View, low: float, high: float) -> tuple[float, float]:
    """Both sides of the crossing that `semaudit.onset` comes to on the same bracket."""
    unflipped = [low]

    def look(_: Tensor, shares: Tensor) -> Seen:
        place = low + float(shares[0]) * (high - low)
        seen = see([place])
        changed = clean.flipped(seen.decision) > 0
        if not bool(changed[0]):
            unflipped.append(place)
        return changed, clean.lead_in(seen)

    share = crossing(clean.lead_in(see([low])), clean.lead_in(see([high])), look)
    return unflipped[-1], low + float(share[0]) * (high - low)


def _closer(see: See, clean: View, low: float, high: float) -> tuple[float, float]:
    """Halve the bracket of a flip until it is close."""
    for _ in range(MOST_HALVINGS):
        if high - low <= CLOSE * high:
            break
        middle = (low + high) / 2
        flipped = clean.flipped(see([middle]).decision)
        low, high = (low, middle) if bool((flipped > 0).all()) else (middle, high)
    return low, high


def _apart(see: See, clean: View, low: float, high: float, top: float) -> tuple[float, float]:
    """Sides as far apart as they may be: closer ones are told apart by rounding alone."""
    spare = (CLOSE * high - (high - low)) * 0.45
    if spare <= 0:
        return low, high
    wider = (max(low - spare, 0.0), min(high + spare, top))
    before, after = (clean.flipped(see(list(wider)).decision) > 0).tolist()
    return wider if after and not before else (low, high)
