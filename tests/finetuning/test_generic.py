"""The generic primitives: what every perturbation promises, and that none is a probe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from semaudit.finetuning.generic import PRIMITIVES, Generic
from semaudit.perturbations import Draw, registered

Primitive = Callable[[Tensor, Tensor, Draw], Tensor]
SHAPES = [(3, 32, 32), (1, 28, 28), (3, 17, 40)]


def pictures(*shape: int, count: int = 6) -> Tensor:
    coarse = torch.rand(count, shape[0], 4, 4, generator=torch.Generator().manual_seed(0))
    size = shape[1:]
    return torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


def draw(count: int = 6, seed: int = 0) -> Draw:
    return Draw.of(seed, "generic", [f"{index}.png" for index in range(count)])


def strengths(value: float, count: int = 6) -> Tensor:
    return torch.full((count, 1, 1, 1), value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_strength_0_is_the_identity(primitive: Primitive, shape: tuple[int, int, int]) -> None:
    images = pictures(*shape)
    changed = primitive(images, strengths(0.0), draw())
    assert torch.allclose(changed, images, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("primitive", [*PRIMITIVES, lambda x, s, d: Generic()(x, d)])
def test_range_shape_and_repeatability(primitive: Primitive, shape: tuple[int, int, int]) -> None:
    images = pictures(*shape)
    before = images.clone()
    changed = primitive(images, strengths(0.1), draw())
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(images, before)
    assert torch.equal(changed, primitive(images, strengths(0.1), draw()))
    assert not torch.equal(changed, primitive(images, strengths(0.1), draw(seed=1)))


@pytest.mark.parametrize("primitive", [*PRIMITIVES, lambda x, s, d: Generic()(x, d)])
def test_alone_as_in_a_batch(primitive: Primitive) -> None:
    images = pictures(3, 32, 32)
    together = primitive(images, strengths(0.1), draw())
    for row in range(len(images)):
        index = torch.tensor([row])
        alone = primitive(images[index], strengths(0.1, 1), draw().subset(index))
        assert torch.allclose(alone, together[index], atol=2e-6)


def test_stronger_is_further_away() -> None:
    images = pictures(3, 32, 32)
    for primitive in PRIMITIVES:
        steps = [
            (primitive(images, strengths(value), draw()) - images).square().mean().sqrt()
            for value in (0.01, 0.03, 0.1)
        ]
        assert steps == sorted(steps)
        assert steps[0] > 0


def test_the_strength_of_a_curve_and_of_a_band_is_the_root_mean_square_of_the_change() -> None:
    grey = torch.full((400, 1, 16, 16), 0.5)
    ids = [str(index) for index in range(len(grey))]
    band = PRIMITIVES[3](grey, torch.full((400, 1, 1, 1), 0.05), Draw.of(0, "x", ids))
    assert (band - grey).square().mean((1, 2, 3)).sqrt().sub(0.05).abs().max() < 1e-5
    ramp = torch.linspace(0, 1, 256).view(1, 1, 16, 16).expand(400, 1, 16, 16)
    curve = PRIMITIVES[2](ramp, torch.full((400, 1, 1, 1), 0.01), Draw.of(0, "x", ids))
    # Clamping takes a little away at both ends.
    assert (curve - ramp).square().mean().sqrt().item() == pytest.approx(0.01, rel=0.1)


def test_none_is_a_perturbation_of_the_battery() -> None:
    names = {primitive.__name__ for primitive in PRIMITIVES}
    assert not names & set(registered())


def test_a_draw_leaves_some_pictures_alone_and_changes_most() -> None:
    images = pictures(3, 32, 32, count=200)
    changed = Generic()(images, draw(200))
    moved = (changed - images).square().mean((1, 2, 3)).sqrt()
    assert 0.8 < (moved > 1e-3).float().mean() < 1
    assert moved.max() < 0.3
