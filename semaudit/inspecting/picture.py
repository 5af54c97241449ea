"""A case as a picture, with matplotlib: the curves, and what the model was shown."""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from semaudit.inspecting import words
from semaudit.inspecting.case import Array, Case
from semaudit.inspecting.pixels import amplified, brightest, pixels
from semaudit.report.text import printable, similarity, strength

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Told apart by the colour-blind too (Okabe and Ito 2008)."""

LINES = ("-", "-", "--", "-.")

_INK, _FAINT = "#222222", "#777777"
_NAME, _TITLE, _WIDE = 26, 60, 125  # characters
_LOW = 0.6  # probability: curves that stay below are not drawn on the whole range
_CLOSEST = 0.05  # of the axis, between labels


def draw(case: Case, path: Path) -> None:
    """Draw one case into a PNG."""
    # Not pyplot, which would choose a window system and keep every figure.
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(13, 7.6), dpi=130, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.06)
    _title(figure, case)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.12, 1))
    _claim(upper, case)
    _curves(upper.subplots(1, 1), case)
    panels = _panels(case)
    for axes, (title, under, image, colours, top) in zip(
        np.atleast_1d(lower.subplots(1, len(panels))), panels, strict=True
    ):
        axes.imshow(image, cmap=colours, vmin=0, vmax=top, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(title, fontsize=10, color=_INK, parse_math=False)
        axes.set_xlabel(printable(under), fontsize=8.5, color=_FAINT, parse_math=False)
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(path, format="png")


def _title(figure: Any, case: Case) -> None:
    what = words.turned(case)
    title = _short(case.image_id, _TITLE) + (f": {what}" if what else "")
    figure.suptitle(
        printable(_short(title, 2 * _TITLE - 10)),
        fontsize=13, weight="bold", color=_INK, parse_math=False, x=0.008, ha="left",
    )  # fmt: skip


def _claim(figure: Any, case: Case) -> None:
    claim = f"{case.probe.name} ({case.probe.family}): {case.probe.claim}"
    lines = textwrap.wrap(printable(_short(claim, 2 * _WIDE)), _WIDE)
    figure.suptitle(
        "\n".join(lines), fontsize=10.5, color=_FAINT, parse_math=False, x=0.008, ha="left"
    )


def _curves(axes: Any, case: Case) -> None:
    sweep, top = case.sweep, float(case.sweep.strengths[-1])
    at = case.after.strength if case.flips else (case.before.strength + case.after.strength) / 2
    for x in _rungs(case):
        axes.axvline(x, color="#d8d8d8", linewidth=0.8, zorder=0)
    if not case.flips and case.leap:
        axes.axvspan(case.before.strength, case.after.strength, color="#f0e442", alpha=0.45, lw=0)
    if case.flips:
        axes.axvline(at, color=_INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    for (name, strengths, values, sides), colour, line in zip(
        _lines(case), COLOURS, LINES, strict=False
    ):
        axes.plot(strengths, values, line, color=colour, linewidth=2, label=name, zorder=2)
        if case.flips:
            ends = (case.before.strength, case.after.strength)
            axes.plot(ends, sides, "o", color=colour, markersize=4.5, zorder=3)
    if case.flips or case.leap:
        share = at / top
        side = "left" if share < 0.2 else "right" if share > 0.8 else "center"
        back = "" if case.course.back is None else "; it flips back"
        said = words.where(case).removeprefix("nowhere; ") + back
        axes.annotate(
            f"flips {said}" if case.flips else said, (at, 1.0), xytext=(0, 4),
            xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=side, va="bottom", fontsize=10, color=_INK, weight="bold",
        )  # fmt: skip
    axes.set_xlim(0, top)
    if not case.searched:
        _rung_labels(axes, case, top)
    axes.set_xlabel(f"strength{_unit(case)}", fontsize=9.5, color=_INK, parse_math=False)
    if case.activation == "none":
        axes.set_ylabel("shift, (1 - cosine) / 2", fontsize=9.5, color=_INK)
        axes.set_ylim(0, 1.1 * (float(sweep.shift.max()) or 1.0))
    else:
        axes.set_ylabel("probability", fontsize=9.5, color=_INK)
        peak = max(float(values.max()) for _, _, values, _ in _lines(case))
        axes.set_ylim(-0.02, 1.02) if peak > _LOW else axes.set_ylim(0, 1.25 * max(peak, 0.01))
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=_INK)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=10)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _lines(case: Case) -> list[tuple[str, Array, Array, list[float]]]:
    """Name, strengths, values along the way through both sides of the break, and those at both."""
    sweep = case.sweep
    if case.activation == "none":
        return [("shift", sweep.strengths, sweep.shift, [])]
    both = (case.before, case.after)
    strengths = np.concatenate([sweep.strengths, [side.strength for side in both]])
    order = np.argsort(strengths, kind="stable")
    lines = []
    for k in case.shown:
        sides = [float(side.probabilities[k]) for side in both]
        values = np.concatenate([sweep.probabilities[:, k], sides])
        name = printable(_short(case.names[k], _NAME))
        lines.append((name, strengths[order], values[order], sides))
    return lines


def _rungs(case: Case) -> tuple[float, ...]:
    """The rungs that lie on the way; none of a search, whose radii have ways of their own."""
    return () if case.searched else case.probe.ladder


def _rung_labels(axes: Any, case: Case, top: float) -> None:
    """Tick every rung; label those that have room, from the last one down."""
    rungs = [0.0, *_rungs(case)]
    labelled = [rungs[-1]]
    for x in reversed(rungs[:-1]):
        if labelled[-1] - x >= _CLOSEST * top:
            labelled.append(x)
    axes.set_xticks(rungs, [f"{x:.3g}" if x in labelled else "" for x in rungs])


def _unit(case: Case) -> str:
    unit = case.probe.unit
    ladder = "ticks: the ladder's rungs"
    if case.searched:
        end = strength(float(case.sweep.strengths[-1]))
        ladder = f"along the straight way to the change found at {end}"
    return f" ({_short(unit, 80)}; {ladder})" if unit else f" ({ladder})"


def _panels(case: Case) -> list[tuple[str, str, Array, str | None, float]]:
    """Title, what stands under it, pixels, colour map, and the value of its end."""
    clean, changed = case.pictures[0], case.pictures[2]
    difference, factor = amplified(clean, changed)
    grey = "gray"
    moved = case.moved
    past = "just past the break" if case.flips else "after the steepest step"
    at = strength(case.after.strength)
    panels: list[tuple[str, str, Array, str | None, float]] = [
        ("clean", _short(words.clean_answer(case), 34), pixels(clean), grey, 1.0),
        (past, f"strength {at}", pixels(changed), grey, 1.0),
        (
            f"difference × {factor}",
            f"RMS {moved.rms:.3g}, SSIM {similarity(moved.ssim)}",
            pixels(difference),
            grey,
            1.0,
        ),
    ]
    if case.saliency is not None:
        maps = case.saliency[[0, 2]].double().numpy()
        top = brightest(maps)
        named = _short(case.names[int(case.clean.probabilities.argmax())], 20)
        panels += [
            ("saliency, clean", f"of {named!r}", maps[0], "magma", top),
            (f"saliency, {past}", f"of {named!r}, same scale", maps[1], "magma", top),
        ]
    return panels


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
