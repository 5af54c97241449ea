"""Builds the report document from the samples of a scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semaudit import __version__, findings, summary
from semaudit.images import ImageSource
from semaudit.metric import Metric
from semaudit.models import Classifier, weights_sha256
from semaudit.probes import Probe
from semaudit.report.document import Data, Measured, Model, Probed, Report
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
) -> Report:
    """Gather the document, with no verdicts yet.

    Args:
        samples: the finished tables.
        classifier: what was audited.
        battery: what it was audited with.
        source: what it was audited on.
        source_name: what to call that.
        fingerprint: of the pictures, hexadecimal.
        output_sum: (classes,) sum of the clean softmax outputs.
        reference: (2, classes) softmax outputs for a grey and a random picture.
        names: of the classes.
        seed: of the draws.
        metrics: all that gates may speak of.
        notes: what a reader should know of the battery.
    """
    by_name = {metric.name: metric for metric in metrics}
    degenerate = summary.degenerate(samples, output_sum, reference, source.labelled)
    floor = summary.noise_floor(samples)
    shift = summary.single(samples, by_name["shift"]) if samples.layout.families else None
    return Report(
        semaudit=__version__,
        model=Model(
            name=classifier.name,
            num_classes=classifier.num_classes,
            input_size=classifier.preprocessing.input_size,
            weights_sha256=str(
                classifier.provenance.get("weights_sha256") or weights_sha256(classifier.module)
            ),
        ),
        data=Data(
            source=source_name,
            pictures=len(source),
            labelled=source.labelled,
            fingerprint=fingerprint,
            notes=[*source.notes, *notes],
        ),
        seed=seed,
        score=None if degenerate else summary.score(samples),
        degenerate=degenerate,
        warnings=[] if shift is None else summary.warnings(samples, shift, floor),
        clean=summary.clean(samples, source.labelled, metrics),
        noise_floor=floor,
        battery=[_probed(probe) for probe in battery],
        metrics=[Measured.of(metric) for metric in metrics],
        estimates=summary.estimates(samples, metrics),
        curves=summary.curves(samples),
        class_flips=findings.class_flips(samples, names),
        worst=findings.worst_pictures(samples, names, by_name["shift"], by_name["flip_rate"]),
        verdicts=[],
    )


def _probed(probe: Probe) -> Probed:
    return Probed(
        name=probe.name,
        family=probe.family,
        perturbation=probe.perturbation,
        claim=probe.claim,
        ladder=list(probe.ladder),
        sha256=probe.sha256,
    )
