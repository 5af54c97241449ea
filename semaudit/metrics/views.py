"""What a metric sees: a batch of images with its outputs, a rung, a path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from semaudit.metrics.ssim import Reference, reference


def precise(device: torch.device) -> torch.dtype:
    """The dtype that outputs are compared in: float64, but float32 on MPS, which has no other."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass(frozen=True)
class View:
    """A batch of images and what the classifier put out for it.

    Attributes:
        images: (n, c, h, w) in [0, 1].
        logits: (n, classes), in the precise dtype.
        features: (n, d) or None where the model shows none.
    """

    images: Tensor
    logits: Tensor
    features: Tensor | None

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Natural log of the softmax output, (n, classes)."""
        return self.logits.log_softmax(-1)

    @cached_property
    def top_class(self) -> Tensor:
        """Index of the largest logit, (n,); the lowest index where several are equal."""
        return self.logits.argmax(-1)

    @cached_property
    def ranking(self) -> Tensor:
        """The five first classes, best first, (n, min(5, classes)); ties by index."""
        order = torch.sort(self.logits, dim=-1, descending=True, stable=True).indices
        return order[:, :5]

    @cached_property
    def reference(self) -> Reference:
        """What SSIM needs of the clean side, computed once for all probes."""
        return reference(self.images)


@dataclass(frozen=True)
class Rung:
    """One rung of one probe: the clean view and the perturbed one."""

    clean: View
    current: View

    @cached_property
    def difference(self) -> Tensor:
        """Perturbed less clean images, (n, c * h * w)."""
        return (self.current.images - self.clean.images).flatten(1)


@dataclass(frozen=True)
class Path:
    """What the output did along one probe's ladder of K rungs.

    Attributes:
        strengths: (K,) rising.
        shift: JSD against the clean output, (n, K).
        distance: sqrt(JSD) between neighbouring rungs, the clean image first, (n, K).
        input_step: RMS between the images of neighbouring rungs, (n, K).
    """

    strengths: Tensor
    shift: Tensor
    distance: Tensor
    input_step: Tensor
