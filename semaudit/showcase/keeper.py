"""Holds the pictures that shift most while the scan streams by: none has to be read again."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semaudit.layout import Layout


class Keeper:
    """Keeps the ``count`` pictures with the largest mean shift over the battery."""

    def __init__(self, count: int, layout: Layout) -> None:
        self.count = count if layout.families else 0
        self._weights = layout.cell_weights(layout.matching(None))
        self._held: list[tuple[float, int, str, Tensor]] = []
        self._seen = 0

    def see(self, images: Tensor, ids: Sequence[str], shifts: NDArray[np.float64]) -> None:
        """Look at images (n, c, h, w), as they were read, and their shifts (n, C)."""
        if not self.count:
            return
        for row, mean in enumerate((shifts @ self._weights).tolist()):
            self._seen += 1
            # The first of equals stays, as in the report.
            entry = (mean, -self._seen, ids[row])
            if len(self._held) < self.count:
                heapq.heappush(self._held, (*entry, images[row].clone()))
            elif entry > self._held[0][:3]:
                heapq.heapreplace(self._held, (*entry, images[row].clone()))

    @property
    def held(self) -> dict[str, Tensor]:
        """The pictures (c, h, w), by id."""
        return {image_id: image for _, _, image_id, image in self._held}
