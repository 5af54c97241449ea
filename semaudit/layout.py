"""How cells (a probe at a rung) add up to probes, families and the whole: the one rule.

A probe's value is the mean of its rungs, a family's the mean of its probes, the whole the mean of
its families. So no family counts more for having more probes. The noise floor and the worst case
never count: they stand beside the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOISE_FLOOR_FAMILY = "identity"
"""The family of the probe that changes nothing: every battery starts with it."""

ADVERSARIAL_FAMILY = "adversarial"
"""The family of the probes whose worst change is searched for."""

ASIDE = (NOISE_FLOOR_FAMILY, ADVERSARIAL_FAMILY)
"""Families that stand beside the whole: the mean over drawn changes holds no worst case."""

ALONG = (NOISE_FLOOR_FAMILY, "noise", "blur", "photometric", "subpixel_shift")
"""The families, and the probe, along which gradients are taken: what leaves points where they were,
or nearly so, for a gradient that moves with the picture has turned without a fault of the model."""


@dataclass(frozen=True)
class Track:
    """One probe as it was walked."""

    name: str
    family: str
    ladder: tuple[float, ...]

    @property
    def counts(self) -> bool:
        """Whether it is a part of the whole."""
        return self.family not in ASIDE


@dataclass(frozen=True)
class Layout:
    """The columns of an audit: P paths, or C cells, probe by probe and rung by rung."""

    tracks: tuple[Track, ...]

    @property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """The track and the rung, both from 0, of every cell."""
        return tuple(
            (t, k) for t, track in enumerate(self.tracks) for k in range(len(track.ladder))
        )

    @property
    def families(self) -> tuple[str, ...]:
        """The families that count, in the battery's order."""
        return tuple(dict.fromkeys(track.family for track in self.tracks if track.counts))

    @property
    def all_families(self) -> tuple[str, ...]:
        """The families, with those that stand beside the whole, but for the noise floor."""
        names = dict.fromkeys(track.family for track in self.tracks)
        return tuple(name for name in names if name != NOISE_FLOOR_FAMILY)

    @property
    def spans(self) -> tuple[slice, ...]:
        """The cells of every track."""
        ends = [0, *accumulate(len(track.ladder) for track in self.tracks)]
        return tuple(slice(start, end) for start, end in pairwise(ends))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(C,) which cells are a part of the whole."""
        return np.array([self.tracks[t].counts for t, _ in self.cells])

    def matching(self, pattern: str | None) -> tuple[int, ...]:
        """The tracks of a probe's name, a family's name or a glob; None: all that count.

        The noise floor and the worst case answer to their own names only: under ``*`` the one
        would dilute the rest, and the other outweigh it.
        """
        wanted = "*" if pattern is None else pattern
        return tuple(
            t
            for t, track in enumerate(self.tracks)
            if wanted in (track.name, track.family)
            or (
                track.counts
                and (fnmatchcase(track.name, wanted) or fnmatchcase(track.family, wanted))
            )
        )

    def rung_index(self, track: int, rung: float) -> int | None:
        """Which rung of a track: an int counts from 1, a float is a strength; None if not there."""
        ladder = self.tracks[track].ladder
        if isinstance(rung, int):
            return rung - 1 if 1 <= rung <= len(ladder) else None
        close = [k for k, strength in enumerate(ladder) if np.isclose(strength, rung, rtol=1e-6)]
        return close[0] if close else None

    def path_weights(self, tracks: Sequence[int]) -> Array:
        """Weights (P,), summing to 1, of the mean over tracks and then over families."""
        weights = np.zeros(len(self.tracks))
        families = [self.tracks[t].family for t in tracks]
        for track, family in zip(tracks, families, strict=True):
            weights[track] = 1 / (families.count(family) * len(set(families)))
        return weights

    def cell_weights(self, tracks: Sequence[int], rung: float | int | None = None) -> Array:
        """Weights (C,), summing to 1; with a rung, of the tracks that have it (0 if none has)."""
        if rung is not None:
            tracks = [t for t in tracks if self.rung_index(t, rung) is not None]
        paths = self.path_weights(tracks)
        weights = [
            paths[t] * (k == self.rung_index(t, rung) if rung is not None else 1 / self._rungs(t))
            for t, k in self.cells
        ]
        return np.array(weights)

    def _rungs(self, track: int) -> int:
        return len(self.tracks[track].ladder)


def reduce(values: NDArray[np.floating], weights: Array) -> Array:
    """Weigh columns (N, C) by (C, G) to (N, G); a NaN gives its weight to the row's others.

    NaN comes out where nothing weighs anything.
    """
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0) @ weights
    if finite.all() and weights.any(axis=0).all():
        return np.asarray(total, dtype=np.float64)
    share = finite.astype(np.float64) @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(share > 0, total / share, np.nan), dtype=np.float64)
