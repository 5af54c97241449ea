"""How much of the gradient, and of the saliency map, noise that nobody sees leaves as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import l2, sound
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point
from semaudit.metrics.pixels import precise

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
    the saliency of Simonyan et al., with Gaussian draws. The noisy copies may leave [0, 1]: a
    clipped draw would not be of mean 0. All are NaN where the gradient is 0 or not finite, and the
    SNR is for a single draw.
    """
    moments = [_Moments(gradient) for gradient in point.gradients]
    lengths = [l2(gradient) for gradient in point.gradients]
    clean, largest = point.gradient.abs(), torch.zeros_like(lengths[0])
    for stream in range(point.samples):
        there = point.differentiator(
            point.images + DEVIATION * point.normal(3000 + stream), *point.functionals
        )
        for each, gradient in zip(moments, there.gradients, strict=True):
            each.add(gradient)
        largest = torch.maximum(largest, l2(there.gradients[0].abs() - clean))
    ratios = [
        sound(each.signal_to_noise(), length) for each, length in zip(moments, lengths, strict=True)
    ]
    size = lengths[0]
    sensitivity = largest / size.where(size > 0, torch.ones_like(size))
    return {
        **point.named("gradient_snr", ratios),
        "saliency_sensitivity": sound(sensitivity, size),
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
        """(n,) in [0, 1 / eps^2] of float32; NaN for fewer than two draws, or without any mean."""
        count = self._count
        mean = self._origin + self._sum / count
        if count < 2:
            return torch.full_like(self._squares, float("nan"))
        spread = (self._squares - l2(self._sum).square() / count).clamp_min(0) / (count - 1)
        signal = (l2(mean).square() - spread / count).clamp_min(0)
        # Of a linear model the spread is rounding alone, and the ratio as good as infinite.
        least = torch.finfo(torch.float32).eps ** 2 * l2(mean).square()
        return sound(signal / torch.maximum(spread, least), l2(mean))
