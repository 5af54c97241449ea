"""DS: how far apart the outputs for a picture and its changed form are, as a term of a loss.

Each is differentiable, ``(clean, views) -> (n,)``, of the view of n clean pictures and those of one
or more changed forms of the same pictures. They rest on the functions that a scan measures with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from semaudit import divergence
from semaudit.errors import UsageError
from semaudit.metrics.views import View

Distance = Literal["jsd", "kl", "prob", "logit", "cosine", "jsd-views"]

DISTANCE_NAMES: tuple[Distance, ...] = get_args(Distance)


def jsd(clean: View, views: Sequence[View]) -> Tensor:
    """The semantic shift of a scan, the mean over views, (n,) in [0, 1].

    The Jensen-Shannon divergence in bits; of embeddings (1 - cos) / 2.
    """
    return _mean([clean.shift_to(view) for view in views])


def jsd_views(clean: View, views: Sequence[View]) -> Tensor:
    """How far all outputs for a picture lie from their mean, (n,) in [0, 1].

    The mean KL of each output to their mean, as a share of its largest value, log2 of their number
    (Hendrycks et al. 2020, "AugMix"). Embeddings have no mean distribution: of them, `jsd`.
    """
    if clean.activation == "none":
        return jsd(clean, views)
    outputs = torch.stack([view.distributions for view in (clean, *views)])
    return divergence.jensen_shannon_of(outputs).mean(-1)


def kl(clean: View, views: Sequence[View]) -> Tensor:
    """KL(clean || changed) in bits, the mean over labels and views, (n,) in [0, inf)."""
    return _mean(
        [
            divergence.kullback_leibler(clean.distributions, view.distributions).mean(-1)
            for view in views
        ]
    )


def prob(clean: View, views: Sequence[View]) -> Tensor:
    """Squared Euclidean distance of the probabilities, the mean over views, (n,).

    At most 2 for a softmax, and at most the number of labels for those.
    """
    return _mean([(clean.probabilities - view.probabilities).square().sum(-1) for view in views])


def logit(clean: View, views: Sequence[View]) -> Tensor:
    """Mean squared difference of centred logits, the mean over views, (n,) in [0, inf)."""
    return _mean([(clean.scores - view.scores).square().mean(-1) for view in views])


def cosine(clean: View, views: Sequence[View]) -> Tensor:
    """1 - cos of the features before the last layer, the mean over views, (n,) in [0, 2].

    Raises:
        UsageError: the model shows no features.
    """
    return _mean([_cosine(clean.features, view.features) for view in views])


def _cosine(features: Tensor | None, other: Tensor | None) -> Tensor:
    if features is None or other is None:
        raise UsageError(
            "--distance cosine needs the input of the last classifying layer, and this model "
            "shows none: take another distance"
        )
    return divergence.cosine_distance(features, other)


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(0)


DISTANCES: dict[Distance, Callable[[View, Sequence[View]], Tensor]] = {
    "jsd": jsd,
    "kl": kl,
    "prob": prob,
    "logit": logit,
    "cosine": cosine,
    "jsd-views": jsd_views,
}
