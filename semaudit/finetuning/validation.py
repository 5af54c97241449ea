"""What every choice is made on: validation pictures under the generic changes, fixed draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.finetuning.generic import Generic
from semaudit.finetuning.pictures import Pictures
from semaudit.finetuning.step import seen_together
from semaudit.finetuning.student import measured
from semaudit.images import Batch, as_float
from semaudit.metrics.outputs import entropy
from semaudit.metrics.views import View, joined
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.runtime import Halving

Array = NDArray[np.float64]

_Part = tuple[View, Tensor, Tensor, Tensor]
"""The clean view, shift, flips and labels."""

VALIDATED = "finetune validation"
"""What the draws are keyed by."""


@dataclass(frozen=True)
class Answers:
    """What a model makes of n pictures, one number a picture.

    Attributes:
        shift: mean over draws, in [0, 1].
        flips: share of the draws that change the answer; NaN for embeddings.
        kept: 1 where the label is named, or, without labels, the original's answer; of embeddings,
            1 less the shift from the original.
        entropy: of the clean output.
        view: of the clean pictures; the pictures themselves are left out.
    """

    shift: Array
    flips: Array
    kept: Array
    entropy: Array
    view: View

    def means(self) -> dict[str, float]:
        """Those that are numbers: embeddings have no flips, and JSON no word for that."""
        measured = {"shift": self.shift, "flips": self.flips, "kept": self.kept}
        means = {name: float(values.mean()) for name, values in measured.items()}
        return {name: mean for name, mean in means.items() if math.isfinite(mean)}


@dataclass(frozen=True)
class Validation:
    """A yardstick: the same pictures and draws for every model that is compared.

    Attributes:
        pictures: of which.
        rows: some are taken.
        seed: of the draws.
        draws: changed forms of each picture.
        batch_size: pictures at once, before they are changed.
        by_label: whether what is kept is the label, not the original's answer.
    """

    pictures: Pictures
    rows: tuple[int, ...]
    seed: int
    draws: int
    batch_size: int
    by_label: bool

    def __call__(self, classifier: Classifier, original: View | None = None) -> Answers:
        """Measure a model; ``original`` is that of the model it is compared with, else itself."""
        halving = Halving(self.batch_size)
        with measured(classifier):
            parts = [
                part
                for batch in self.pictures.batches(self.rows, self.batch_size)
                for part in self._parts(classifier, batch, halving)
            ]
        view = joined([part[0] for part in parts])
        shift = torch.cat([part[1] for part in parts])
        flips = torch.cat([part[2] for part in parts])
        labels = torch.cat([part[3] for part in parts])
        kept = self._kept(view, original or view, labels)
        return Answers(_host(shift), _host(flips), _host(kept), _host(entropy(view)), view)

    def _parts(self, classifier: Classifier, batch: Batch, halving: Halving) -> list[_Part]:
        def part(images: Tensor, span: slice) -> _Part:
            return self._part(classifier, images, batch.image_ids[span], batch.labels[span])

        return [found for _, found in halving.parts(batch.images, part)]

    def _part(
        self, classifier: Classifier, images: Tensor, image_ids: Sequence[str], labels: Tensor
    ) -> _Part:
        device = classifier.placement.device
        pictures = as_float(images, device)
        draws = [
            Draw.of(self.seed, f"{VALIDATED} {number}", image_ids, device)
            for number in range(self.draws)
        ]
        generic = Generic()
        changed = [generic(pictures, draw) for draw in draws]
        clean, *views = seen_together(classifier, pictures, changed)
        shift = torch.stack([clean.shift_to(view) for view in views]).mean(0)
        flips = torch.stack([clean.flipped(view.decision) for view in views]).mean(0)
        bare = View(pictures[:, :, :0, :0], clean.logits, None, clean.activation)
        return bare, shift, flips, labels.to(device)

    def _kept(self, view: View, original: View, labels: Tensor) -> Tensor:
        if view.activation == "none":
            return 1 - original.shift_to(view)
        if self.by_label:
            return (view.top_class == labels).to(view.logits.dtype)
        return 1 - original.flipped(view.decision)


def _host(values: Tensor) -> Array:
    found: Array = values.detach().cpu().double().numpy()
    return found
