"""A constant classifier is perfectly continuous: it is named, not scored."""

from __future__ import annotations

import numpy as np
from scipy import special

from semaudit.layout import Array
from semaudit.metric import Activation
from semaudit.store import Samples

FEW = 10
"""Fewer pictures than this may all get one class by chance."""

CONSTANT_BITS = 1e-3
"""Outputs that tell less than this about which picture went in are one constant output."""

LITTLE = 0.01
"""Share of log2(classes) that trained classifiers tell far more than of different pictures; timm's
architectures of 1,000 classes with random weights told at most 0.09 bits of 20 photographs."""

UNDECIDED = 0.8
"""Share of log2(classes) above which the mean entropy is that of answers that were never learnt."""

CHANCE = 0.01
"""Probability below which so many right answers are no chance."""


def degenerate(
    samples: Samples,
    output_sum: Array,
    reference: Array,
    *,
    activation: Activation,
    labelled: bool,
) -> str | None:
    """Say why the model cannot be scored, if so.

    The mutual information of picture and output, H(mean output) - mean H(output), tells how much
    the output depends on the picture at all. Pictures that are alike have none either, so a
    constant also has to answer the reference pictures, a grey and a random one, as it does the
    rest. For embeddings of length 1, 1 - |m|**2 of their mean m takes the place of the entropy.

    Args:
        samples: the N pictures.
        output_sum: (g, k) sum of the N clean outputs, see `semaudit.measure.as_point`.
        reference: (2, g, k) outputs for the reference pictures.
        activation: what the outputs mean.
        labelled: whether the pictures have labels.
    """
    classes = samples.image("clean_class")
    mean = output_sum / len(classes)
    information = _information(samples, mean, activation)
    distances = [
        _spread((mean + other) / 2, activation)
        - (_spread(mean, activation) + _spread(other, activation)) / 2
        for other in reference
    ]
    if max(information, *distances) < CONSTANT_BITS:
        within = "" if activation == "none" else ": to within 0.001 bits for all of them"
        return f"the output is the same whatever the picture{within}"
    if activation == "none" or not labelled or len(classes) < FEW:
        return None
    if len(np.unique(classes)) == 1 < len(np.unique(samples.image("label"))):
        return f"every picture gets class {int(classes[0])}, though the labels differ"
    return None


def untrained(samples: Samples, output_sum: Array, *, activation: Activation) -> str | None:
    """Say so where a model answers as one that was never trained: undecided, whatever the picture.

    Args:
        samples: the N pictures.
        output_sum: (1, k) sum of the N clean outputs, see `semaudit.measure.as_point`.
        activation: what the outputs mean.
    """
    count = len(samples.image_ids())
    if activation != "softmax" or count < FEW:
        return None
    most = float(np.log2(output_sum.shape[-1]))
    information = max(_information(samples, output_sum / count, activation), 0.0)
    undecided = float(samples.image("entropy").mean()) > UNDECIDED * most
    if information >= LITTLE * most or not undecided or _often_right(samples, output_sum.shape[-1]):
        return None
    return (
        f"the outputs hardly depend on the picture (they tell {information:.2g} bits of which it "
        "is) and are undecided, as of a model that was never trained: check that its weights were "
        "loaded"
    )


def _often_right(samples: Samples, classes: int) -> bool:
    """Whether more labelled pictures are right than guesses would be."""
    correct = samples.image("correct")
    known = correct[~np.isnan(correct)]
    right = int(known.sum())
    return right > 0 and float(special.bdtrc(right - 1, len(known), 1 / classes)) < CHANCE


def _information(samples: Samples, mean: Array, activation: Activation) -> float:
    if activation == "none":  # an embedding of zeros has no direction
        own = -float((samples.image("logit_norm") > 0).mean())
    else:
        own = float(samples.image("entropy").mean())
    return _spread(mean, activation) - own


def _spread(point: Array, activation: Activation) -> float:
    """How undecided a mean output (g, k) is: its entropy in bits, of embeddings -|m|**2."""
    if activation == "none":
        return -float(np.sum(point**2))
    return float(-np.sum(point * np.log2(np.where(point > 0, point, 1))))
