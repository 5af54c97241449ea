"""Measures all pictures of a source, batch by batch, onto disk: memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import ImageError
from semaudit.images import Batch, ImageSource, add_digests, as_float
from semaudit.images.intake import Intake
from semaudit.images.reading import Unreadable
from semaudit.layout import Layout
from semaudit.measure import Asked, Measures, measure
from semaudit.models import Classifier
from semaudit.probes import Probe
from semaudit.runtime import Halving, Runtime
from semaudit.showcase.keeper import Keeper
from semaudit.store import SampleWriter


@dataclass(frozen=True)
class Progress:
    """How far a scan is; a cell is a picture under a probe at a rung.

    ``before`` says what is done before the scan, where it is not the scan yet: then no picture is
    done, and the cells are what that goes through.
    """

    pictures: int
    total_pictures: int
    cells: int
    total_cells: int
    before: str | None = None


Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Streamed:
    """What a stream leaves beside its tables.

    Attributes:
        fingerprint: of all readable pictures and their names, in any order; hexadecimal.
        output_sum: (g, k) sum of the clean outputs, see `semaudit.measure.as_point`.
        batch_size: the last one, after any halving.
        unreadable: the first pictures that could not be read, up to `intake.MOST_NAMED`.
        unreadable_count: how many there were in all.
    """

    fingerprint: str
    output_sum: NDArray[np.float64]
    batch_size: int
    unreadable: tuple[Unreadable, ...] = ()
    unreadable_count: int = 0


class _Counter:
    """Counts cells: those of finished and of skipped pictures, and those of the part at work."""

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
    max_unreadable: float = 0.01,
    asked: Asked | None = None,
    admit: Callable[[Sequence[str]], None] = lambda _: None,
    keeper: Keeper | None = None,
) -> Streamed:
    """Measure every picture of the source under the battery and write the tables to ``folder``.

    Pictures that cannot be read are skipped, counted and named, up to the share
    ``max_unreadable`` of the source. ``admit`` is told the names of a batch before it is measured,
    and may raise; the keeper is shown each that was measured.

    Raises:
        ImageError: the source is empty, too many or all of its pictures cannot be read, an image
            id came twice, or a picture does not suit the model.
        AuditError: not even one picture fits, an output is not finite, or the source gave another
            number of pictures than it promised.
    """
    if not len(source):
        raise ImageError("there are no pictures to audit")
    halving = Halving(place.batch_size)
    counter = _Counter(len(source), len(layout.cells), watch)
    intake = Intake(
        total=len(source),
        channels=classifier.preprocessing.input_size[0],
        num_classes=classifier.num_classes,
        max_unreadable=max_unreadable,
    )
    digest, output_sum = 0, torch.zeros((), device=place.device)
    with SampleWriter(folder, layout) as writer:
        for batch in source.batches(place.batch_size, place.workers, place.device.type == "cuda"):
            intake.admit(batch)
            admit(batch.image_ids)
            if batch.unreadable:
                counter.finish(len(batch.unreadable))

            def measured(part: Tensor, span: slice, batch: Batch = batch) -> Measures:
                counter.restart()
                images, ids = as_float(part, place.device), batch.image_ids[span]
                labels = batch.labels[span]
                return measure(classifier, battery, images, ids, seed, counter.step, asked, labels)

            for span, measures in halving.parts(batch.images, measured):
                writer.append(batch.image_ids[span], batch.labels[span].numpy(), measures)
                output_sum = output_sum + measures.output_sum
                if keeper is not None:
                    shifts = measures.rungs["shift"]
                    keeper.see(batch.images[span], batch.image_ids[span], shifts)
                counter.finish(len(measures.clean_classes))
            digest = add_digests([digest, batch.digest])
    intake.close()
    return Streamed(
        fingerprint=f"{digest:064x}",
        output_sum=output_sum.cpu().double().numpy(),
        batch_size=halving.size,
        unreadable=intake.unreadable,
        unreadable_count=intake.unreadable_count,
    )
