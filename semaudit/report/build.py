"""Builds the report document from the samples of a scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semaudit import __version__, findings, summary
from semaudit.degeneracy import degenerate as named_degenerate
from semaudit.degeneracy import untrained
from semaudit.images import ImageSource
from semaudit.metric import Metric
from semaudit.metrics import METRICS
from semaudit.models import Classifier
from semaudit.models.assembly import GUESSED_ARCH
from semaudit.probes import Probe
from semaudit.report.document import (
    Comparison,
    Data,
    Doubt,
    Measured,
    Model,
    Probed,
    Report,
    Unread,
)
from semaudit.store import Samples


def build(
    *,
    samples: Samples,
    classifier: Classifier,
    battery: Sequence[Probe],
    source: ImageSource,
    source_name: str,
    fingerprint: str,
    output_sum: NDArray[np.float64],
    reference: NDArray[np.float64],
    names: Sequence[str],
    seed: int,
    metrics: Sequence[Metric],
    notes: Sequence[str],
    unreadable: Sequence[Unread],
    unreadable_count: int,
    warnings: Sequence[str],
    doubts: Sequence[Doubt],
    preprocessing: Comparison | None,
    smoke_test: bool,
) -> Report:
    """Gather the document, with no verdicts yet.

    Args:
        samples: the finished tables.
        classifier: what was audited.
        battery: what it was audited with.
        source: what it was audited on.
        source_name: what to call that.
        fingerprint: of the pictures, hexadecimal.
        output_sum: (g, k) sum of the clean outputs, see `semaudit.measure.as_point`.
        reference: (2, g, k) outputs for a grey and a random picture.
        names: of the classes.
        seed: of the draws.
        metrics: all that gates may speak of.
        notes: what a reader should know of the battery.
        unreadable: the first of the pictures that could not be read.
        unreadable_count: how many there are.
        warnings: signs of wrong labels or preprocessing.
        doubts: signs that worst cases and gradients do not tell the truth.
        preprocessing: how much the resize matters, if that was asked for.
        smoke_test: whether the pictures are only a few photographs of ours.
    """
    activation = classifier.activation
    degenerate = named_degenerate(
        samples, output_sum, reference, activation=activation, labelled=source.labelled
    )
    random = None if degenerate else untrained(samples, output_sum, activation=activation)
    floor = summary.noise_floor(samples)
    shift = summary.single(samples, METRICS["shift"]) if samples.layout.families else None
    return Report(
        semaudit=__version__,
        model=Model(
            name=classifier.name,
            num_classes=classifier.num_classes,
            activation=activation,
            input_size=classifier.preprocessing.input_size,
            preprocessing=str(classifier.preprocessing),
            weights_sha256=classifier.weights_sha256,
            guessed_architecture=GUESSED_ARCH in classifier.provenance,
            notes=list(classifier.notes),
        ),
        data=Data(
            source=source_name,
            pictures=len(samples.image_ids()),
            labelled=source.labelled,
            smoke_test=smoke_test,
            fingerprint=fingerprint,
            unreadable=list(unreadable),
            unreadable_count=unreadable_count,
            notes=[*source.notes, *notes],
        ),
        seed=seed,
        score=None if degenerate else summary.score(samples),
        degenerate=degenerate,
        warnings=[
            *warnings,
            *([] if random is None else [random]),
            *([] if shift is None else summary.warnings(samples, shift, floor)),
        ],
        doubts=list(doubts),
        clean=summary.clean(samples, source.labelled, metrics),
        noise_floor=floor,
        battery=[probed(probe) for probe in battery],
        metrics=[Measured.of(metric) for metric in metrics],
        estimates=summary.estimates(samples, metrics),
        curves=summary.curves(samples),
        preprocessing=preprocessing,
        class_flips=findings.class_flips(samples, names),
        worst=findings.worst_pictures(samples, names, METRICS["shift"], METRICS["flip_rate"]),
        verdicts=[],
    )


def probed(probe: Probe) -> Probed:
    """Describe a probe as it is run."""
    return Probed(
        name=probe.name,
        family=probe.family,
        perturbation=probe.perturbation,
        claim=probe.claim,
        ladder=list(probe.ladder),
        sha256=probe.sha256,
    )
