"""The heat map as a picture, with matplotlib, which only this needs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from semaudit.fourier.heatmap import Array, HeatMap
from semaudit.report.text import printable

_LONGEST = 60  # characters of a model's name


def draw(found: HeatMap, path: Path, form: str) -> None:
    """Draw the flip rate and the shift, zero frequency in the centre; ``form`` as ``png``."""
    # Not pyplot, which would choose a window system and keep every figure.
    from matplotlib.figure import Figure

    panels = _panels(found)
    figure = Figure(figsize=(5.4 * len(panels), 5.2), dpi=150, layout="constrained")
    for axes, (title, unit, values) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
    ):
        _draw_panel(axes, found, title, unit, values)
    figure.suptitle(_title(found), parse_math=False, fontsize=10)
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(path, format=form)


def _panels(found: HeatMap) -> list[tuple[str, str, Array]]:
    activation = found.record["model"]["activation"]
    shift_unit = "(1 - cosine) / 2" if activation == "none" else "mean, bits"
    shift = ("Semantic shift", shift_unit, found.shift)
    if found.flip_rate is None:
        return [shift]
    answer = "set of labels" if activation == "sigmoid" else "class"
    return [("Flip rate", f"pictures whose {answer} changes, %", 100 * found.flip_rate), shift]


def _draw_panel(axes: Any, found: HeatMap, title: str, unit: str, values: Array) -> None:
    spacing, reach = float(found.waves.spacing), found.waves.axis[-1]
    edge = reach + spacing / 2
    top = float(values.max())
    image = axes.imshow(
        values,
        cmap="magma",
        extent=(-edge, edge, edge, -edge),  # down rises downward, as rows of pixels do
        vmin=0,
        vmax=top if top > 0 else 1,
        interpolation="nearest",
    )
    ticks = _ticks(found)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlabel("cycles per picture, across")
    axes.set_ylabel("cycles per picture, down")
    axes.set_title(title, fontsize=11)
    axes.figure.colorbar(image, ax=axes, label=unit, shrink=0.82)


def _ticks(found: HeatMap) -> list[int]:
    """At most nine of the frequencies, zero in the middle."""
    axis, reach = found.waves.axis, found.waves.side // 2
    every = max(1, -(-reach // 4))
    return [axis[reach + step] for step in range(-(reach // every) * every, reach + 1, every)]


def _title(found: HeatMap) -> str:
    name = printable(str(found.record["model"]["name"]))
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
    count, reach = found.pictures, found.waves.axis[-1]
    return (
        f"{shown} on {count:,} picture{'s' * (count != 1)}, each with one wave added\n"
        f"waves of RMS {found.rms:.3g} of full scale, up to {reach} cycles per picture"
    )
