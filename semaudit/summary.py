"""From samples to estimates with intervals: the picture is the unit of every one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from semaudit import statistics
from semaudit.columns import Part, bounds, values
from semaudit.layout import NOISE_FLOOR_FAMILY, Array, Layout
from semaudit.metric import NOISE_FLOOR, SCORE, Bounds, Metric
from semaudit.report.document import Clean, Curve, Estimate, Interval, Scope, Statistic
from semaudit.statistics.evidence import check_matrix
from semaudit.store import Samples

QUANTILES: dict[Statistic, float] = {"median": 0.5, "p95": 0.95}

NOISY = 0.1
"""A noise floor above this share of the mean shift is worth a warning."""

NEGLIGIBLE = 1e-9
"""Bits that float64 rounding alone may make."""


def estimates(samples: Samples, metrics: Iterable[Metric]) -> list[Estimate]:
    """Mean, median, p95 and maximum over pictures of every metric, for every part.

    Those that are in `clean` are left out.
    """
    return [
        each
        for metric in metrics
        if metric.name not in Clean.model_fields
        for each in _estimates_of(samples, metric)
    ]


def _parts(layout: Layout, metric: Metric) -> list[tuple[Scope, str, Part]]:
    if metric.level == "image":
        return [("all", "all", Part(layout.matching(None)))]
    probes: list[tuple[Scope, str, Part]] = [
        ("probe", track.name, Part((t,)))
        for t, track in enumerate(layout.tracks)
        if metric.comparable or track.family != NOISE_FLOOR_FAMILY
    ]
    if not metric.comparable:
        return probes
    families: list[tuple[Scope, str, Part]] = [
        ("family", name, Part(layout.matching(name))) for name in layout.all_families
    ]
    whole: list[tuple[Scope, str, Part]] = [("all", "all", Part(layout.matching(None)))]
    return [*(whole if layout.families else []), *families, *probes]


def _estimates_of(samples: Samples, metric: Metric) -> list[Estimate]:
    named = _parts(samples.layout, metric)
    if not named:
        return []
    matrix = values(samples, metric, [part for _, _, part in named])
    kept = np.flatnonzero(np.isfinite(matrix).any(axis=0))
    # Parts of a metric that is not comparable have ranges of their own.
    ranges = [bounds(metric, samples.layout, named[g][2]) for g in kept]
    found: list[Estimate] = []
    for limits in dict.fromkeys(ranges):
        columns = [g for g, each in zip(kept, ranges, strict=True) if each == limits]
        for statistic, intervals in _statistics(matrix[:, columns], limits).items():
            for g, interval in zip(columns, intervals, strict=True):
                scope, name, _ = named[g]
                found.append(
                    Estimate(
                        metric=metric.name,
                        statistic=statistic,
                        scope=scope,
                        name=name,
                        **interval.model_dump(),
                    )
                )
    return found


def _statistics(matrix: Array, limits: Bounds) -> dict[Statistic, list[Interval]]:
    # The samples are float32: 0.15 reads back a little above a bound of 0.15.
    matrix = check_matrix(matrix, limits)
    tables: dict[Statistic, list[Interval]] = {"mean": mean_intervals(matrix, limits)}
    for statistic, q in QUANTILES.items():
        lows, highs = statistics.quantile_intervals(matrix, q, limits)
        tables[statistic] = _intervals(np.nanquantile(matrix, q, axis=0), lows, highs, matrix)
    tops = np.nanmax(matrix, axis=0)
    tables["max"] = _intervals(tops, tops, np.full(len(tops), limits[1]), matrix)
    return tables


def mean_intervals(matrix: Array, limits: Bounds) -> list[Interval]:
    """The means over pictures of columns (N, G), each with its 95 % interval."""
    lows, highs = statistics.mean_intervals(matrix, limits)
    return _intervals(np.nanmean(matrix, axis=0), lows, highs, matrix)


def _intervals(points: Array, lows: Array, highs: Array, matrix: Array) -> list[Interval]:
    counts = np.isfinite(matrix).sum(axis=0)
    # A mean of equal values at a bound may round past it.
    points = np.clip(points, lows, highs)
    return [
        Interval(value=value, low=_finite(low), high=_finite(high), n=n)
        for value, low, high, n in zip(
            points.tolist(), lows.tolist(), highs.tolist(), counts.tolist(), strict=True
        )
    ]


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None


def curves(samples: Samples) -> list[Curve]:
    """The mean shift, flips and visibility along every ladder."""
    shift = mean_intervals(np.asarray(samples.rung("shift"), dtype=np.float64), (0, 1))
    matrix = np.asarray(samples.rung("flip"), dtype=np.float64)
    # Embeddings name no class that could flip.
    flips = None if np.isnan(matrix).all() else mean_intervals(matrix, (0, 1))
    ssim = samples.rung("ssim").mean(axis=0, dtype=np.float64).tolist()
    rms = samples.rung("input_rms").mean(axis=0, dtype=np.float64).tolist()
    return [
        Curve(
            probe=track.name,
            family=track.family,
            strengths=list(track.ladder),
            shift=shift[span],
            flip_rate=None if flips is None else flips[span],
            ssim=ssim[span],
            input_rms=rms[span],
        )
        for track, span in zip(samples.layout.tracks, samples.layout.spans, strict=True)
    ]


def single(samples: Samples, metric: Metric) -> Interval:
    """The mean over pictures of a metric of the whole."""
    matrix = values(samples, metric, [Part(samples.layout.matching(None))])
    return mean_intervals(matrix, metric.bounds)[0]


def clean(samples: Samples, labelled: bool, metrics: Sequence[Metric]) -> Clean:
    """How the model does on the clean pictures."""
    by_name = {
        metric.name: single(samples, metric)
        for metric in metrics
        if metric.name in Clean.model_fields and (labelled or metric.name != "accuracy")
    }
    return Clean(
        accuracy=by_name.get("accuracy"),
        confidence=by_name.get("confidence"),
        entropy=by_name.get("entropy"),
        logit_norm=by_name["logit_norm"],
        distinct_classes=len(np.unique(samples.image("clean_class"))),
    )


def score(samples: Samples) -> Interval | None:
    """The continuity score, or None where only the noise floor was measured."""
    return single(samples, SCORE) if samples.layout.families else None


def noise_floor(samples: Samples) -> Interval | None:
    """The mean shift of clean pictures in another batch; None where it was left out."""
    if not samples.layout.matching(NOISE_FLOOR_FAMILY):
        return None
    return single(samples, NOISE_FLOOR)


def warnings(samples: Samples, shift: Interval, floor: Interval | None) -> list[str]:
    """What a reader must know before believing the figures.

    Args:
        samples: the N pictures.
        shift: the mean shift of the whole.
        floor: the noise floor, if it was measured.
    """
    if floor is None:
        return []
    (again,) = samples.layout.matching(NOISE_FLOOR_FAMILY)
    flips = float(np.nan_to_num(samples.rung("flip")[:, samples.layout.spans[again]]).mean())
    if flips == 0 and floor.value <= max(NOISY * shift.value, NEGLIGIBLE):
        return []
    return [
        f"the same pictures in another batch move the output by {floor.value:.2g} bits and flip "
        f"{100 * flips:.1f} % (mean shift under the probes: {shift.value:.2g}): it depends on the "
        "batch or on chance, as where dropout was left on (call eval()), or the precision is too "
        "low; read nothing into smaller figures"
    ]
