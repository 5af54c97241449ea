"""The frontier as a picture: what is kept, and flips, against the shift; a dot a share."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semaudit.finetuning.interpolation import Point
from semaudit.report.text import printable

_ROOM = 40, 24
"""Pixels that the name of a dot takes."""

_LEAST = 0.01
"""Of a value: the least range that is shown of it, so that no rounding looks like a change."""


def draw_frontier(
    points: Sequence[Point], chosen: Point | None, what: str, title: str, path: Path
) -> None:
    """Draw the points as PNG.

    Args:
        points: the first is the original.
        chosen: what is shipped; None: the original is kept.
        what: the name of what is kept.
        title: of the picture.
        path: where to.
    """
    # Not pyplot, which would choose a window system and keep every figure.
    from matplotlib.figure import Figure

    shown = [point for point in points if math.isfinite(point.shift)]
    marked, said = (0.0, "the original is kept") if chosen is None else (chosen.share, "shipped")
    panels = [(f"{what}, %", [100 * point.kept for point in shown])]
    if not any(math.isnan(point.flips) for point in shown):  # as of embeddings
        panels.append(("flips, %", [100 * point.flips for point in shown]))
    figure = Figure(figsize=(6.4, 2 + 2.6 * len(panels)), dpi=150, layout="constrained")
    every = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    shifts = [point.shift for point in shown]
    for axes, (label, heights) in zip(every, panels, strict=True):
        axes.plot(shifts, heights, "o-", color="#4477aa")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.ticklabel_format(useOffset=False, style="plain")
        _widen(axes, shifts, heights)
        places = {
            point.share: (point.shift, height) for point, height in zip(shown, heights, strict=True)
        }
        (ring,) = axes.plot(*([each] for each in places[marked]), "o", label=said)
        ring.set(markersize=13, fillstyle="none", color="#cc3311")
        _name(axes, places, marked)
    every[0].legend()
    every[-1].set_xlabel("mean shift on validation, bits (left is more continuous)")
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.simplefilter("ignore", UserWarning)
        every[0].set_title(printable(title), parse_math=False, fontsize=10)
        figure.savefig(path, format="png")


def _widen(axes: Any, shifts: Sequence[float], heights: Sequence[float]) -> None:
    """Leave room about the dots, and for more than their last digits."""
    for values, limit in ((shifts, axes.set_xlim), (heights, axes.set_ylim)):
        if values:
            low, high = min(values), max(values)
            room = max(0.08 * (high - low), _LEAST * max(abs(high), _LEAST))
            limit(low - room, high + room)


def _name(axes: Any, places: Mapping[float, tuple[float, float]], marked: float) -> None:
    """Name the dots by their shares: both ends and the choice, then all that hide no other name."""
    taken: list[tuple[float, float]] = []
    for share in (min(places), marked, max(places), *places):
        x, y = axes.transData.transform(places[share])
        if any(abs(x - left) < _ROOM[0] and abs(y - low) < _ROOM[1] for left, low in taken):
            continue
        taken.append((x, y))
        axes.annotate(f"{share:g}", places[share], xytext=(4, 4), textcoords="offset points")
