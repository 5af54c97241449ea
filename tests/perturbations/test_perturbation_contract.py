"""What every registered perturbation owes: the contract of the package, and its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import product

import pytest
import torch
from torch import Tensor

from semaudit.contract import CHECKS, Case, Check, cases_of, fault
from semaudit.errors import ProbeError
from semaudit.perturbations import Draw, get, registered
from semaudit.probes import load_probes

NAMES = sorted(registered())
# Of several probes of a perturbation the longest still: the steps of a film are many and small.
LADDERS = {
    probe.perturbation: probe.ladder
    for probe in sorted(
        load_probes(), key=lambda probe: (probe.family != "sequence", len(probe.ladder))
    )
}

Scenes = Callable[..., Tensor]

each = pytest.mark.parametrize("name", NAMES)


def depths(name: str) -> tuple[int, ...]:
    channels = get(name).channels
    return (1, 3) if channels is None else (channels,)


each_depth = pytest.mark.parametrize(
    ("name", "channels"), [(name, channels) for name in NAMES for channels in depths(name)]
)


def draw_of(name: str, count: int) -> Draw:
    return Draw.of(7, name, [f"{index}.png" for index in range(count)])


def sides(name: str, height: int, width: int) -> tuple[int, int]:
    """A size, or the least that the perturbation is meant for."""
    least = get(name).smallest_side
    return max(height, least), max(width, least)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def cases(name: str) -> list[Case]:
    return cases_of(get(name), LADDERS[name])


def test_every_perturbation_has_a_probe() -> None:
    assert sorted(LADDERS) == NAMES


@pytest.mark.parametrize(
    ("name", "check"),
    # By name first: what the checks of one perturbation share is computed once.
    list(product(NAMES, CHECKS)),
    ids=[f"{name}-{check.name.replace(' ', '_')}" for name, check in product(NAMES, CHECKS)],
)
def test_the_contract(name: str, check: Check) -> None:
    assert fault(check, cases(name)) is None


@each_depth
def test_bits_do_not_depend_on_the_threads(name: str, channels: int, scenes: Scenes) -> None:
    images, strength = scenes(7, channels, 97, 131), LADDERS[name][1 % len(LADDERS[name])]
    with threads(1):
        single = get(name)(images, strength, draw_of(name, 7))
    with threads(2):
        assert torch.equal(get(name)(images, strength, draw_of(name, 7)), single)


@each
def test_gradient_is_that_of_the_formula(name: str, scenes: Scenes) -> None:
    """Against a central difference in float64, along one direction, away from the clamp."""
    if not get(name).differentiable:
        pytest.skip("it states that it has no gradient")
    shape = (2, 3, *sides(name, 28, 28))
    images = scenes(*shape).double() * 0.4 + 0.3
    direction = scenes(*shape).double().flip(0) - 0.5
    weights = scenes(*shape).double().flip(-1)
    draw = draw_of(name, 2)

    def value(step: float) -> Tensor:
        return (get(name)(images + step * direction, LADDERS[name][-1], draw) * weights).sum()

    images.requires_grad_()
    (gradient,) = torch.autograd.grad(value(0.0), images)
    measured = (value(1e-2) - value(-1e-2)).item() / 2e-2
    assert (gradient * direction).sum().item() == pytest.approx(measured, rel=1e-3)


@each
def test_autocast_is_kept_out(name: str, scenes: Scenes) -> None:
    images, strength = scenes(2, 3, *sides(name, 32, 32)), LADDERS[name][-1]
    expected = get(name)(images, strength, draw_of(name, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(get(name)(images, strength, draw_of(name, 2)), expected)


@each_depth
def test_the_largest_strength_works(name: str, channels: int, scenes: Scenes) -> None:
    images, strength = scenes(2, channels, *sides(name, 28, 31)), get(name).max_strength
    result = get(name)(images, strength, draw_of(name, 2))
    assert result.isfinite().all()
    assert torch.equal(result, get(name)(images, torch.full((2,), strength), draw_of(name, 2)))


@each
def test_strength_out_of_range_is_refused(name: str, scenes: Scenes) -> None:
    largest = get(name).max_strength
    for strength in (-0.1, largest + 0.1, float("nan")):
        with pytest.raises(ProbeError, match="outside"):
            get(name)(scenes(1, 3, 28, 28), strength, draw_of(name, 1))
        each = torch.tensor([0.0, strength])
        with pytest.raises(ProbeError, match=r"not within \[0, "):
            get(name)(scenes(2, 3, 28, 28), each, draw_of(name, 2))
