"""Measures a heat map, from a model and pictures to figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semaudit import runtime
from semaudit.errors import ImageError
from semaudit.fourier.concerns import without_effect
from semaudit.fourier.grid import Waves
from semaudit.fourier.record import record
from semaudit.fourier.sweep import ERRORS, FLIPS, SHIFT, sweep
from semaudit.images import ImageSource, add_digests, as_float
from semaudit.images.intake import Intake
from semaudit.inspection import guess_warnings
from semaudit.models import Classifier
from semaudit.opening import (
    Data,
    Model,
    named,
    open_data,
    open_model,
    refuse_foreign_code,
    refuse_missing,
)
from semaudit.runtime import Halving, Runtime
from semaudit.settings import Resolved, Settings
from semaudit.stream import Progress, Watch

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeatMap:
    """What was measured, each (side, side); row i (down) and column j (across) rise.

    Attributes:
        waves: the grid, and the norm.
        flip_rate: share of the pictures whose answer differs from the clean one's; None for
            embeddings, which name no class.
        shift: mean semantic shift, in [0, 1].
        error_rate: share of the labelled pictures that are taken for another class; None without
            labels.
        clean_error: the same of the clean pictures.
        pictures: how many there were.
        rms: of a wave on these pictures, a fraction of full scale.
        record: what was measured on what, with what, fit for JSON.
        notes: what a reader should know of the model and the pictures.
    """

    waves: Waves
    flip_rate: Array | None
    shift: Array
    error_rate: Array | None
    clean_error: float | None
    pictures: int
    rms: float
    record: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Seen:
    """What all pictures gave: the sums of `sweep`, and what they were sums of."""

    sums: Array
    pictures: int
    labelled: int
    size: tuple[int, int]
    fingerprint: str


def run(
    model: Model,
    data: Data,
    resolved: Resolved,
    waves: Waves,
    watch: Watch,
    *,
    spanning: bool = False,
) -> HeatMap:
    """Measure a heat map under settings whose origins are known.

    With ``spanning`` the waves are spaced to span all frequencies that the pictures can show.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    started = time.perf_counter()
    settings = resolved.settings
    foreign = without_effect(resolved)
    refuse_foreign_code(resolved)
    refuse_missing(data, settings)
    place = runtime.resolve(settings)
    classifier = open_model(model, data, settings, place).folded()
    size = classifier.preprocessing.input_size[1:]
    if spanning:
        waves = waves.spanning(*size)
    waves.check(*size)
    source = open_data(data, settings, classifier)
    classifier.check()
    seen = _see(classifier, source, waves, settings, place, watch)
    rates = seen.sums / seen.pictures
    errors = seen.sums[ERRORS] / max(seen.labelled, 1)
    laid_out = partial(waves.spread, height=seen.size[0], width=seen.size[1])
    return HeatMap(
        waves=waves,
        flip_rate=None if classifier.activation == "none" else laid_out(rates[FLIPS, :-1]),
        shift=laid_out(rates[SHIFT, :-1]),
        error_rate=laid_out(errors[:-1]) if seen.labelled else None,
        clean_error=float(errors[-1]) if seen.labelled else None,
        pictures=seen.pictures,
        rms=waves.rms(*seen.size),
        record=record(
            resolved=resolved,
            classifier=classifier,
            place=place,
            source=named(data, settings),
            fingerprint=seen.fingerprint,
            pictures=seen.pictures,
            labelled=seen.labelled,
            seconds=time.perf_counter() - started,
        ),
        notes=(
            *foreign,
            *guess_warnings(classifier, data, settings),
            *classifier.notes,
            *source.notes,
        ),
    )


def _see(
    classifier: Classifier,
    source: ImageSource,
    waves: Waves,
    settings: Settings,
    place: Runtime,
    watch: Watch,
) -> _Seen:
    """Show every picture of the source under every wave."""
    if not len(source):
        raise ImageError("there are no pictures")
    _, *nominal = classifier.preprocessing.input_size
    count = len(waves.measured(*nominal))
    intake = Intake(
        total=len(source),
        channels=classifier.preprocessing.input_size[0],
        num_classes=classifier.num_classes,
        max_unreadable=settings.max_unreadable,
    )
    halving = Halving(place.batch_size)
    # One column, which broadcasts: tensors in memory may be of another size than the nominal one.
    sums, digest, labelled, size = np.zeros((4, 1)), 0, 0, (0, 0)

    def tell(done: int, cells: int) -> None:
        watch(Progress(done, len(source), done * count + cells, len(source) * count))

    for batch in source.batches(place.batch_size, place.workers, place.device.type == "cuda"):
        intake.admit(batch)
        done = intake.readable + intake.unreadable_count
        digest = add_digests([digest, batch.digest])
        if len(batch):
            height, width = batch.images.shape[-2:]
            size = (height, width)
            labelled += int((batch.labels >= 0).sum())
            sums = sums + sweep(
                classifier,
                as_float(batch.images, place.device),
                batch.image_ids,
                batch.labels.to(place.device),
                waves,
                seed=settings.seed,
                halving=halving,
                step=partial(tell, done - len(batch)),
            )
        tell(done, 0)
    intake.close()
    return _Seen(sums, intake.readable, labelled, size, f"{digest:064x}")
