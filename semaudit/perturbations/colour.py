"""The colour of the light, and film that has none. Grey pictures are left to be grey."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import double, is_colour, luma, per_image
from semaudit.perturbations.registry import Strength, perturbation

_DAYLIGHT = 6504.0  # kelvin, the correlated colour temperature of D65, the white of sRGB
_ENCODING = 2.2  # light is about a pixel's value to this power

# Linear sRGB of CIE XYZ (IEC 61966-2-1).
_FROM_XYZ = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))


@perturbation(family="photometric", max_strength=2.0, channels=3)
def colour_temperature(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Make the light warmer, or cooler, as a camera does that is balanced for another light.

    The strength s is a rise of the reciprocal temperature (mired), as a fraction of daylight's:
    the light falls from 6504 K to 6504 K / (1 + s) along the Planckian locus. Each channel is
    scaled by g_c = (light_c(T) / light_c(6504 K))**(1 / 2.2), the share of that light in linear
    sRGB, encoded; cooler is scaling by 1 / g_c. White keeps its BT.601 luma. The locus is the
    rational fit of Krystek 1985, "An algorithm to calculate correlated colour temperature".
    Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    warmed = _DAYLIGHT / (1 + double(per_image(strength, images)))
    ratios = _planckian(warmed) / _planckian(torch.full_like(warmed, _DAYLIGHT))
    gains = (ratios.log() * (double(draw.sign()) / _ENCODING)).exp()
    # Rounded to float32 whatever the images are: a float64 power is not the same everywhere.
    return images * (gains / luma(gains)).float().to(images)


@perturbation(family="photometric", channels=3)
def grey_mix(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Blend toward a black-and-white picture, taken as if through a drawn colour filter.

    images + (grey - images) x strength; 1 is black and white. The grey is a drawn mean of red,
    green and blue, every mixture equally likely, as film and filter make it: two colours of one
    luma part, and two others meet, where `saturation` keeps the luma of all. Grey pictures stay as
    they are, and images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    # The gaps that two uniform points leave in [0, 1] are uniform over all mixtures.
    low, high = draw.uniform(2, 1, 1).sort(dim=1).values.to(images).chunk(2, dim=1)
    red, green, blue = images.chunk(3, dim=1)
    # In place where the gradient allows it: allocating costs more than computing.
    grey = (red * low).add_(green * (high - low)).add_(blue * (1 - high))
    return (grey - images).mul_(per_image(strength, images)).add_(images)


def _planckian(temperature: Tensor) -> Tensor:
    """Linear sRGB, luminance 1, of a black body at (n, 1, 1, 1) kelvin: (n, 3, 1, 1).

    Krystek's fit of CIE 1960 (u, v), within 1e-4 from 1000 to 15,000 K; blue is above 0 from about
    1,900 K.
    """
    t = temperature
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t
    )
    x, z = 3 * u / (2 * v), (4 - u - 10 * v) / (2 * v)
    return torch.cat([a * x + b + c * z for a, b, c in _FROM_XYZ], dim=1)
