"""Rungs that change less than a picture of 8 bits can hold: an answer that stands proves little."""

from __future__ import annotations

import numpy as np

from semaudit.store import Samples

LEVEL = 1 / 255


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
