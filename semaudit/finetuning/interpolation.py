"""Between the original and the tuned weights: accuracy against shift.

WiSE-FT (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"): weights
(1 - a) original + a tuned, a in {0, 0.1, ..., 1}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from semaudit.finetuning.student import Weights, batch_norms, with_weights
from semaudit.finetuning.validation import Answers, Array
from semaudit.metrics.views import View
from semaudit.models import Classifier

SHARES = tuple(step / 10 for step in range(11))

CONFIDENCE = 0.95
"""One-sided, of the claim that the shift has fallen at all."""

Measure = Callable[[Classifier, View | None], Answers]
Refresh = Callable[[Classifier], None]
"""Takes BatchNorm's statistics anew, in place."""


@dataclass(frozen=True)
class Point:
    """Interpolated weights on validation.

    Attributes:
        share: of the tuned weights, a.
        shift: mean.
        flips: mean share of changed pictures with another answer; NaN for embeddings.
        kept: accuracy, or agreement with the original, in [0, 1].
        drop: by how many percentage points that is below the original's.
        entropy: mean, of the clean output: one that grows tells of answers that only fade.
        gain_low: by how much the shift has fallen at the least, a one-sided 95 % bound over
            pictures of the paired difference.
    """

    share: float
    shift: float
    flips: float
    kept: float
    drop: float
    entropy: float
    gain_low: float


def between(original: Weights, tuned: Weights, share: float) -> Weights:
    """(1 - share) original + share tuned; counters and the like are the tuned ones."""
    if share in (0.0, 1.0):
        return dict(tuned if share else original)

    def mixed(one: Tensor, other: Tensor) -> Tensor:
        return torch.lerp(one, other, share) if one.is_floating_point() else other

    return {key: mixed(value, tuned[key].to(value.device)) for key, value in original.items()}


def interpolated(
    classifier: Classifier, original: Weights, tuned: Weights, share: float, refresh: Refresh | None
) -> Classifier:
    """A classifier with weights in between; its statistics taken anew where they were trained."""
    made = with_weights(classifier, between(original, tuned, share))
    if refresh is not None and 0 < share < 1:
        refresh(made)
    return made


def frontier(
    classifier: Classifier,
    tuned: Weights,
    measure: Measure,
    *,
    refresh: Refresh | None = None,
    shares: Sequence[float] = SHARES,
    step: Callable[[int], None] = lambda _: None,
) -> list[Point]:
    """Measure weights from the original, at share 0, to the tuned ones."""
    original = classifier.module.state_dict()
    weights = {key: value for key, value in original.items() if isinstance(value, Tensor)}
    first = measure(classifier, None)
    points = [_point(0.0, first, first)]
    for number, share in enumerate(each for each in shares if each > 0):
        made = interpolated(classifier, weights, tuned, share, refresh)
        points.append(_point(share, measure(made, first.view), first))
        step(number + 1)
    return points


def _point(share: float, answers: Answers, first: Answers) -> Point:
    return Point(
        share=share,
        shift=float(answers.shift.mean()),
        flips=float(answers.flips.mean()),
        kept=float(answers.kept.mean()),
        drop=100 * float(first.kept.mean() - answers.kept.mean()),
        entropy=float(answers.entropy.mean()),
        gain_low=_lower_bound(first.shift - answers.shift),
    )


def _lower_bound(gains: Array) -> float:
    """Student's one-sided bound of a mean over pictures."""
    count = len(gains)
    error = float(gains.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    if error == 0:
        return float(gains.mean())
    return float(gains.mean()) - float(stats.t.ppf(CONFIDENCE, max(count - 1, 1))) * error


def statistics_from(batches: Callable[[], Sequence[Tensor]]) -> Refresh:
    """Take BatchNorm's statistics as the plain mean over batches of clean pictures."""

    def refresh(classifier: Classifier) -> None:
        layers = batch_norms(classifier.module)
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # torch's sign for the mean over all batches
            layer.train()
        with torch.no_grad():
            for images in batches():
                classifier(images)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()

    return refresh
