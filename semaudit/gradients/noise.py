"""How much of the gradient, and of the saliency map, noise that nobody sees leaves as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import l2
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point
from semaudit.metrics.views import precise

DEVIATION = 0.01
"""Standard deviation of the noise, fraction of full scale."""


@measure(
    at_picture(
        "gradient_snr",
        "Signal-to-noise of the gradient under small noise: |mean g|^2 / tr Cov g; low is worse.",
    ),
    at_picture("loss_gradient_snr", "The same of the loss's gradient."),
    at_picture(
        "saliency_sensitivity",
        "Largest |s(x) - s(x')| / |s(x)| of the saliency |g| over draws of small noise.",
    ),
)
def under_noise(point: Point) -> dict[str, Tensor]:
    """Gradients at N noisy copies of a picture: their signal-to-noise, and the largest change.

    Both mean and covariance are estimated from the N draws; tr Cov is unbiased, and |mean g|^2 has
    the share tr Cov / N that noise adds to it taken off, at least 0. The sensitivity is the
    max-sensitivity of Yeh et al. 2019 ("On the (in)fidelity and sensitivity of explanations") for
    the saliency of Simonyan et al., with Gaussian draws. SNR is NaN for a single draw.
    """
    sums = [_Moments(gradient) for gradient in point.gradients]
    clean = point.gradient.abs()
    size, largest = l2(clean), torch.zeros_like(l2(clean))
    for stream in range(point.samples):
        noise = point.draw.normal(*point.shape, stream=3000 + stream).to(point.images)
        there = point.differentiator(point.images + DEVIATION * noise, *point.functionals)
        for moments, gradient in zip(sums, there.gradients, strict=True):
            moments.add(gradient)
        largest = torch.maximum(largest, l2(there.gradients[0].abs() - clean))
    ratios = [moments.signal_to_noise() for moments in sums]
    missing = torch.full_like(ratios[0], float("nan"))
    known = size > 0
    sensitivity = largest / size.where(known, torch.ones_like(size))
    return {
        "gradient_snr": ratios[0],
        "loss_gradient_snr": point.labelled_only(ratios[1] if point.loss else missing),
        "saliency_sensitivity": sensitivity.masked_fill(~known, float("nan")),
    }


class _Moments:
    """The mean of gradients and the trace of their covariance, without keeping them.

    Sums of differences from the clean gradient, so that equal gradients have no variance at all.
    """

    def __init__(self, origin: Tensor) -> None:
        self._origin = origin
        self._sum = torch.zeros_like(origin)
        self._squares = torch.zeros(len(origin), dtype=precise(origin.device), device=origin.device)
        self._count = 0

    def add(self, gradient: Tensor) -> None:
        change = gradient - self._origin
        self._sum += change
        self._squares += l2(change).square()
        self._count += 1

    def signal_to_noise(self) -> Tensor:
        """(n,) in [0, inf); NaN for fewer than two draws, or where the gradient is 0 throughout."""
        count = self._count
        mean = self._origin + self._sum / count
        if count < 2:
            return torch.full_like(self._squares, float("nan"))
        spread = (self._squares - l2(self._sum).square() / count).clamp_min(0) / (count - 1)
        signal = (l2(mean).square() - spread / count).clamp_min(0)
        # Of a linear model the spread is rounding alone, and the ratio as good as infinite.
        least = torch.finfo(torch.float32).eps ** 2 * l2(mean).square()
        ratio = signal / torch.maximum(spread, least)
        return ratio.masked_fill(l2(mean) == 0, float("nan"))
