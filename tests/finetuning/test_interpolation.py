"""Weights in between, and the choice among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from semaudit.finetuning.choosing import Choice, advice_on, choose
from semaudit.finetuning.interpolation import Point, between, interpolated, statistics_from
from semaudit.finetuning.student import batch_norms, weights_of, with_weights
from semaudit.models import load

from .gratings import gratings, trained

ORIGINAL = Point(0.0, 0.04, 0.1, 0.9, 0.0, 0.5, 0.0)
BETTER = Point(0.5, 0.03, 0.08, 0.9, 0.0, 0.5, 0.005)


def point(**changed: Any) -> Point:
    return replace(BETTER, **changed)


def test_the_most_continuous_that_keeps_accuracy_is_taken() -> None:
    far = point(share=1.0, shift=0.01, drop=0.6)
    near = point(share=0.9, shift=0.02, drop=0.5)
    assert choose([ORIGINAL, BETTER, near, far], 0.5, "accuracy").point == near
    assert choose([ORIGINAL, BETTER, near, far], 1.0, "accuracy").point == far


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"gain_low": -1e-6}, "no weights have surely less shift"),
        ({"shift": float("nan")}, "not finite"),
        ({"drop": 0.51}, "lose more accuracy"),
        ({"flips": 0.12, "entropy": 0.9}, "flip more often: 10.00 % -> 12.00 %"),
    ],
)
def test_the_original_is_kept_and_the_reason_said(changed: dict[str, Any], said: str) -> None:
    choice = choose([ORIGINAL, point(**changed)], 0.5, "accuracy")
    assert choice.point is None
    assert said in choice.why


def test_the_advice_is_not_to_train_harder_where_training_diverged() -> None:
    choice = choose([ORIGINAL, point(gain_low=-1e-6)], 0.5, "accuracy")
    assert "a larger --lr" in advised(choice)
    diverged = advised(choice, diverged=True)
    assert "larger --lr" not in diverged
    assert "a smaller --lr, or --clip-grad" in diverged


def test_the_advice_fits_what_was_done() -> None:
    missed = point(gain_low=-1e-6)
    overshot = choose([ORIGINAL, missed, replace(missed, share=1.0, shift=0.5)], 0.5, "accuracy")
    assert "a smaller --lr" in advised(overshot)
    for choice in (overshot, choose([ORIGINAL, missed], 0.5, "accuracy")):
        searched = advised(choice, searched=True)
        assert "--alpha auto" not in searched
        assert "--lr" not in searched
        assert "--auto-time" in searched
    untrained = choose([ORIGINAL], 0.5, "accuracy")
    assert untrained.why == "no update was left of training"
    for choice in (untrained, choose([ORIGINAL, point()], 0.5, "accuracy")):
        assert advice_on(choice, diverged=False, searched=False) is None


def advised(choice: Choice, *, diverged: bool = False, searched: bool = False) -> str:
    said = advice_on(choice, diverged=diverged, searched=searched)
    assert said is not None
    return said


def test_flips_that_are_none_do_not_count() -> None:
    nan = float("nan")
    points = [replace(ORIGINAL, flips=nan), point(flips=nan)]
    assert choose(points, 0.5, "agreement with the original").point == points[1]


def test_weights_in_between() -> None:
    one = {"w": torch.zeros(3), "count": torch.tensor(1)}
    other = {"w": torch.ones(3), "count": torch.tensor(5)}
    assert torch.equal(between(one, other, 0.0)["w"], one["w"])
    assert torch.equal(between(one, other, 1.0)["w"], other["w"])
    middle = between(one, other, 0.3)
    assert torch.allclose(middle["w"], torch.full((3,), 0.3))
    assert middle["count"] == 5


def test_statistics_are_the_mean_over_batches_and_nothing_else_moves() -> None:
    classifier = load(trained())
    images, _ = gratings(64)
    refresh = statistics_from(lambda: list(images.split(32)))
    weights = weights_of(classifier.module)
    spoilt = {key: value + 1 if "running_mean" in key else value for key, value in weights.items()}
    made = interpolated(classifier, weights, spoilt, 0.5, refresh)
    first = batch_norms(made.module)[0]
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in
                 (classifier.preprocessing.mean, classifier.preprocessing.std))  # fmt: skip
    inputs: list[torch.Tensor] = []
    hook = first.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    with torch.no_grad():
        made.module((images - mean) / std)
    hook.remove()
    assert torch.allclose(first.running_mean, inputs[0].mean((0, 2, 3)), atol=1e-5)
    assert not first.training
    assert first.momentum == batch_norms(classifier.module)[0].momentum
    moved = dict(made.module.named_parameters())
    assert all(torch.equal(value, weights[key]) for key, value in moved.items())
    assert all(
        torch.equal(value, weights[key])
        for key, value in weights_of(with_weights(classifier, weights).module).items()
    )
