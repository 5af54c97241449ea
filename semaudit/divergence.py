"""Distances between two outputs of a classifier: pure, batched and differentiable.

The metrics and the fine-tuning loss use the very same functions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen-Shannon divergence, base 2, of two batches of log-probabilities.

    JSD(p, q) = KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2 (Lin 1991). It stays in log
    space: in probability space its gradient is not finite at extreme logits.

    Args:
        log_p: natural log-probabilities, (..., classes), as from ``log_softmax``.
        log_q: the same shape.

    Returns:
        (...), bits, in [0, 1]. Its square root is a metric, but do not differentiate that:
        its gradient is infinite where the two are equal.
    """
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    divergence = log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)
    return (divergence.sum(-1) / (2 * math.log(2))).clamp(0, 1)


def jensen_shannon_of(log_ps: Tensor) -> Tensor:
    """Generalised Jensen-Shannon divergence of v batches of log-probabilities, as a share.

    The mean of KL(p_i || m), m the mean of all (Lin 1991), over log2(v), its largest value. Of two
    it is `jensen_shannon`.

    Args:
        log_ps: natural log-probabilities, (v, ..., classes).

    Returns:
        (...), in [0, 1].
    """
    count = len(log_ps)
    log_m = torch.logsumexp(log_ps, 0) - math.log(count)
    divergence = (log_ps.exp() * (log_ps - log_m)).sum(-1).mean(0)
    return (divergence / math.log(count)).clamp(0, 1)


def kullback_leibler(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) in bits of log-probabilities (..., classes), (...) in [0, inf)."""
    return (log_p.exp() * (log_p - log_q)).sum(-1).clamp_min(0) / math.log(2)


def entropy(log_p: Tensor) -> Tensor:
    """Shannon entropy in bits of log-probabilities (..., classes), in [0, log2(classes)]."""
    return -(log_p.exp() * log_p).sum(-1) / math.log(2)


def centred(logits: Tensor) -> Tensor:
    """Logits (..., classes) less their mean: softmax does not see a common offset."""
    return logits - logits.mean(-1, keepdim=True)


def logit_distance(logits: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance (...) of two batches of centred logits (..., classes), in [0, inf).

    Shrinking the logits shrinks it, so it never stands alone: read it beside the mean logit norm
    and the cosine distance of the features, which is free of scale.
    """
    norm: Tensor = torch.linalg.vector_norm(centred(logits) - centred(other), dim=-1)
    return norm


def cosine_distance(features: Tensor, other: Tensor) -> Tensor:
    """1 - cos of the angle between two batches of vectors (..., d): (...), in [0, 2].

    Two zero vectors are at distance 0; a zero and a non-zero one at distance 1.
    """
    distance = (1 - (unit(features) * unit(other)).sum(-1)).clamp(0, 2)
    moved: Tensor = distance.where((features != other).any(-1), torch.zeros_like(distance))
    return moved


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., d) at length 1; zero stays zero, with a finite gradient."""
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / norm.where(norm > 0, torch.ones_like(norm))
