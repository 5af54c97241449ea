"""Metrics of a whole path: in what manner the output moved along one ladder."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.metrics.registry import path_metric
from semaudit.metrics.views import Path

INF = float("inf")

# Below this the output did not move: sqrt(JSD) of float64 rounding alone is about 1e-8.
STILL = 1e-6


@path_metric(bounds=(0, 1))
def jump(path: Path) -> Tensor:
    """Largest step of the output between neighbouring rungs, in sqrt(JSD)."""
    return path.distance.amax(1)


@path_metric(bounds=(0, 1))
def concentration(path: Path) -> Tensor:
    """Share of the whole drift that the jump makes: 1/K if even, 1 if one leap, NaN if still."""
    drift = path.distance.sum(1)
    share = path.distance.amax(1) / drift.clamp_min(STILL)
    return share.where(drift > STILL, torch.full_like(share, float("nan")))


@path_metric(bounds=(0, INF))
def secant_slope(path: Path) -> Tensor:
    """Steepest step: sqrt(JSD) over the RMS step of the input; NaN if the input never moved."""
    moved = path.input_step > 0
    slope = path.distance / path.input_step.where(moved, torch.ones_like(path.input_step))
    steepest = slope.where(moved, torch.full_like(slope, -1.0)).amax(1)
    return steepest.where(moved.any(1), torch.full_like(steepest, float("nan")))


@path_metric(bounds=(0, 1))
def shift_area(path: Path) -> Tensor:
    """Area under shift against strength, over the ladder's length, by trapezoids from (0, 0)."""
    strengths = torch.cat([path.strengths.new_zeros(1), path.strengths])
    shift = torch.cat([path.shift.new_zeros(path.shift.shape[0], 1), path.shift], dim=1)
    return torch.trapezoid(shift, strengths, dim=1) / strengths[-1]


@path_metric(bounds=(0, 1), needs_classes=True)
def neighbour_flips(path: Path) -> Tensor:
    """Share of neighbouring rungs whose top-1 class, or set of labels, differs.

    The flip probability of ImageNet-P (Hendrycks and Dietterich 2019): the clean picture is the
    first of K + 1 frames, and each of the K others is compared with the one before it.
    """
    return path.flips.mean(1)


@path_metric(bounds=(0, 18), needs_classes=True)
def neighbour_top5_distance(path: Path) -> Tensor:
    """Mean top-5 distance between neighbouring rungs: ImageNet-P's, unstandardised.

    uT5D of Hendrycks and Dietterich 2019; see `semaudit.metrics.outputs.top5_distance`.
    """
    return path.top5.mean(1)
