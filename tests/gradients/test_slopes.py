"""Norms and boundary distances against closed forms and torch's own functionals."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from known_models import Constant, Linear
from torch import Tensor

from gradients.at import PIXELS, SIZE, Tanh, columns, deviations, jacobian, placed, some_pictures

N = 9


@pytest.fixture(scope="module")
def linear():
    return placed(Linear(SIZE, 5, seed=3))


def weights_of(linear) -> Tensor:
    """By the picture in [0, 1]: those of the layer over the deviations of the normalisation."""
    return linear.module.head.weight / deviations(linear)


def test_of_a_linear_model_they_are_the_norms_of_its_weights(linear) -> None:
    images = some_pictures(N)
    found = columns(linear, images)
    rows = weights_of(linear)[linear(images).logits.argmax(1)]
    torch.testing.assert_close(found["gradient_l1"], rows.abs().sum(1), rtol=1e-12, atol=0)
    torch.testing.assert_close(found["gradient_l2"], rows.norm(dim=1), rtol=1e-12, atol=0)


def test_of_a_linear_model_of_two_classes_the_boundary_is_where_it_says(linear) -> None:
    """A step of that length along the dual direction brings two logits together."""
    images = some_pictures(N)
    logits = linear(images).logits
    found = columns(linear, images)
    (first, second), rows = logits.topk(2).indices.T, weights_of(linear)
    apart = rows[first] - rows[second]
    margin = logits[range(N), first] - logits[range(N), second]
    torch.testing.assert_close(
        found["boundary_l2"], margin / apart.norm(dim=1), rtol=1e-9, atol=1e-12
    )
    torch.testing.assert_close(
        found["boundary_linf"], margin / apart.abs().sum(1), rtol=1e-9, atol=1e-12
    )
    for step in (
        found["boundary_l2"][:, None] * F.normalize(apart, dim=1),
        found["boundary_linf"][:, None] * apart.sign(),
    ):
        reached = linear(images - step.view(N, *SIZE)).logits
        one, other = reached[range(N), first], reached[range(N), second]
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_of_a_network_they_are_those_of_torch_s_jacobian() -> None:
    model, images = placed(Tanh(6, seed=1)), some_pictures(N)
    found = columns(model, images)
    for k, image in enumerate(images):
        whole, logits = jacobian(model, image), model(image[None]).logits[0]
        first, second = logits.topk(2).indices
        assert float(found["gradient_l2"][k]) == pytest.approx(float(whole[first].norm()), rel=1e-9)
        slope = whole[first] - whole[second]
        distance = float((logits[first] - logits[second]) / slope.norm())
        assert float(found["boundary_l2"][k]) == pytest.approx(distance, rel=1e-9)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_loss_is_torch_s_and_nothing_without_a_label(activation) -> None:
    model, images = placed(Tanh(6, seed=1), activation), some_pictures(N)
    labels = torch.tensor([0, 5, -1, 2, 3, -1, 1, 4, 0])
    found = columns(model, images, labels)
    leaf = images.clone().requires_grad_()
    logits, known = model(leaf).logits, labels >= 0
    if activation == "softmax":
        losses = F.cross_entropy(logits[known], labels[known], reduction="none")
    else:
        chosen = logits[known].gather(1, labels[known, None])
        losses = F.binary_cross_entropy_with_logits(
            chosen, torch.ones_like(chosen), reduction="none"
        )
    (slope,) = torch.autograd.grad(losses.sum(), leaf)
    slope = slope.flatten(1)[known]
    for name, order in (("loss_gradient_l1", 1), ("loss_gradient_l2", 2)):
        assert found[name].isnan().tolist() == (~known).tolist()
        torch.testing.assert_close(
            found[name][known], slope.norm(order, dim=1), rtol=1e-10, atol=1e-14
        )


@pytest.mark.parametrize("labels", [None, torch.full((N,), -1)])
def test_without_any_label_every_column_of_the_loss_is_empty(labels) -> None:
    found = columns(placed(Tanh(6, seed=1)), some_pictures(N), labels)
    of_loss = [name for name in found if name.startswith("loss_")]
    assert len(of_loss) == 6
    assert all(found[name].isnan().all() for name in of_loss)


def test_the_margin_of_labels_is_the_logit_nearest_to_0() -> None:
    model, images = placed(Tanh(6, seed=1), "sigmoid"), some_pictures(N)
    found = columns(model, images)
    for k, image in enumerate(images):
        logits, whole = model(image[None]).logits[0], jacobian(model, image)
        nearest = logits.abs().argmin()
        distance = float(logits[nearest].abs() / whole[nearest].abs().sum())
        assert float(found["boundary_linf"][k]) == pytest.approx(distance, rel=1e-9)


class Cut(Linear):
    """Has a graph, whose gradient is 0: the picture is rounded to 0 and 1."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.round())


class Overflowing(Linear):
    """A slope that is infinite, of a finite value."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + (images * 0).sqrt().sum((1, 2, 3))[:, None]


@pytest.mark.parametrize("module", [Cut, Overflowing])
def test_a_gradient_of_0_or_beyond_range_is_no_number_in_any_column(module) -> None:
    model, labels = placed(module(SIZE, 5, seed=3)), torch.arange(N) % 5
    found = columns(model, some_pictures(N), labels)
    assert len(found) == 20
    for name, values in found.items():
        assert values.isnan().all(), name


def test_a_model_that_sees_nothing_has_no_slope() -> None:
    found = columns(placed(Constant()), some_pictures(N).float())
    assert all(values.isnan().all() for values in found.values())


def test_the_precision_is_that_of_pixels(linear) -> None:
    """Pictures of float32, as in a scan, give the same to float32."""
    images = some_pictures(N)
    single, double = columns(linear, images.float()), columns(linear, images)
    assert PIXELS * torch.finfo(torch.float32).eps < 1e-5
    for name in ("gradient_l1", "gradient_l2", "jacobian_spectral"):
        torch.testing.assert_close(single[name], double[name], rtol=1e-5, atol=0)
