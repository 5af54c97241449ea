"""How much labelled pictures surprise a model, and whether they do so less another way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor, nn

from semaudit.divergence import entropy
from semaudit.images import NO_LABEL, ImageSource, as_float
from semaudit.models import Classifier

Array = NDArray[np.float64]

TEMPERATURES = torch.logspace(-1, 1, 21, dtype=torch.float64)


@dataclass(frozen=True)
class Answers:
    """How well the model knows n pictures.

    Attributes:
        cross_entropy: (n,) of the right class, nats.
        entropy: (n,) of the output, nats.
        right: (n,) whether the answer is the label.
        calibrated: the mean cross-entropy once the logits are divided by the temperature, of
            `TEMPERATURES`, that makes it least: more contrast alone, which makes a model more
            sure, does not improve it.
    """

    cross_entropy: Array
    entropy: Array
    right: NDArray[np.bool_]
    calibrated: float

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @property
    def loss(self) -> float:
        """The mean cross-entropy."""
        return float(self.cross_entropy.mean())


def labelled(
    source: ImageSource, batch_size: int, pictures: int, num_classes: int
) -> tuple[Tensor, Tensor]:
    """The first labelled pictures (n, c, h, w) that can be read, and their labels (n,).

    Raises:
        ImageError: a picture cannot be read.
    """
    images, labels, count = list[Tensor](), list[Tensor](), 0
    for batch in source.batches(batch_size):
        known = (batch.labels != NO_LABEL) & (batch.labels < num_classes)
        if known.any():
            images.append(batch.images[known])
            labels.append(batch.labels[known])
            count += len(labels[-1])
        if count >= pictures:
            break
    if not images:
        return torch.empty(0), torch.empty(0)
    return torch.cat(images)[:pictures], torch.cat(labels)[:pictures]


def answers(classifier: Classifier, images: Tensor, labels: Tensor, batch_size: int) -> Answers:
    """Classify pictures (n, c, h, w), uint8 or floats in [0, 1], with labels (n,)."""
    with torch.inference_mode():
        logits = torch.cat(
            [
                classifier(as_float(part, classifier.placement.device)).logits.double().cpu()
                for part in torch.split(images, batch_size)
            ]
        )
    log_p = logits.log_softmax(1)
    losses = [
        float(nn.functional.cross_entropy(logits / temperature, labels))
        for temperature in TEMPERATURES
    ]
    return Answers(
        cross_entropy=-log_p.gather(1, labels[:, None])[:, 0].numpy(),
        entropy=(entropy(log_p) * np.log(2)).numpy(),
        right=(logits.argmax(1) == labels).numpy(),
        calibrated=min(losses),
    )


def paired_p_value(before: Answers, after: Answers) -> float:
    """One-sided paired t-test that ``after`` surprises less; 1 where nothing can be said."""
    gains = before.cross_entropy + before.entropy - after.cross_entropy - after.entropy
    if not np.isfinite(gains).all():
        return 1.0
    mean, spread = float(gains.mean()), float(gains.std(ddof=1))
    if spread <= 1e-12 * abs(mean):
        return 0.0 if mean > 0 else 1.0
    return float(special.stdtr(len(gains) - 1, -mean / (spread / np.sqrt(len(gains)))))
