"""Noise of a sensor: one field an image, scaled by the strength along the whole ladder."""

from __future__ import annotations

from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import per_image
from semaudit.perturbations.registry import Strength, perturbation

_DARK = 1e-4  # a square root has no slope at 0; a fortieth of a level of 8 bits shows nothing


@perturbation(family="noise")
def gaussian_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add the same amount of grain everywhere: what a sensor reads out in the dark.

    x + strength * z, z standard normal and independent for every pixel and channel. The strength
    is the standard deviation, a fraction of full scale.
    """
    return add_field(images, draw.normal(*images.shape[1:]), strength)


@perturbation(family="noise", max_strength=0.5)
def shot_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add the grain of counted photons: more of it where there is more light, none in black.

    x + strength * sqrt(x) * z, z standard normal: the variance is strength**2 * x. It is the normal
    limit of Poisson(x * N) / N (ImageNet-C's "shot noise", Hendrycks and Dietterich 2019) with
    N = 1 / strength**2 photons at white; a count has no fixed field to scale along the ladder. The
    strength is the standard deviation at white, a fraction of full scale. Below x = 1e-4 the root
    continues as a straight line to 0, so that its gradient is finite.
    """
    grain = draw.normal(*images.shape[1:]) * per_image(strength, images)
    # In place: at this size, memory for a result costs more than the arithmetic.
    grain = grain.mul_(images).div_(images.clamp(min=_DARK).sqrt_())
    return grain.add_(images).to(images)


@perturbation(family="noise")
def speckle_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Scale each value by a little more or less than 1, at random: grain as strong as the light.

    x * (1 + strength * z), z standard normal and independent for every pixel and channel. The
    strength is the standard deviation of the factor.
    """
    grain = draw.normal(*images.shape[1:]) * per_image(strength, images)
    return grain.mul_(images).add_(images).to(images)


@perturbation(family="noise", max_strength=0.5)
def impulse_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Turn a few pixels black or white: salt and pepper, as dead and hot pixels do.

    Each pixel, with all its channels, has one number u uniform in [0, 1): it turns white if
    u < strength / 2 and black if 1 - u <= strength / 2, so that what is hit stays hit as the
    strength grows. The strength is the expected share of pixels.
    """
    place = draw.uniform(1, *images.shape[2:])
    half = per_image(strength, images) / 2
    white, black = place < half, 1 - place <= half
    # Much faster than `where`, which does not vectorise a mask shared by the channels.
    return (images * (~(white | black)).to(images)).add_(white.to(images))


@perturbation(family="noise", differentiable=False)
def quantisation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Keep fewer levels of brightness: round to the nearest multiple of the strength.

    round(x / strength) * strength; the strength is the step, a fraction of full scale. The gradient
    is zero, as for any rounding.
    """
    step = per_image(strength, images)
    return (images / step).round() * step


@perturbation(family="noise")
def row_banding(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Make each row a little brighter or darker than the next: a sensor read out row by row.

    x + strength * z, z standard normal, one number a row, alike in all channels. The strength is
    the standard deviation between rows, a fraction of full scale (EMVA 1288's row nonuniformity).
    """
    return add_field(images, draw.normal(1, images.shape[2], 1), strength)


@perturbation(family="noise")
def column_banding(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Make each column a little brighter or darker than the next: one amplifier a column.

    x + strength * z, z standard normal, one number a column, alike in all channels. The strength is
    the standard deviation between columns, a fraction of full scale (EMVA 1288's column
    nonuniformity).
    """
    return add_field(images, draw.normal(1, 1, images.shape[3]), strength)


def add_field(images: Tensor, field: Tensor, strength: Strength) -> Tensor:
    """Return images + strength * field, in float32 at least and rounded once to their dtype.

    `field` (n, 1 or c, 1 or h, 1 or w) float32 is left as it is.
    """
    return (images + field * per_image(strength, images)).to(images)
