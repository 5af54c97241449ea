"""Rungs whose answers prove little: too faint for 8 bits, or the same picture as the rung before.

Told from what was measured, so that it holds for any perturbation, size and set of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from semaudit.store import Samples

LEVEL = 1 / 255

_DISTANCES = ("input_rms", "input_linf", "ssim")
"""Of a rung's picture from the clean one: alike to the last bit only for the same picture."""


def faint_rungs(samples: Samples) -> tuple[str, ...]:
    """Return a note on rungs that change no value of any picture by a level of 255, or none."""
    layout = samples.layout
    moved = samples.rung("input_linf")
    if not len(moved):
        return ()
    faint: dict[str, int] = {}
    for (track, _), largest in zip(layout.cells, np.fmax.reduce(moved, axis=0), strict=True):
        probe = layout.tracks[track]
        if largest < LEVEL and probe.counts:
            faint[probe.name] = faint.get(probe.name, 0) + 1
    if not faint:
        return ()
    named = ", ".join(f"{name} ({count})" for name, count in faint.items())
    return (
        "rungs too weak for pictures of this size, which change no value by as much as one level "
        f"of 255, so that no flip there says little: {named}",
    )


def equal_rungs(samples: Samples) -> tuple[str, ...]:
    """Return a note on neighbouring rungs that show the same picture, for every picture, or none.

    What changes by whole pixels, or by a whole quality, rounds several strengths to the same.
    """
    layout, moved = samples.layout, samples.rung("input_linf")
    if not len(moved):
        return ()
    # What moves nothing by a level is named as faint.
    same = np.fmax.reduce(moved, axis=0)[1:] >= LEVEL
    for distance in _DISTANCES:
        values = samples.rung(distance)
        same &= (values[:, 1:] == values[:, :-1]).all(axis=0)
    named = [
        f"{track.name} ({'; '.join(groups)})"
        for track, span in zip(layout.tracks, layout.spans, strict=True)
        if track.counts and (groups := _equal(track.ladder, same[span.start : span.stop - 1]))
    ]
    if not named:
        return ()
    return (
        "rungs that fall together for pictures of this size, which show the very same picture at "
        f"several strengths, so that it counts as often: {', '.join(named)}",
    )


def _equal(ladder: Sequence[float], same: NDArray[np.bool_]) -> list[str]:
    """The strengths of each run of equal rungs, in words; (K - 1,) whether a rung and its next."""
    groups = np.concatenate([[0], np.cumsum(~same)])
    runs = [[k for k, _ in run] for _, run in groupby(enumerate(groups), lambda each: each[1])]
    return [" = ".join(f"{ladder[k]:g}" for k in run) for run in runs if len(run) > 1]
