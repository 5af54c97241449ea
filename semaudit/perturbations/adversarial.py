"""Changes whose worst case is searched for; as perturbations, they are drawn anywhere in reach.

A worst-case search (`semaudit.worst`) chooses what is drawn here: the field of a ball, or the
parameters of a move or of a light.
"""

from __future__ import annotations

import math

from torch import Tensor

from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.perturbations.draw import Draw
from semaudit.perturbations.geometric import Grid, Places, resample, warp
from semaudit.perturbations.photometric import hue_turned
from semaudit.perturbations.pixels import double, is_colour, mean, per_image
from semaudit.perturbations.registry import Strength, perturbation

MOVES = 4
"""Parameters of a rigid move, each in [-1, 1]: to the right, down, the turn, the size."""

LIGHTS = 3
"""Parameters of a light, each in [-1, 1]: brightness, contrast, hue."""

SEARCHED = ("linf_ball", "l2_ball", "rigid_move", "relight")
"""The perturbations here: those whose worst case can be looked for."""


@perturbation(family=ADVERSARIAL_FAMILY)
def linf_ball(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add or subtract the strength at every value: a drawn corner of the L-infinity ball.

    The strength is the radius, a fraction of full scale.
    """
    signs = draw.uniform(*images.shape[1:]).sub(0.5).sign()
    return images + signs.to(images) * per_image(strength, images)


@perturbation(family=ADVERSARIAL_FAMILY)
def l2_ball(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add Gaussian noise: a drawn direction of the L2 ball, nearly at its surface.

    The strength is the radius as the root mean square of the change, a fraction of full scale.
    """
    return images + draw.normal(*images.shape[1:]).to(images) * per_image(strength, images)


def moved_places(grid: Grid, strength: Tensor, parameters: Tensor) -> Places:
    """Where a rigid move looks, (n, 1, h, w) each, for parameters (n, MOVES, 1, 1) in [-1, 1].

    (x, y) looks at R(2 s p3) (x, y) / (1 + 2 s p4) - s side (p1, p2): each part alone moves no
    point of the inscribed circle by more than strength * side.
    """
    right, down, turn, size = parameters.float().chunk(MOVES, dim=1)
    angle = double(2 * strength * turn)
    cosine, sine = angle.cos().to(grid.x), angle.sin().to(grid.x)
    factor = 1 / (1 + 2 * strength * size)
    reach = strength * grid.side
    return (
        (grid.x * cosine - grid.y * sine) * factor - reach * right,
        (grid.x * sine + grid.y * cosine) * factor - reach * down,
    )


# Beyond a quarter a picture could be shrunk to half its size.
@warp(family=ADVERSARIAL_FAMILY, max_strength=0.25)
def rigid_move(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Shift, turn and scale the picture at once, each by a drawn share of its reach.

    The strength is by how much each of the three may move the points of the inscribed circle, a
    fraction of the shorter side.
    """
    return moved_places(grid, strength, 2 * draw.uniform(MOVES, 1, 1) - 1)


def moved(images: Tensor, strength: Strength, parameters: Tensor) -> Tensor:
    """The rigid move of these parameters, (n, MOVES, 1, 1)."""
    column = per_image(strength, images).float()
    return resample(images, moved_places(Grid.of(images), column, parameters))


def relit(images: Tensor, strength: Strength, parameters: Tensor) -> Tensor:
    """The light of these parameters, (n, LIGHTS, 1, 1) in [-1, 1].

    Contrast is scaled about the picture's mean by 1 + 2 s p2, s p1 is added, and the hue turns by
    s p3 / 4 turns; a picture without three channels keeps its hue.
    """
    column = per_image(strength, images)
    brighter, stronger, turned = parameters.to(images).chunk(LIGHTS, dim=1)
    lit = images + (images - mean(images, (1, 2, 3))) * (2 * column * stronger) + column * brighter
    if not is_colour(images):
        return lit
    angle = double(column * turned) * (math.pi / 2)
    return hue_turned(lit, angle)


@perturbation(family=ADVERSARIAL_FAMILY, max_strength=0.5)
def relight(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Change brightness, contrast and hue at once, each by a drawn share of its reach.

    The strength is the reach of brightness, a fraction of full scale; contrast changes by up to
    twice that share, hue by up to a quarter of it in turns.
    """
    return relit(images, strength, 2 * draw.uniform(LIGHTS, 1, 1) - 1)
