"""Measures all pictures of a source, batch by batch, onto disk: memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import AuditError, ImageError
from semaudit.images import Batch, ImageSource, add_digests, as_float
from semaudit.layout import Layout
from semaudit.measure import Measures, measure
from semaudit.models import Classifier
from semaudit.probes import Probe
from semaudit.runtime import Halving, Runtime
from semaudit.store import SampleWriter


@dataclass(frozen=True)
class Progress:
    """How far a scan is; a cell is a picture under a probe at a rung."""

    pictures: int
    total_pictures: int
    cells: int
    total_cells: int


Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Streamed:
    """What a stream leaves beside its tables.

    Attributes:
        fingerprint: of all pictures and their names, in any order; hexadecimal.
        output_sum: (classes,) sum of the clean softmax outputs.
        batch_size: the last one, after any halving.
    """

    fingerprint: str
    output_sum: NDArray[np.float64]
    batch_size: int


class _Counter:
    """Counts cells: those of finished pictures, and those of the part at work."""

    def __init__(self, pictures: int, cells: int, watch: Watch) -> None:
        self._pictures, self._cells, self._watch = pictures, cells, watch
        self._finished = self._at_work = 0

    def step(self, cells: int) -> None:
        self._at_work += cells
        done = self._finished * self._cells + self._at_work
        self._watch(Progress(self._finished, self._pictures, done, self._pictures * self._cells))

    def restart(self) -> None:
        # A part that did not fit had counted as far as it got.
        self._at_work = 0

    def finish(self, pictures: int) -> None:
        self._finished += pictures
        self._at_work = 0
        self.step(0)


def stream(
    classifier: Classifier,
    battery: Sequence[Probe],
    source: ImageSource,
    *,
    seed: int,
    place: Runtime,
    folder: Path,
    layout: Layout,
    watch: Watch,
) -> Streamed:
    """Measure every picture of the source under the battery and write the tables to ``folder``.

    Raises:
        ImageError: the source is empty, a picture cannot be read or does not suit the model.
        AuditError: not even one picture fits, or an output is not finite.
    """
    if not len(source):
        raise ImageError("there are no pictures to audit")
    halving = Halving(place.batch_size)
    counter = _Counter(len(source), len(layout.cells), watch)
    digest, output_sum = 0, torch.zeros((), device=place.device)
    with SampleWriter(folder, layout) as writer:
        for batch in source.batches(place.batch_size, place.workers, place.device.type == "cuda"):
            _check(batch, classifier)

            def measured(part: Tensor, span: slice, batch: Batch = batch) -> Measures:
                counter.restart()
                images, ids = as_float(part, place.device), batch.image_ids[span]
                return measure(classifier, battery, images, ids, seed, counter.step)

            for span, measures in halving.parts(batch.images, measured):
                writer.append(batch.image_ids[span], batch.labels[span].numpy(), measures)
                output_sum = output_sum + measures.output_sum
                counter.finish(len(measures.clean_classes))
            digest = add_digests([digest, batch.digest])
    if writer.pictures != len(source):
        raise AuditError(f"only {writer.pictures} of {len(source)} pictures came from the source")
    return Streamed(f"{digest:064x}", output_sum.cpu().double().numpy(), halving.size)


def _check(batch: Batch, classifier: Classifier) -> None:
    channels, expected = batch.images.shape[1], classifier.preprocessing.input_size[0]
    if channels != expected:
        raise ImageError(
            f"the model takes pictures of {expected} channel(s), and these have {channels}"
        )
    largest = int(batch.labels.max())
    if largest >= classifier.num_classes:
        raise ImageError(
            f"label {largest} is no class of a model with {classifier.num_classes} classes "
            "(they count from 0)"
        )
