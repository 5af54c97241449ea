"""The frontier as a picture: what is kept against the shift, a dot for each weight in between."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semaudit.finetuning.interpolation import Point
from semaudit.report.text import printable

_ROOM = 40, 24
"""Pixels that the name of a dot takes."""


def draw_frontier(
    points: Sequence[Point], chosen: Point | None, what: str, title: str, path: Path
) -> None:
    """Draw the points as PNG.

    Args:
        points: the first is the original.
        chosen: what is shipped, if anything.
        what: the name of what is kept.
        title: of the picture.
        path: where to.
    """
    # Not pyplot, which would choose a window system and keep every figure.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
    axes = figure.subplots()
    shown = [point for point in points if math.isfinite(point.shift)]
    axes.plot([p.shift for p in shown], [100 * p.kept for p in shown], "o-", color="#4477aa")
    _name(axes, shown, chosen)
    if chosen is not None:
        (ring,) = axes.plot([chosen.shift], [100 * chosen.kept], "o", label="shipped")
        ring.set(markersize=13, fillstyle="none", color="#cc3311")
        axes.legend()
    axes.set_xlabel("mean shift on validation, bits (left is more continuous)")
    axes.set_ylabel(f"{what}, %")
    axes.grid(alpha=0.3)
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.simplefilter("ignore", UserWarning)
        axes.set_title(printable(title), parse_math=False, fontsize=10)
        figure.savefig(path, format="png")


def _name(axes: Any, points: Sequence[Point], chosen: Point | None) -> None:
    """Name the dots by their shares: both ends and the choice, then all that hide no other name."""
    first = [*points[:1], *([] if chosen is None else [chosen]), *points[-1:]]
    taken: list[tuple[float, float]] = []
    axes.autoscale_view()  # matplotlib puts the limits off, on which places in pixels depend
    for point in (*first, *points):
        place = point.shift, 100 * point.kept
        x, y = axes.transData.transform(place)
        if any(abs(x - left) < _ROOM[0] and abs(y - low) < _ROOM[1] for left, low in taken):
            continue
        taken.append((x, y))
        axes.annotate(f"{point.share:g}", place, xytext=(4, 4), textcoords="offset points")
