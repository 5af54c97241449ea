"""One update's gradients: a single forward of clean and changed pictures, in parts that fit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from semaudit.errors import AuditError, out_of_memory
from semaudit.finetuning.anchors import Anchors
from semaudit.finetuning.changes import Changes
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.loss import TERMS, Objective, Terms, terms
from semaudit.finetuning.student import batch_norms, without_statistics
from semaudit.finetuning.turning import Turning
from semaudit.images import Batch, as_float
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw

DRAWN = "finetune"
"""What the draws of training are keyed by; no probe can be called so with a number behind."""


@dataclass
class Stepper:
    """Takes the gradients of an update.

    Attributes:
        student: what is trained.
        anchors: what the original says.
        objective: what is descended.
        changes: P.
        turning: measures the gradient turn.
        views: changed forms of each picture.
        engine: device, precision, processes.
        seed: of the draws.
        size: pictures in a forward; out of memory halves it for good.
    """

    student: Classifier
    anchors: Anchors
    objective: Objective
    changes: Changes
    turning: Turning
    views: int
    engine: Engine
    seed: int
    size: int

    def take(self, batch: Batch, update: int, total: int) -> Tensor:
        """Leave the gradients of this process's share of an update in the weights.

        Args:
            batch: the share.
            update: the number of the update, which the draws depend on.
            total: pictures of the update in all processes, by which the loss is divided.

        Returns:
            The sums over the share's pictures of the terms and of the loss, and their number: (7,).

        Raises:
            AuditError: not even one picture fits.
        """
        statistics = self._statistics()
        before = [each.clone() for each in statistics]
        while True:
            try:
                return self._take(batch, update, total)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(len(batch), error)
                for each, value in zip(statistics, before, strict=True):
                    each.copy_(value)  # what came before the part that did not fit comes again

    def _statistics(self) -> list[Tensor]:
        """BatchNorm's, where it takes any."""
        layers = (each for each in batch_norms(self.student.module) if each.training)
        return [buffer for layer in layers for buffer in layer.buffers()]

    def _halve(self, tried: int, error: BaseException) -> None:
        size = min(self.size, tried)
        if size <= 1:
            raise AuditError(
                "out of memory with a single picture; use a smaller --img-size, fewer --views, "
                "or another --device"
            ) from error
        self.size = size // 2
        error.__traceback__ = None  # it holds the tensors that did not fit
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _take(self, batch: Batch, update: int, total: int) -> Tensor:
        # Also after a part that did not fit: what it left would count twice.
        self.student.module.zero_grad(set_to_none=True)
        sums = torch.zeros(len(TERMS) + 2, dtype=torch.float64, device=self.engine.device)
        for part in parts_of(len(batch), self.size):
            found = self._terms(batch, part, update)
            losses = found.total(self.objective)
            self.engine.backward(losses.sum() / total)
            count = losses.new_tensor([len(losses)])
            each = torch.cat([found.sums(), losses.detach().sum()[None], count])
            sums += each.to(sums)
        return sums

    def _terms(self, batch: Batch, part: slice, update: int) -> Terms:
        images = as_float(batch.images[part], self.engine.device)
        image_ids, labels = batch.image_ids[part], batch.labels[part].to(images.device)
        changed: list[Tensor] = []
        if self.objective.needs_views:
            changed = [
                self.changes(self.student, images, self._draw(image_ids, update, str(view)))
                for view in range(self.views)
            ]
        turn = None
        if self.objective.turn:
            # Of the pictures that are trained on, statistics are taken below.
            with without_statistics(self.student):
                turn = self.turning(self.student, images, self._draw(image_ids, update, "turn"))
        # The fused attentions have no second derivative.
        attention = sdpa_kernel(SDPBackend.MATH) if self.objective.gradient else nullcontext()
        if self.objective.gradient:
            images = images.requires_grad_()
        with attention:
            clean, *views = seen_together(self.student, images, changed)
        return terms(self.objective, clean, views, self.anchors(images, image_ids), labels, turn)

    def _draw(self, image_ids: Sequence[str], update: int, view: str) -> Draw:
        return Draw.of(self.seed, f"{DRAWN} {update}.{view}", image_ids, self.engine.device)


def seen_together(
    classifier: Classifier, images: Tensor, changed: Sequence[Tensor]
) -> tuple[View, ...]:
    """The views of images and their changed forms, (n, c, h, w) each, by one forward."""
    parts = (images, *changed)
    whole = look(classifier, torch.cat(parts) if changed else images)
    logits = torch.split(whole.logits, len(images))
    features: Sequence[Tensor | None] = [None] * len(parts)
    if whole.features is not None:
        features = torch.split(whole.features, len(images))
    return tuple(
        replace(whole, images=each, logits=logit, features=feature)
        for each, logit, feature in zip(parts, logits, features, strict=True)
    )


def parts_of(total: int, size: int) -> list[slice]:
    """A batch in parts; a last picture alone, of which BatchNorm has no variance, joins one."""
    starts = list(range(0, total, size))
    if size > 1 and total > size and total % size == 1:
        starts.pop()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], total], strict=True)]
