"""The Fourier heat map: which frequencies a classifier's answers hang on.

Each picture is shown with one wave added, and it is counted how often the answer changes and how
far the output moves. The waves' frequencies are a grid about zero (Yin, Gontijo Lopes, Shlens,
Cubuk, Gilmer, "A Fourier Perspective on Model Robustness in Computer Vision", 2019).
"""

from __future__ import annotations

from typing import Any

from semaudit.fourier.grid import Waves
from semaudit.fourier.heatmap import HeatMap, run
from semaudit.opening import Data, Model
from semaudit.settings import explicit
from semaudit.stream import Watch


def heat_map(
    model: Model,
    data: Data,
    *,
    grid: int = 15,
    spacing: int | None = None,
    norm: float | None = None,
    watch: Watch = lambda _: None,
    **settings: Any,
) -> HeatMap:
    """Measure a model's answers under every wave of a grid of frequencies.

    Args:
        model: as for `semaudit.scan`.
        data: as for `semaudit.scan`.
        grid: frequencies a side, an odd number.
        spacing: cycles per picture between neighbours on the grid; None: as many as bring the
            highest frequency to half a cycle a pixel, rounded to whole cycles.
        norm: L2 norm of the wave in each channel; None: 7 % of full scale, root mean square.
        watch: told how far it is.
        settings: any field of `semaudit.settings.Settings` that speaks of the model, the pictures
            or how it runs; one that speaks of a scan's battery or verdict is refused.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    waves = Waves(grid, 1 if spacing is None else spacing, norm)
    return run(model, data, explicit(settings), waves, watch, spanning=spacing is None)


__all__ = ["HeatMap", "Waves", "heat_map", "run"]
