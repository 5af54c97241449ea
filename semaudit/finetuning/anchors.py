"""What the original model says of the clean pictures: looked at once where that can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.finetuning.pictures import Pictures
from semaudit.images import as_float
from semaudit.look import look
from semaudit.metrics.pixels import precise
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.runtime import Halving

KEPT = 25_000_000
"""Outputs, of pictures times classes, that are kept."""

_BATCH = 64


@dataclass(frozen=True)
class Anchors:
    """The original's answers.

    Attributes:
        original: asked where the answers are not kept.
        wanted: whether they are wanted at all.
        rows: where the answer of each picture is kept.
        logits: (n, classes), float32, those that are kept; None: each is asked for again.
    """

    original: Classifier
    wanted: bool
    rows: dict[str, int]
    logits: Tensor | None

    def __call__(self, images: Tensor, image_ids: Sequence[str]) -> View | None:
        """The original's view of clean images (n, c, h, w)."""
        if not self.wanted:
            return None
        if self.logits is None:
            with torch.no_grad():
                return look(self.original, images.detach())
        rows = [self.rows[image_id] for image_id in image_ids]
        logits = self.logits[rows].to(images.device, precise(images.device))
        return View(images.detach(), logits, None, self.original.activation)


def anchors_of(
    original: Classifier, pictures: Pictures, rows: Sequence[int], *, wanted: bool
) -> Anchors:
    """Ask the original about the pictures at these indices, if it is wanted and can be kept."""
    if not wanted or len(rows) * original.num_classes > KEPT:
        return Anchors(original, wanted, {}, None)
    kept = {pictures.image_ids[row]: place for place, row in enumerate(rows)}
    return Anchors(original, True, kept, answers_of(original, pictures, rows))


def answers_of(original: Classifier, pictures: Pictures, rows: Sequence[int]) -> Tensor:
    """The logits, (n, classes), float32, on the CPU, of the pictures at these indices, in order.

    The batches are always the same: so an answer is the same to the last bit in every run.
    """
    halving = Halving(_BATCH)

    def answer(images: Tensor, _: slice) -> Tensor:
        return original(as_float(images, original.placement.device)).logits.float().cpu()

    logits: list[Tensor] = []
    with torch.no_grad():
        for batch in pictures.batches(rows, _BATCH):
            logits += [part for _, part in halving.parts(batch.images, answer)]
    return torch.cat(logits)
