"""Metrics of the input: how far the picture moved. They stand beside every shift."""

from __future__ import annotations

from torch import Tensor

from semaudit.metrics.registry import rung_metric
from semaudit.metrics.ssim import mean_ssim
from semaudit.metrics.views import Rung


@rung_metric(bounds=(0, 1))
def input_rms(rung: Rung) -> Tensor:
    """Root mean square of the change of the picture, fraction of full scale."""
    return rung.difference.square().mean(1).sqrt()


@rung_metric(bounds=(0, 1))
def input_linf(rung: Rung) -> Tensor:
    """Largest absolute change of any value of the picture, fraction of full scale."""
    return rung.difference.abs().amax(1)


@rung_metric(bounds=(-1, 1))
def ssim(rung: Rung) -> Tensor:
    """Structural similarity of the changed to the clean picture (1: equal)."""
    return mean_ssim(rung.clean.reference, rung.current.images)
