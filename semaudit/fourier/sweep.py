"""Shows a batch of pictures to the classifier under every wave, and adds up what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import AuditError
from semaudit.fourier.grid import Frequency, Waves, signs, stack
from semaudit.look import look
from semaudit.metrics import View
from semaudit.models import Classifier
from semaudit.runtime import Halving

FLIPS, SHIFT, ERRORS, BROKEN = range(4)
"""The rows of what `sweep` returns."""


def sweep(
    classifier: Classifier,
    images: Tensor,
    image_ids: Sequence[str],
    labels: Tensor,
    waves: Waves,
    *,
    seed: int,
    halving: Halving,
    step: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Sum over n pictures under each of the D waves, and without one.

    Args:
        classifier: what is asked.
        images: (n, c, h, w) in [0, 1], on its device.
        image_ids: n of them, which key the signs.
        labels: (n,) on the same device, -1 for none.
        waves: the grid, and how strong the waves are.
        seed: of the signs.
        halving: cuts what is shown into parts that fit.
        step: told after every part how many of the n * D have been shown.

    Returns:
        (4, D + 1), the last column of the clean pictures: the number of flips (NaN for
        embeddings), the sum of shifts, and the number of labelled pictures that were taken for
        another class. The fourth row, the number of outputs that are not finite, is 0.

    Raises:
        AuditError: an output is not finite, or not even one picture fits.
        UsageError: the pictures are too small for the waves.
    """
    n, (height, width) = len(images), images.shape[-2:]
    waves.check(height, width)
    measured = waves.measured(height, width)
    with torch.inference_mode():
        clean = _clean(classifier, images, halving)
        change = signs(measured, image_ids, images, seed) * waves.rms(height, width)
        # Wave by wave, so that a part holds few of them, and as many pictures as fit.
        cells = torch.arange(n * len(measured), device=images.device)

        def answers(part: Tensor, span: slice) -> Tensor:
            first, last = span.start // n, (span.stop - 1) // n + 1
            wave, picture = part // n, part % n
            shapes = stack(measured[first:last], images)[wave - first]
            rows = clean.rows(picture)
            seen = look(classifier, (rows.images + shapes * change[wave, picture]).clamp(0, 1))
            return _answers(rows, seen, labels[picture])

        sums = clean.logits.new_zeros(4, len(measured) + 1)
        sums[:, -1] = _answers(clean, clean, labels).sum(1)
        for span, found in halving.parts(cells, answers):
            sums.index_add_(1, cells[span] // n, found)
            step(span.stop)
    host: NDArray[np.float64] = sums.cpu().double().numpy()
    _refuse_broken(host[BROKEN], measured)
    return host


def _clean(classifier: Classifier, images: Tensor, halving: Halving) -> View:
    parts = halving.parts(images, lambda part, _: look(classifier, part))
    logits = torch.cat([view.logits for _, view in parts])
    return View(images, logits, None, classifier.activation)


def _answers(clean: View, seen: View, labels: Tensor) -> Tensor:
    """(4, n): what each picture adds to the sums."""
    dtype = clean.logits.dtype
    wrong = (seen.top_class != labels) & (labels >= 0)
    broken = ~seen.logits.isfinite().all(-1)
    return torch.stack(
        [clean.flipped(seen.decision), clean.shift_to(seen), wrong.to(dtype), broken.to(dtype)]
    )


def _refuse_broken(counts: NDArray[np.float64], measured: Sequence[Frequency]) -> None:
    found = np.flatnonzero(counts)
    if len(found):
        where = [*(f"under the wave {each}" for each in measured), "for the clean pictures"]
        raise AuditError(
            f"the model's output {where[found[-1]]} is not finite; try --amp-dtype float32, or a "
            "smaller --norm"
        )
