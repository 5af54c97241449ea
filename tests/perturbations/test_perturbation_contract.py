"""What every registered perturbation owes, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from semaudit.errors import ProbeError
from semaudit.perturbations import Draw, get, registered
from semaudit.probes import load_probes

NAMES = sorted(registered())
LADDERS = {probe.perturbation: probe.ladder for probe in load_probes()}
SIZES = [(28, 28), (32, 32), (97, 131), (224, 224)]
SHAPES = [(channels, *size) for size in SIZES for channels in (1, 3)]
COLOUR_ONLY = {"saturation", "hue"}

Scenes = Callable[..., Tensor]

each = pytest.mark.parametrize("name", NAMES)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
each_depth = pytest.mark.parametrize("channels", [1, 3])


def ids(count: int) -> list[str]:
    return [f"{index}.png" for index in range(count)]


def draw_of(name: str, count: int) -> Draw:
    return Draw.of(7, name, ids(count))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_every_perturbation_has_a_probe() -> None:
    assert sorted(LADDERS) == NAMES


@each
@each_shape
def test_protocol(name: str, shape: tuple[int, int, int], scenes: Scenes) -> None:
    images, perturb, draw = scenes(3, *shape), get(name), draw_of(name, 3)
    before = images.clone()
    for strength in (0.0, 0, torch.zeros(3), torch.zeros(3, 1, 1, 1)):
        assert torch.equal(perturb(images, strength, draw), images)
    for strength in (0.0, LADDERS[name][-1], torch.full((3,), LADDERS[name][-1])):
        result = perturb(images, strength, draw)
        assert (result.shape, result.dtype, result.device) == (
            images.shape,
            images.dtype,
            images.device,
        )
        assert result.min() >= 0
        assert result.max() <= 1
        assert torch.equal(result, perturb(images, strength, draw))
        assert torch.equal(result, perturb(images, strength, draw_of(name, 3)))
        result.fill_(0.5)
        assert torch.equal(images, before)


@each
@each_shape
def test_bits_do_not_depend_on_the_batch(
    name: str, shape: tuple[int, int, int], scenes: Scenes
) -> None:
    images, perturb, strength = scenes(20, *shape), get(name), LADDERS[name][-1]
    together = perturb(images, strength, draw_of(name, 20))
    assert torch.equal(perturb(images[:7], strength, draw_of(name, 7)), together[:7])
    for index in (0, 13):
        alone = Draw.of(7, name, [f"{index}.png"])
        assert torch.equal(perturb(images[index : index + 1], strength, alone)[0], together[index])
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    shuffled = perturb(images[order], strength, draw_of(name, 20).subset(order))
    assert torch.equal(shuffled, together[order])


@each
@each_depth
def test_bits_do_not_depend_on_the_threads(name: str, channels: int, scenes: Scenes) -> None:
    images, strength = scenes(7, channels, 97, 131), LADDERS[name][1 % len(LADDERS[name])]
    with threads(1):
        single = get(name)(images, strength, draw_of(name, 7))
    with threads(2):
        assert torch.equal(get(name)(images, strength, draw_of(name, 7)), single)


@each
@each_shape
def test_one_strength_an_image(name: str, shape: tuple[int, int, int], scenes: Scenes) -> None:
    images, perturb = scenes(4, *shape), get(name)
    ladder = LADDERS[name]
    mixed = torch.tensor([ladder[0], 0.0, ladder[-1], ladder[len(ladder) // 2]])
    together = perturb(images, mixed, draw_of(name, 4))
    for index, strength in enumerate(mixed.tolist()):
        draw = Draw.of(7, name, [f"{index}.png"])
        alone = perturb(images[index : index + 1], strength, draw)
        assert torch.equal(together[index], alone[0])
    whole = perturb(images, ladder[-1], draw_of(name, 4))
    assert torch.equal(perturb(images, torch.full((4,), ladder[-1]), draw_of(name, 4)), whole)


@each
@each_shape
def test_distance_rises_along_the_ladder(
    name: str, shape: tuple[int, int, int], scenes: Scenes
) -> None:
    images, draw = scenes(8, *shape), draw_of(name, 8)
    distances = [
        (get(name)(images, strength, draw) - images).square().mean().sqrt().item()
        for strength in LADDERS[name]
    ]
    if name == "identity" or (shape[0] == 1 and name in COLOUR_ONLY):
        assert distances == [0.0] * len(distances)
    else:
        assert distances == sorted(set(distances))
        assert distances[0] > 0


@each
@each_depth
@pytest.mark.parametrize("per_image", [False, True])
def test_gradients_are_finite(name: str, channels: int, per_image: bool, scenes: Scenes) -> None:
    images = scenes(3, channels, 28, 28)
    images[:, :, :4] = 0.0
    images[:, :, -4:] = 1.0
    images.requires_grad_()
    strength = LADDERS[name][0]
    given = torch.tensor([strength, 0.0, strength]) if per_image else strength
    result = get(name)(images, given, draw_of(name, 3))
    (gradient,) = torch.autograd.grad(result.square().sum(), images)
    assert gradient.isfinite().all()
    assert gradient.any() or name == "quantisation"


@each
def test_gradient_is_that_of_the_formula(name: str, scenes: Scenes) -> None:
    """Against a central difference in float64, along one direction, away from the clamp."""
    if name == "quantisation":
        pytest.skip("a rounding has no gradient")
    images = scenes(2, 3, 28, 28).double() * 0.4 + 0.3
    direction = scenes(2, 3, 28, 28).double().flip(0) - 0.5
    weights = scenes(2, 3, 28, 28).double().flip(-1)
    draw = draw_of(name, 2)

    def value(step: float) -> Tensor:
        return (get(name)(images + step * direction, LADDERS[name][-1], draw) * weights).sum()

    images.requires_grad_()
    (gradient,) = torch.autograd.grad(value(0.0), images)
    measured = (value(1e-2) - value(-1e-2)).item() / 2e-2
    assert (gradient * direction).sum().item() == pytest.approx(measured, rel=1e-3)


@each
def test_autocast_is_kept_out(name: str, scenes: Scenes) -> None:
    images, strength = scenes(2, 3, 32, 32), LADDERS[name][-1]
    expected = get(name)(images, strength, draw_of(name, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(get(name)(images, strength, draw_of(name, 2)), expected)


@each
@each_depth
def test_the_largest_strength_works(name: str, channels: int, scenes: Scenes) -> None:
    images, strength = scenes(2, channels, 28, 31), get(name).max_strength
    result = get(name)(images, strength, draw_of(name, 2))
    assert result.isfinite().all()
    assert torch.equal(result, get(name)(images, torch.full((2,), strength), draw_of(name, 2)))


@each
def test_strength_out_of_range_is_refused(name: str, scenes: Scenes) -> None:
    for strength in (-0.1, get(name).max_strength + 0.1, float("nan")):
        with pytest.raises(ProbeError, match="outside"):
            get(name)(scenes(1, 3, 28, 28), strength, draw_of(name, 1))
