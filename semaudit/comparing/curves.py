"""Shift against strength, before and after, a panel a probe, with matplotlib."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

from semaudit.comparing.document import Comparison, Ladder, Point
from semaudit.layout import ADVERSARIAL_FAMILY, ASIDE, NOISE_FLOOR_FAMILY
from semaudit.report.document import Interval
from semaudit.report.text import printable

COLOURS = ("#0072B2", "#D55E00")
"""Before and after; told apart by the colour-blind too (Okabe and Ito 2008)."""

LINES = ("o--", "s-")
"""And told apart without any colour."""

_INK, _FAINT = "#222222", "#777777"
_MOST_COLUMNS = 5
_LONGEST = 44  # characters of a name
_ROOM = 1.4  # times the largest mean, where the axis ends


def draw(found: Comparison, path: Path, form: str) -> None:
    """Draw the curves of every probe but the noise floor; ``form`` as ``png``."""
    # Not pyplot, which would choose a window system and keep every figure.
    from matplotlib.figure import Figure

    shown = _shown(found)
    columns = max(1, min(_MOST_COLUMNS, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    figure: Any = Figure(
        figsize=(max(2.5 * columns, 6.5), 2.0 * rows + 0.9), dpi=110, layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, ladder in zip(panels, shown, strict=False):
        _panel(axes, ladder, found)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    _around(figure, panels[0], found)
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(path, format=form)


def _shown(found: Comparison) -> list[Ladder]:
    """Family by family, in the battery's order; the worst case last."""
    families = [name for name in found.families if name not in ASIDE]
    order = [*families, ADVERSARIAL_FAMILY]
    shown = [each for each in found.ladders if each.family != NOISE_FLOOR_FAMILY]
    return sorted(shown, key=lambda each: order.index(each.family))


def _panel(axes: Any, ladder: Ladder, found: Comparison) -> None:
    # From the clean picture, where nothing has moved yet.
    strengths = [0.0, *ladder.strengths]
    top = max((max(p.before.value, p.after.value) for p in ladder.shift), default=0.0)
    banded = _fits(ladder.shift[-1], top)
    for side, colour, line in zip(("before", "after"), COLOURS, LINES, strict=True):
        points = [_side(point, side) for point in ladder.shift]
        if banded:
            low = [0.0, *(each.low or 0.0 for each in points)]
            high = [0.0, *(each.high or 0.0 for each in points)]
            axes.fill_between(strengths, low, high, color=colour, alpha=0.15, linewidth=0)
        values = [0.0, *(each.value for each in points)]
        axes.plot(
            strengths, values, line,
            color=colour, markersize=3.2, linewidth=1.6, label=side, clip_on=False, zorder=3,
        )  # fmt: skip
    axes.set_ylim(0, _ROOM * top if top > 0 else 1)
    axes.set_xlim(0, ladder.strengths[-1])
    axes.set_xticks([0, ladder.strengths[-1]], ["0", f"{ladder.strengths[-1]:.3g}"])
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.tick_params(labelsize=7, colors=_INK)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    mark = ", seen" if ladder.family in found.seen else ""
    axes.set_title(
        f"{printable(_short(ladder.probe))}\n{printable(_short(ladder.family))}{mark}",
        fontsize=8, color=_INK, parse_math=False, loc="left",
    )  # fmt: skip


def _fits(end: Point, top: float) -> bool:
    """Whether bands leave anything to be seen: few pictures have such as fill the panel."""
    return all(
        each.high is not None and each.high <= _ROOM * top for each in (end.before, end.after)
    )


def _side(point: Point, side: str) -> Interval:
    return point.before if side == "before" else point.after


def _around(figure: Any, first: Any, found: Comparison) -> None:
    handles, _ = first.get_legend_handles_labels()
    names = [f"before: {_short(found.before.model)}", f"after: {_short(found.after.model)}"]
    if handles:
        legend = figure.legend(
            handles, [printable(name) for name in names],
            loc="outside upper right", ncols=2, frameon=False, fontsize=9,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
    count = found.pictures
    figure.supxlabel(
        f"strength; means over the same {count:,} picture{'s' * (count != 1)}; every panel has its "
        "own scale; 95 % bands, each curve by itself, where they fit",
        fontsize=8.5, color=_FAINT,
    )  # fmt: skip
    unit = "(1 - cosine) / 2" if found.activation == "none" else "bits"
    figure.supylabel(f"mean shift, {unit}", fontsize=9, color=_INK)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
