"""What a survey finds of models that cannot be differentiated, or whose pictures hang together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from known_models import Constant, Linear, Threshold
from torch import Tensor, nn

from gradients.at import SIZE, Tanh, columns, deviations, jacobian, placed, some_pictures
from semaudit.errors import UsageError
from semaudit.gradients import survey
from semaudit.gradients.along import Slopes
from semaudit.trace import look

N = 5


class Together(Tanh):
    """Half of the mean of the batch is taken from every picture."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(0, keepdim=True) / 2)


class Detached(Linear):
    """Gives logits without a graph."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(images)


class Refusing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images):
        return images.clone()

    @staticmethod
    def backward(ctx, slope):
        raise AssertionError  # with nothing to say


class Refuses(Linear):
    """Raises on its way back."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(Refusing.apply(images))


class Rounded(Linear):
    """Its graph is whole and its gradient 0."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward((images * 8).round() / 8)


class Standardised(Tanh):
    """A grey picture, whose deviation is 0, has no finite gradient here; others do."""

    def forward(self, images: Tensor) -> Tensor:
        spread = (images - images.mean((1, 2, 3), keepdim=True)).square().mean((1, 2, 3)).sqrt()
        return super().forward(images / spread[:, None, None, None])


class OnlyOnce(torch.autograd.Function):
    """A square without forward mode, whose backward cannot be differentiated."""

    @staticmethod
    def forward(ctx, images):
        ctx.save_for_backward(images)
        return images.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return 2 * ctx.saved_tensors[0] * slope


class Once(Tanh):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(OnlyOnce.apply(images))


class Squared(torch.autograd.Function):
    """The same with a backward that can."""

    @staticmethod
    def forward(ctx, images):
        ctx.save_for_backward(images)
        return images.square()

    @staticmethod
    def backward(ctx, slope):
        return 2 * ctx.saved_tensors[0] * slope


class Twice(Tanh):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(Squared.apply(images))


def test_an_ordinary_model_has_all_and_nothing_to_say() -> None:
    found = survey(placed(Tanh(4, seed=1)))
    assert found.differentiator is not None
    assert found.differentiator.apart
    assert found.differentiator.directional == "forward"
    assert found.notes == ()


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (Detached(SIZE, 4, seed=1), "no operation with a derivative"),
        (Threshold(0.5), "no operation with a derivative"),
        (Constant(), "no operation with a derivative"),
        (Refuses(SIZE, 4, seed=1), "AssertionError"),
    ],
)
def test_without_a_gradient_it_says_so(module: nn.Module, why: str) -> None:
    found = survey(placed(module))
    assert found.differentiator is None
    (note,) = found.notes
    assert why in note
    assert "jacobian_frobenius is estimated from differences" in note


@pytest.mark.parametrize("way", ["no graph", "raises", "as the source says"])
def test_without_a_gradient_the_jacobian_is_measured_by_differences(way: str) -> None:
    module = {"no graph": Detached, "raises": Refuses}.get(way, Linear)(SIZE, 4, seed=1)
    model = replace(placed(module), differentiable=way != "as the source says")
    assert survey(model).differentiator is None
    found = columns(model, some_pictures(N), samples=900)
    exact = (module.head.weight.detach() / deviations(model)).norm()
    error, stated = found["jacobian_frobenius"] - exact, found["jacobian_frobenius_se"]
    assert (error.abs() < 4 * stated).all()
    assert float(stated.max() / exact) < 0.05
    others = [name for name in found if not name.startswith("jacobian_frobenius")]
    assert all(found[name].isnan().all() for name in others)


def test_a_gradient_of_0_is_named() -> None:
    found = survey(placed(Rounded(SIZE, 4, seed=1)))
    assert found.differentiator is not None
    (note,) = found.notes
    assert "0 throughout" in note


def test_pictures_that_hang_together_go_one_by_one_and_are_exact() -> None:
    model, images = placed(Together(4, seed=1)), some_pictures(N)
    ability = survey(model)
    assert ability.differentiator is not None
    assert not ability.differentiator.apart
    (note,) = ability.notes
    assert "one picture at a time" in note
    found = columns(model, images, torch.arange(N) % 4)
    with torch.no_grad():
        classes = model(images).logits.argmax(1)
    for k, image in enumerate(images):
        own = jacobian(model, image)  # in a batch of its own, as it is then measured
        length = float(own[classes[k]].norm())
        assert float(found["gradient_l2"][k]) == pytest.approx(length, rel=1e-9)
        alone = columns(model, images[k : k + 1])["linearity_error"]
        assert alone.isfinite().all()
    assert all(values.isfinite().all() for values in found.values())


def test_along_a_ladder_they_keep_the_outputs_of_their_batch() -> None:
    model, images = placed(Together(4, seed=1)), some_pictures(N)
    differentiator = survey(model).differentiator
    assert differentiator is not None
    with torch.no_grad():
        clean = look(model, images)
        slopes = Slopes.of(differentiator, clean, torch.arange(N) % 4)
        seen = slopes.look(images, torch.arange(N), loss=True)
    torch.testing.assert_close(seen.logits, clean.logits, rtol=0, atol=1e-12)
    for k, image in enumerate(images):
        own = jacobian(model, image)[clean.top_class[k]]
        torch.testing.assert_close(seen.gradient[k].flatten(), own, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("module", "way"), [(Twice, "double backward"), (Once, None)])
def test_the_spectral_norm_takes_the_way_there_is(module, way) -> None:
    model, images = placed(module(4, seed=1)), some_pictures(N)
    ability = survey(model)
    assert ability.differentiator is not None
    assert ability.differentiator.directional == way
    assert bool(ability.notes) == (way is None)
    found = columns(model, images)["jacobian_spectral"]
    if way is None:
        assert "jacobian_spectral is left out" in ability.notes[0]
        assert found.isnan().all()
        return
    for k, image in enumerate(images):
        largest = float(torch.linalg.svdvals(jacobian(model, image))[0])
        assert 0.9 * largest < float(found[k]) <= largest * (1 + 1e-9)


def test_a_grey_picture_is_not_what_it_is_tried_on() -> None:
    found = survey(placed(Standardised(4, seed=1)))
    assert found.notes == ()
    assert found.differentiator is not None


class Dropped(Tanh):
    """Drops what it sees in evaluation too."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(F.dropout(images, 0.3, training=True))


def test_dropout_that_was_left_on_is_measured_and_costs_no_random_number() -> None:
    model, images = placed(Dropped(4, seed=1)), some_pictures(N)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ability = survey(model)
    assert (torch.get_rng_state() == before).all()
    assert ability.notes == ()
    assert ability.differentiator is not None
    assert ability.differentiator.directional == "forward"
    found = columns(model, images, torch.arange(N) % 4)
    assert all(values.isfinite().all() for values in found.values())


def test_a_model_that_does_not_run_is_an_error() -> None:
    class Broken(Linear):
        def forward(self, images: Tensor) -> Tensor:
            raise ValueError("no")

    with pytest.raises(UsageError, match="fails on pictures"):
        survey(placed(Broken(SIZE, 4, seed=1)))


def test_out_of_memory_is_no_lack_of_gradients() -> None:
    class Full(torch.autograd.Function):
        @staticmethod
        def forward(ctx, images):
            return images.clone()

        @staticmethod
        def backward(ctx, slope):
            raise torch.OutOfMemoryError("out of memory")

    class Large(Linear):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(Full.apply(images))

    with pytest.raises(torch.OutOfMemoryError):
        survey(placed(Large(SIZE, 4, seed=1)))
