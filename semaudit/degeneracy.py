"""A constant classifier is perfectly continuous: it is named, not scored."""

from __future__ import annotations

import numpy as np

from semaudit.layout import Array
from semaudit.metric import Activation
from semaudit.store import Samples

FEW = 10
"""Fewer pictures than this may all get one class by chance."""

CONSTANT_BITS = 1e-3
"""Outputs that tell less than this about which picture went in are one constant output."""


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
    if activation == "none":  # an embedding of zeros has no direction
        own = -float((samples.image("logit_norm") > 0).mean())
    else:
        own = float(samples.image("entropy").mean())
    information = _spread(mean, activation) - own
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


def _spread(point: Array, activation: Activation) -> float:
    """How undecided a mean output (g, k) is: its entropy in bits, of embeddings -|m|**2."""
    if activation == "none":
        return -float(np.sum(point**2))
    return float(-np.sum(point * np.log2(np.where(point > 0, point, 1))))
