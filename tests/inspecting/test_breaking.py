"""The break of models whose break is known in closed form."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from known_models import BreaksWhenBright, Constant, Linear, Threshold, classifier, pictures
from scipy.optimize import brentq
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, softmax
from torch import Tensor, nn

from semaudit import models
from semaudit.errors import AuditError, ImageError, UsageError
from semaudit.gradients import Ability
from semaudit.inspecting import Case, break_of, words
from semaudit.models import Classifier, PreprocessingOverrides
from semaudit.perturbations import Draw
from semaudit.worst import CHEAP

SIZE = (3, 6, 6)
SHARP = 3.0
LEAP = jensenshannon([expit(SHARP), expit(-SHARP)], [expit(-SHARP), expit(SHARP)], base=2)
CLOSE = 1e-3


def brighter(count: int) -> list[str]:
    """Ids of pictures that the probe brightness brightens under seed 0."""
    ids = [f"{k}" for k in range(4 * count)]
    signs = Draw.of(0, "brightness", ids).sign().flatten().tolist()
    return [name for name, sign in zip(ids, signs, strict=True) if sign > 0][:count]


def grey(value: float = 0.5) -> Tensor:
    return torch.full((1, *SIZE), value)


def activated(module: nn.Module, activation: str) -> Classifier:
    overrides = PreprocessingOverrides(input_size=SIZE)
    return models.load(module, overrides=overrides, activation=activation)


def close_above(found: float, true: float) -> bool:
    """Whether an onset is the true one, rounded up by a thousandth at most."""
    return true * (1 - 1e-5) <= found <= true * (1 + CLOSE + 1e-5)


class Dropping(nn.Module):
    """A network that leaves half of its input out, at random, whatever its mode."""

    num_classes = 4

    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear(SIZE, 4, seed=1, scale=2)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(nn.functional.dropout(images, 0.5))


def test_of_a_random_answer_no_flip_is_claimed() -> None:
    torch.manual_seed(0)
    case = break_of(classifier(Dropping(), SIZE), grey(), "a", "brightness")
    assert case.random
    assert not case.flips
    assert words.where(case) == "cannot be told: the answer is random here"
    assert "turns into" not in words.turned(case)
    assert any("two identical runs" in note for note in case.notes)


@pytest.mark.parametrize("at", [0.5003, 0.513, 0.57, 0.688])
def test_a_step_at_a_known_brightness(at: float) -> None:
    case = break_of(classifier(Threshold(at, SHARP), SIZE), grey(), brighter(1)[0], "brightness")
    assert case.flips
    assert close_above(case.after.strength, at - 0.5)
    assert case.after.strength - case.before.strength <= CLOSE * case.after.strength
    assert case.before.strength < at - 0.5 + 1e-7
    assert (case.clean.decided, case.before.decided, case.after.decided) == ((0,), (0,), (1,))
    np.testing.assert_allclose(case.before.probabilities, [expit(SHARP), expit(-SHARP)])
    np.testing.assert_allclose(case.after.probabilities, [expit(-SHARP), expit(SHARP)])
    assert case.leap == pytest.approx(LEAP)
    assert case.shift == pytest.approx(LEAP**2)
    assert case.share == pytest.approx(1)
    assert case.moved.rms == pytest.approx(case.after.strength, rel=1e-4)
    assert case.moved.linf == pytest.approx(case.after.strength, rel=1e-4)
    assert case.gradient_turn is None
    assert case.saliency is None
    assert "no input gradients can be had" in case.notes[0]


def test_the_sweep_holds_the_ends_and_every_rung() -> None:
    case = break_of(classifier(Threshold(0.57), SIZE), grey(), brighter(1)[0], "brightness")
    assert len(case.sweep.even) == 33
    ladder = case.probe.ladder
    assert {0.0, *ladder} <= {*case.sweep.strengths}
    assert (np.diff(case.sweep.strengths) > 0).all()
    np.testing.assert_allclose(np.diff(case.sweep.strengths[case.sweep.even]), ladder[-1] / 32)
    np.testing.assert_allclose(case.rung_shifts > 0.1, np.array(ladder) >= 0.07)
    assert case.sweep.step.sum() == pytest.approx(case.leap, rel=1e-6)


def test_a_softmax_model_crosses_without_a_leap() -> None:
    """Of a linear model the place, both answers and the gradient are known."""
    module = Linear(SIZE, 3, seed=5, scale=0.4)
    image = pictures(1, SIZE, seed=2)
    weight = module.head.weight.detach().numpy()
    slope = weight.sum(1)
    low, _, high = (int(k) for k in np.argsort(slope))
    with torch.no_grad():
        module.head.bias -= module(image)[0]
        module.head.bias[low] += 0.08 * (slope[high] - slope[low])
    base = module(image)[0].detach().numpy()
    name = brighter(1)[0]
    case = break_of(classifier(module, SIZE), image, name, "brightness")
    first, other = case.clean.decided[0], case.after.decided[0]
    assert first != other
    true = (base[first] - base[other]) / (slope[other] - slope[first])
    assert close_above(case.after.strength, true)
    for side in (case.clean, case.before, case.after):
        expected = softmax(base + side.strength * slope)
        np.testing.assert_allclose(side.probabilities, expected, atol=1e-5)
    assert case.share < 0.02
    assert case.gradient_turn == pytest.approx(0, abs=1e-6)
    assert case.saliency is not None
    expected = np.abs(weight[first].reshape(SIZE)).max(0)
    np.testing.assert_allclose(case.saliency[0], expected, rtol=1e-5)
    np.testing.assert_allclose(case.saliency[2], expected, rtol=1e-5)
    assert case.shown[:2] == (first, other)


def test_the_straight_way_to_a_searched_change() -> None:
    """The worst L-infinity change of a two-class linear model is the sign of the weights."""
    module = Linear(SIZE, 2, seed=5, scale=3.0)
    image = pictures(1, SIZE, seed=3)
    weight = (module.head.weight[0] - module.head.weight[1]).detach()
    with torch.no_grad():
        logits = module(image)[0]
        module.head.bias[0] += 0.004 * weight.abs().sum() - (logits[0] - logits[1])
    effort = CHEAP.towards("margin")
    case = break_of(classifier(module, SIZE), image, "a", "worst_linf", effort=effort)
    assert (case.searched, case.flips) == (True, True)
    assert case.after.strength == pytest.approx(0.004, rel=5e-3)
    assert case.moved.linf <= case.after.strength * (1 + 1e-4)
    assert len(case.rung_shifts) == len(case.probe.ladder)
    assert case.sweep.strengths[-1] in case.probe.ladder
    assert (np.diff(case.rung_shifts) >= -1e-9).all()


class Ramp(nn.Module):
    """Two classes, class 0 throughout, that near each other fastest at one brightness."""

    num_classes = 2

    def forward(self, images: Tensor) -> Tensor:
        mean = images.double().mean((1, 2, 3))
        logit = 2 + 1.5 * torch.tanh((0.6 - mean) * 60)
        return torch.stack([logit, torch.zeros_like(logit)], 1)


def test_where_nothing_flips_it_is_the_steepest_step() -> None:
    case = break_of(classifier(Ramp(), SIZE), grey(), brighter(1)[0], "brightness")
    assert not case.flips
    assert case.before.strength <= 0.1 + 0.02
    assert case.after.strength >= 0.1 - 0.02
    top = case.probe.ladder[-1]
    assert case.after.strength - case.before.strength == pytest.approx(top / 32)
    even = case.sweep.strengths[case.sweep.even]
    margin = 2 + 1.5 * np.tanh((0.1 - even) * 60)
    p = np.stack([expit(margin), expit(-margin)], 1)
    steps = [jensenshannon(a, b, base=2) for a, b in pairwise(p)]
    assert case.before.strength == even[int(np.argmax(steps))]
    assert case.leap == pytest.approx(max(steps), rel=1e-4)
    assert 1 / 32 < case.share < 1


def test_an_output_that_never_moves() -> None:
    case = break_of(classifier(Constant(), SIZE), grey(), "a", "brightness")
    assert not case.flips
    assert case.leap == 0
    assert math.isnan(case.share)


class Labels(nn.Module):
    """Three labels that hold from a mean brightness on, up to one, and always."""

    num_classes = 3

    def forward(self, images: Tensor) -> Tensor:
        mean = images.double().mean((1, 2, 3))
        return torch.stack([20 * (mean - 0.55), 20 * (0.6 - mean), mean + 1], 1)


def test_labels_flip_as_a_set() -> None:
    case = break_of(activated(Labels(), "sigmoid"), grey(), brighter(1)[0], "brightness")
    assert close_above(case.after.strength, 0.05)
    assert (case.before.decided, case.after.decided) == ((1, 2), (0, 1, 2))
    assert case.shown[0] == 0
    np.testing.assert_allclose(case.after.probabilities[0], 0.5, atol=1e-3)


class Embedding(nn.Module):
    """A vector that turns by the mean brightness, most at one of them."""

    def forward(self, images: Tensor) -> Tensor:
        angle = torch.atan((images.double().mean((1, 2, 3)) - 0.6) * 40)
        return torch.stack([angle.cos(), angle.sin()], 1)


def test_an_embedding_has_no_classes() -> None:
    case = break_of(activated(Embedding(), "none"), grey(), brighter(1)[0], "brightness")
    assert not case.flips
    assert case.shown == ()
    assert (case.before.decided, case.saliency, case.gradient_turn) == ((), None, None)
    assert case.before.strength <= 0.1 <= case.after.strength
    angle = np.arctan((case.sweep.strengths - 0.1) * 40)
    np.testing.assert_allclose(case.sweep.shift, (1 - np.cos(angle - angle[0])) / 2, atol=1e-4)


def test_a_model_without_gradients() -> None:
    module = classifier(Linear(SIZE, 3, seed=5), SIZE)
    case = break_of(module, pictures(1, SIZE, 2), "a", "brightness", ability=Ability(None))
    assert case.saliency is None
    assert "no input gradients" in case.notes[0]
    searched = break_of(module, pictures(1, SIZE, 2), "a", "worst_linf", ability=Ability(None))
    assert searched.searched


def test_a_flip_at_any_strength_ends() -> None:
    class Clean(nn.Module):
        num_classes = 2

        def forward(self, images: Tensor) -> Tensor:
            changed = (images - 0.5).abs().amax((1, 2, 3)).double() > 0
            return torch.stack([(~changed).double(), changed.double()], 1)

    case = break_of(classifier(Clean(), SIZE), grey(), brighter(1)[0], "brightness")
    assert case.flips
    assert case.after.strength < 1e-6


def test_what_cannot_be_asked() -> None:
    model = classifier(Threshold(0.57), SIZE)
    with pytest.raises(UsageError, match="did you mean 'brightness'"):
        break_of(model, grey(), "a", "brightnes")
    for images in (torch.zeros(2, *SIZE), torch.zeros(SIZE), torch.zeros(1, *SIZE).int()):
        with pytest.raises(ImageError, match="one picture is a float tensor"):
            break_of(model, images, "a", "brightness")
    with pytest.raises(ImageError, match="must lie in"):
        break_of(model, grey(float("nan")), "a", "brightness")
    nan = classifier(BreaksWhenBright(Threshold(0.9), 0.6), SIZE)
    with pytest.raises(AuditError, match=r"under brightness at 0\.1.* is not finite"):
        break_of(nan, grey(), brighter(1)[0], "brightness")


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_batch_size_makes_no_difference(batch_size: int) -> None:
    model = classifier(Linear(SIZE, 3, seed=5, scale=0.4), SIZE)

    def found(size: int) -> Case:
        return break_of(model, pictures(1, SIZE, 2), "a", "gaussian_noise", batch_size=size)

    one, other = found(batch_size), found(8)
    assert one.after.strength == pytest.approx(other.after.strength, rel=2e-3)
    np.testing.assert_allclose(one.sweep.shift, other.sweep.shift, atol=1e-9)


def test_contrast_against_a_root_finder() -> None:
    """A nonlinear way: gamma, whose mean brightness crosses the threshold at a known exponent."""
    image = pictures(1, SIZE, seed=4)
    values = image.double().numpy()
    sign = float(Draw.of(0, "gamma", ["a"]).sign())
    end = np.power(values, 1.5 if sign > 0 else 1 / 1.5).mean()
    at = (values.mean() + end) / 2
    model = classifier(Threshold(at), SIZE)
    case = break_of(model, image, "a", "gamma")

    def apart(s: float) -> float:
        return float(np.power(values, 1 + s if sign > 0 else 1 / (1 + s)).mean() - at)

    assert close_above(case.after.strength, brentq(apart, 0, 0.5))
