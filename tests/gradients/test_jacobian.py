"""The Jacobian's norms against torch's own functional, and what the estimates say of themselves."""

from __future__ import annotations

import math

import pytest
import torch
from known_models import Linear
from torch import nn

from gradients.at import (
    SIZE,
    Tanh,
    columns,
    deviations,
    draw_of,
    jacobian,
    placed,
    point_at,
    some_pictures,
)
from semaudit.gradients.differentiate import Differentiator
from semaudit.gradients.jacobian import frobenius_by_differences, spectral
from semaudit.gradients.point import Point
from semaudit.metric import CONVERGED

N = 6


def test_of_a_linear_model_they_are_the_norms_of_its_weights() -> None:
    model = placed(Linear(SIZE, 5, seed=3))
    weights = model.module.head.weight / deviations(model)
    found = columns(model, some_pictures(N), samples=600)
    error = found["jacobian_frobenius"] - weights.norm()
    assert (error.abs() < 4 * found["jacobian_frobenius_se"]).all()
    assert float(found["jacobian_frobenius_se"].max() / weights.norm()) < 0.02
    with point_at(model, some_pictures(N)) as point:
        exact = spectral(point, 12, tolerance=1e-9)
    largest = torch.linalg.svdvals(weights)[0]
    torch.testing.assert_close(exact["jacobian_spectral"], largest.expand(N), rtol=1e-9, atol=0)
    assert float(exact["jacobian_spectral_residual"].max()) < 1e-6


def test_of_a_network_they_are_those_of_torch_s_jacobian() -> None:
    model, images = placed(Tanh(6, seed=1)), some_pictures(N)
    found = columns(model, images, samples=600)
    with point_at(model, images) as point:
        exact = spectral(point, 12, tolerance=1e-9)
    for k, image in enumerate(images):
        whole = jacobian(model, image)
        off = float(found["jacobian_frobenius"][k] - whole.norm())
        assert abs(off) < 4 * float(found["jacobian_frobenius_se"][k])
        assert float(exact["jacobian_spectral"][k]) == pytest.approx(
            float(torch.linalg.svdvals(whole)[0]), rel=1e-9
        )


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_a_singular_value_lies_within_the_residual(iterations: int) -> None:
    """And the estimate is never above the largest."""
    model, images = placed(Tanh(6, seed=1)), some_pictures(30)
    with point_at(model, images) as point:
        found = spectral(point, iterations, tolerance=0)
    for k, image in enumerate(images):
        values = torch.linalg.svdvals(jacobian(model, image))
        value = float(found["jacobian_spectral"][k])
        assert value <= float(values[0]) * (1 + 1e-12)
        distance = float((values - value).abs().min())
        assert distance <= value * float(found["jacobian_spectral_residual"][k]) + 1e-12


@pytest.mark.parametrize("samples", [2, 4])
def test_what_has_converged_is_near_the_largest(samples: int) -> None:
    """From below, and never by more than the square of the residual makes likely."""
    model, images = placed(Tanh(6, seed=1)), some_pictures(30)
    found = columns(model, images, samples=samples, only="jacobian_spectral")
    largest = torch.stack([torch.linalg.svdvals(jacobian(model, each))[0] for each in images])
    share = found["jacobian_spectral"] / largest
    assert (share <= 1 + 1e-9).all()
    assert (found["jacobian_spectral_residual"] <= CONVERGED).double().mean() > 0.9
    assert share[found["jacobian_spectral_residual"] <= CONVERGED].min() > 0.97


def test_the_square_is_unbiased_and_its_standard_error_is_right() -> None:
    """Two thousand draws of four projections at one picture, against the exact square."""
    model, images = placed(Tanh(6, seed=1)), some_pictures(2000, same=True)
    with point_at(model, images[:1]) as one:
        exact = float(jacobian(model, one.images[0]).square().sum())
    found = columns(model, images, samples=4, only="jacobian_frobenius")
    squares = found["jacobian_frobenius"].square()
    score = float((squares.mean() - exact) / (squares.std() / math.sqrt(len(squares))))
    assert abs(score) < 3.5
    # What each says of its square's variance is right on average.
    stated = (2 * found["jacobian_frobenius"] * found["jacobian_frobenius_se"]).square()
    assert float(stated.mean() / squares.var()) == pytest.approx(1, abs=0.15)


def test_one_projection_has_no_standard_error() -> None:
    found = columns(placed(Tanh(6, seed=1)), some_pictures(N), samples=1)
    assert found["jacobian_frobenius"].isfinite().all()
    assert found["jacobian_frobenius_se"].isnan().all()


def test_differences_find_what_gradients_would() -> None:
    """Exact directional derivatives of a linear model, unbiased, with the right error."""
    model, n = placed(Linear(SIZE, 5, seed=3)), 2000
    weights = model.module.head.weight / deviations(model)
    images = some_pictures(n, same=True)
    with torch.no_grad():
        logits = model(images).logits
    with point_at(model, images[:1]) as one:
        view = one.view
    nothing = torch.zeros_like(images)
    point = Point(
        differentiator=Differentiator(model),
        view=type(view)(images, logits, None),
        logit=one.logit,
        loss=None,
        draw=draw_of(n),
        samples=4,
        gradient=nothing,
        loss_gradient=None,
        margin=logits[:, 0],
        margin_gradient=nothing,
    )
    with torch.no_grad():
        found = frobenius_by_differences(point)
    squares, exact = found["jacobian_frobenius"].square(), float(weights.square().sum())
    assert abs(float((squares.mean() - exact) / (squares.std() / math.sqrt(n)))) < 3.5
    stated = (2 * found["jacobian_frobenius"] * found["jacobian_frobenius_se"]).square()
    assert float(stated.mean() / squares.var()) == pytest.approx(1, abs=0.15)


class Embedding(Tanh):
    """The same numbers, that name no class."""


def test_an_embedding_has_a_jacobian_and_nothing_else() -> None:
    model, images = placed(Embedding(6, seed=1), "none"), some_pictures(N)
    found = columns(model, images, torch.zeros(N, dtype=torch.int64))
    of_jacobian = {name for name in found if name.startswith("jacobian_")}
    assert len(of_jacobian) == 4
    for name, values in found.items():
        assert (values.isfinite() if name in of_jacobian else values.isnan()).all(), name


@pytest.mark.parametrize("way", ["forward", "double backward"])
def test_both_ways_along_a_direction_are_the_jacobian_s(way) -> None:
    model, images = placed(Tanh(6, seed=1)), some_pictures(N)
    direction = some_pictures(N, seed=5) - 0.5
    along = Differentiator(model, directional=way).along(images, direction)
    for k, image in enumerate(images):
        expected = jacobian(model, image) @ direction[k].flatten()
        torch.testing.assert_close(along[k], expected, rtol=1e-10, atol=1e-12)


def test_a_flat_model_has_no_norm_of_0() -> None:
    class Flat(nn.Module):
        num_classes = 3

        def forward(self, images):
            return images.flatten(1)[:, :3] * 0

    found = columns(placed(Flat()), some_pictures(N))
    assert all(values.isnan().all() for values in found.values())
