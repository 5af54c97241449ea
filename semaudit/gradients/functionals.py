"""What is differentiated: one number a picture out of its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from semaudit.metric import Activation
from semaudit.metrics.views import View


class Functional(Protocol):
    """What is differentiated: from logits (n, classes) to one number a picture, (n,)."""

    def __call__(self, logits: Tensor) -> Tensor:
        """Return (n,)."""
        ...

    def rows(self, index: Tensor) -> Functional:
        """The functional of some of the pictures."""
        ...


@dataclass(frozen=True)
class ClassLogit:
    """The logit of one class a picture: (n,) classes."""

    classes: Tensor

    def __call__(self, logits: Tensor) -> Tensor:
        """Return (n,), logits."""
        return logits.gather(1, self.classes[:, None])[:, 0]

    def rows(self, index: Tensor) -> ClassLogit:
        """The functional of some of the pictures."""
        return ClassLogit(self.classes[index])


@dataclass(frozen=True)
class Loss:
    """The loss of the labels (n,), nats; of a picture without a label, -1, it is constantly 0.

    Cross-entropy; of a model of labels that each hold or not, binary cross-entropy of that label.
    """

    labels: Tensor
    activation: Activation

    def __call__(self, logits: Tensor) -> Tensor:
        """Return (n,), nats."""
        known = self.labels >= 0
        log = F.logsigmoid(logits) if self.activation == "sigmoid" else logits.log_softmax(-1)
        chosen = log.gather(1, self.labels.clamp_min(0)[:, None])[:, 0]
        return -torch.where(known, chosen, torch.zeros_like(chosen))

    def rows(self, index: Tensor) -> Loss:
        """The functional of some of the pictures."""
        return Loss(self.labels[index], self.activation)

    @classmethod
    def of(cls, labels: Tensor | None, clean: View) -> Loss | None:
        """The loss of labels (n,), -1 for none; None where no picture has one, nor a class."""
        if labels is None or clean.activation == "none" or not bool((labels >= 0).any()):
            return None
        return cls(labels.to(clean.logits.device), clean.activation)


@dataclass(frozen=True)
class Margin:
    """By how much the decision is made: it flips where this reaches 0.

    The top class's logit less the runner-up's, (n,) classes each; of labels, the size of the logit
    that is nearest to 0.
    """

    top: Tensor
    second: Tensor
    activation: Activation

    def __call__(self, logits: Tensor) -> Tensor:
        """Return (n,), logits, 0 or more at the picture itself."""
        if self.activation == "sigmoid":
            return logits.gather(1, self.second[:, None])[:, 0].abs()
        pair = logits.gather(1, torch.stack([self.top, self.second], 1))
        return pair[:, 0] - pair[:, 1]

    def rows(self, index: Tensor) -> Margin:
        """The functional of some of the pictures."""
        return Margin(self.top[index], self.second[index], self.activation)

    @classmethod
    def of(cls, logits: Tensor, activation: Activation) -> Margin:
        """The margin at logits (n, classes), of at least two classes under softmax."""
        top = logits.argmax(-1)
        if activation == "sigmoid":
            return cls(top, logits.abs().argmin(-1), activation)
        others = logits.scatter(1, top[:, None], float("-inf"))
        return cls(top, others.argmax(-1), activation)
