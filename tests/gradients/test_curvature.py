"""Curvature against known Hessians; the tangent's error against the largest there is."""

from __future__ import annotations

import itertools

import pytest
import torch
from known_models import Linear, rng

from gradients.at import (
    PIXELS,
    SIZE,
    Quadratic,
    Tanh,
    columns,
    deviations,
    draw_of,
    hessian,
    jacobian,
    placed,
    point_at,
    some_pictures,
)
from semaudit.gradients import curvature
from semaudit.gradients.algebra import unit
from semaudit.gradients.curvature import DIRECTIONS, RADIUS, tangent_error

N = 7


def of_pictures(model, images):
    """The clean class, its gradient and its Hessian by the picture, by torch's functionals."""
    for image in images:
        top = int(model(image[None]).logits.argmax())
        yield jacobian(model, image)[top], hessian(model, image, top)


def random_directions(n: int, samples: int = 4):
    count = min(DIRECTIONS, samples)
    fields = [unit(draw_of(n).normal(*SIZE, stream=k).double()).flatten(1) for k in range(count)]
    return torch.stack(fields, 1)


def test_a_linear_model_is_not_curved_and_its_tangent_is_itself() -> None:
    model = placed(Linear(SIZE, 5, seed=3))
    found = columns(model, some_pictures(N))
    for name in ("curvature_gradient", "curvature_random", "linearity_error"):
        assert float(found[name].abs().max()) < 1e-11, name


def test_of_a_quadratic_model_it_is_exact() -> None:
    model = placed(Quadratic(4, seed=2))
    images = some_pictures(N)
    found = columns(model, images)
    directions, scale = random_directions(N), deviations(model)
    for k, image in enumerate(images):
        top = int(model(image[None]).logits.argmax())
        bent = model.module.hessian[top] / scale[:, None] / scale
        normalised = image.flatten() - torch.tensor(
            model.preprocessing.mean, dtype=torch.float64
        ).repeat_interleave(PIXELS // 3)
        slope = bent @ normalised + model.module.slope[top] / scale
        along = bent @ (slope / slope.norm())
        random = (directions[k] @ bent).norm(dim=1).mean()
        assert float(found["curvature_gradient"][k]) == pytest.approx(float(along.norm()), rel=1e-9)
        assert float(found["curvature_random"][k]) == pytest.approx(float(random), rel=1e-9)


def test_of_a_network_small_steps_give_torch_s_hessian(monkeypatch) -> None:
    monkeypatch.setattr(curvature, "STEP_RMS", 1e-6)
    model, images = placed(Tanh(5, seed=4)), some_pictures(N)
    found, directions = columns(model, images), random_directions(N)
    for k, (slope, bent) in enumerate(of_pictures(model, images)):
        along = float((bent @ slope / slope.norm()).norm())
        random = float((directions[k] @ bent).norm(dim=1).mean())
        assert float(found["curvature_gradient"][k]) == pytest.approx(along, rel=1e-4)
        assert float(found["curvature_random"][k]) == pytest.approx(random, rel=1e-4)


def test_the_curvature_of_the_loss_is_that_of_torch_s_hessian(monkeypatch) -> None:
    monkeypatch.setattr(curvature, "STEP_RMS", 1e-6)
    model, images = placed(Tanh(5, seed=4)), some_pictures(3)
    labels = torch.tensor([2, -1, 0])
    found = columns(model, images, labels)
    assert found["loss_curvature_gradient"].isnan().tolist() == [False, True, False]
    for k in (0, 2):

        def loss(image, label=labels[k : k + 1]):
            return torch.nn.functional.cross_entropy(model(image[None]).logits, label)

        bent = torch.autograd.functional.hessian(loss, images[k]).reshape(PIXELS, PIXELS)
        slope = torch.autograd.functional.jacobian(loss, images[k]).flatten()
        along = float((bent @ slope / slope.norm()).norm())
        assert float(found["loss_curvature_gradient"][k]) == pytest.approx(along, rel=1e-4)
        random = float((random_directions(3)[k] @ bent).norm(dim=1).mean())
        assert float(found["loss_curvature_random"][k]) == pytest.approx(random, rel=1e-4)


class OfFew(Quadratic):
    """Only the first ten pixels matter, so that all corners of the ball can be tried."""

    def __init__(self) -> None:
        super().__init__(3, seed=6, scale=4.0, definite=True)
        keep = torch.arange(PIXELS) < 10
        self.hessian.data *= keep[:, None] & keep
        self.slope.data *= keep


def test_the_error_of_the_tangent_nears_the_largest_there_is_from_below() -> None:
    """d H d / 2, convex in d, is largest at a corner of the ball: of 1,024 that matter."""
    model, images = placed(OfFew()), some_pictures(40)
    found = columns(model, images, only="local_linearity")["linearity_error"]
    corners = torch.tensor(list(itertools.product((-RADIUS, RADIUS), repeat=10))).double()
    tops, scale = model(images).logits.argmax(1), deviations(model)[:10]
    shares = []
    for error, top in zip(found, tops, strict=True):
        bent = model.module.hessian[top, :10, :10] / scale[:, None] / scale
        largest = float(((corners @ bent) * corners).sum(1).max()) / 2
        shares.append(float(error) / largest)
    assert max(shares) <= 1 + 1e-9
    # Three points climb to a corner that is the largest of its neighbours, not always of all.
    assert min(shares) > 0.3
    assert sum(shares) / len(shares) > 0.65


def test_more_points_never_find_less() -> None:
    model, images = placed(Tanh(5, seed=4)), some_pictures(N)
    with point_at(model, images) as point:
        errors = [tangent_error(point, 0, 0.1, steps) for steps in (1, 2, 3, 6)]
    for fewer, more in itertools.pairwise(errors):
        assert (more >= fewer - 1e-15).all()
    assert (errors[-1] > errors[0]).all()


def test_the_first_point_is_half_way_to_a_drawn_corner() -> None:
    model, images = placed(Tanh(5, seed=4)), some_pictures(N)
    corner = draw_of(N).uniform(*SIZE, stream=2000).double().sub(0.5).sign() * 0.05
    with point_at(model, images) as point:
        found = tangent_error(point, 0, 0.1, 1)
        clean, moved = model(images).logits, model(images + corner).logits
        rows, top = range(N), clean.argmax(1)
        expected = (moved - clean)[rows, top] - (corner * point.gradient).sum((1, 2, 3))
    torch.testing.assert_close(found, expected.abs(), rtol=1e-9, atol=1e-13)


def test_a_unit_of_the_faintest_gradient_has_length_1() -> None:
    faint = torch.randn((3, *SIZE), generator=rng(0)) * 1e-42
    assert (faint != 0).any()
    torch.testing.assert_close(unit(faint).flatten(1).norm(dim=1), torch.ones(3))
    assert (unit(torch.zeros(2, *SIZE)) == 0).all()
