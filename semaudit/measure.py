"""Measures one batch of images under the whole battery, with few reads from the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import AuditError
from semaudit.gradients import Ability, Differentiator, at_pictures
from semaudit.gradients.along import Slopes, has_gradients
from semaudit.layout import ASIDE
from semaudit.look import look
from semaudit.metrics import IMAGE_FUNCTIONS, PATH_FUNCTIONS, RUNG_FUNCTIONS, View
from semaudit.metrics.derived import ONSET
from semaudit.metrics.registry import refuse_out_of_bounds
from semaudit.models import Classifier
from semaudit.onset import find_onsets, first_flips
from semaudit.perturbations import Draw
from semaudit.probes import Probe, layout_of
from semaudit.taxonomy import Taxonomy
from semaudit.trace import Trace, walk
from semaudit.worst import Hunt

Array = NDArray[np.float64]

SLOPES = "input gradients"
"""What the draws at clean pictures are keyed by; no probe can be called so."""


@dataclass(frozen=True)
class Asked:
    """What a scan measures beside outputs.

    Attributes:
        taxonomy: weighs the shift by meaning; on the classifier's device.
        ability: what can be differentiated of the classifier; None where nothing has to be.
        samples: how many random numbers an estimate on gradients takes; None: none is measured.
        hunt: how worst cases are looked for.
    """

    taxonomy: Taxonomy | None = None
    ability: Ability | None = None
    samples: int | None = None
    hunt: Hunt | None = None


@dataclass(frozen=True)
class Measures:
    """What one batch of n images gave under P probes with C cells (probe and rung) in all.

    Attributes:
        images: by column, (n,).
        paths: by column, (n, P).
        rungs: by column, (n, C), probe by probe in the battery's order.
        clean_classes: (n,) top-1 classes of the clean images.
        classes: (n, C) top-1 classes.
        output_sum: (g, k) sum of the n clean outputs, left on the device: of probabilities (see
            `View.distributions`), or (1, d) of embeddings at length 1.
    """

    images: dict[str, Array]
    paths: dict[str, Array]
    rungs: dict[str, Array]
    clean_classes: NDArray[np.int64]
    classes: NDArray[np.int64]
    output_sum: Tensor


def measure(
    classifier: Classifier,
    battery: Sequence[Probe],
    images: Tensor,
    image_ids: Sequence[str],
    seed: int,
    step: Callable[[int], None] = lambda _: None,
    asked: Asked | None = None,
    labels: Tensor | None = None,
) -> Measures:
    """Measure images (n, c, h, w) in [0, 1], on the classifier's device, under every probe.

    Labels (n,), -1 for none, are what the gradients of the loss need.

    Raises:
        AuditError: an output is not finite; names the image, the probe and the strength.
        PluginError: a metric of a plugin fails, or leaves its bounds; names the metric.
    """
    asked = asked or Asked()
    with torch.no_grad():  # not inference mode, whose tensors take no part in a gradient
        clean = replace(look(classifier, images), taxonomy=asked.taxonomy)
        draws = [Draw.of(seed, probe.name, image_ids, images.device) for probe in battery]
        columns: dict[str, Tensor] = {}
        slopes = None
        if asked.ability is not None and asked.samples is not None:
            draw = Draw.of(seed, SLOPES, image_ids, images.device)
            slopes, clean = _slopes_along(asked.ability.differentiator, clean, labels)
            columns = at_pictures(classifier, asked.ability, clean, labels, draw, asked.samples)
        traces = [
            walk(
                classifier,
                probe,
                clean,
                draw,
                step,
                slopes if has_gradients(probe) else None,
                asked.hunt,
            )
            for probe, draw in zip(battery, draws, strict=True)
        ]
        measures = _gather(clean, traces, columns)
        _check_finite(measures, battery, image_ids)
        refuse_out_of_bounds("image", measures.images)
        refuse_out_of_bounds("path", measures.paths)
        refuse_out_of_bounds("rung", measures.rungs)
        leads = [trace.leads for trace in traces]
        onsets = _onsets(classifier, battery, clean, draws, leads, measures, image_ids)
        for index, trace in enumerate(traces):
            if trace.onsets is not None:
                onsets[:, index] = trace.onsets.cpu().double().numpy()
        measures.paths[ONSET.column] = onsets
    return measures


def _slopes_along(
    differentiator: Differentiator | None, clean: View, labels: Tensor | None
) -> tuple[Slopes | None, View]:
    """What takes gradients along ladders, and the clean view with its own."""
    if differentiator is None or clean.activation == "none":
        return None, clean
    slopes = Slopes.of(differentiator, clean, labels)
    everyone = torch.arange(len(clean.images), device=clean.images.device)
    seen = slopes.look(clean.images, everyone, loss=True)
    return slopes, replace(clean, gradient=seen.gradient, loss_gradient=seen.loss_gradient)


def _gather(clean: View, traces: Sequence[Trace], columns: Mapping[str, Tensor]) -> Measures:
    """Bring everything to the host in one read."""
    n = len(clean.images)
    dtype = clean.logits.dtype
    named = {name: function(clean) for name, function in IMAGE_FUNCTIONS.items()} | dict(columns)
    image = [clean.top_class.to(dtype), *named.values()]
    path = [torch.stack([trace.paths[name] for trace in traces], 1) for name in PATH_FUNCTIONS]
    rung = [torch.cat([trace.rungs[name] for trace in traces], 1) for name in RUNG_FUNCTIONS]
    classes = torch.cat([trace.classes for trace in traces], 1).to(dtype)
    every = [*(values[:, None] for values in image), *path, *rung, classes]
    host: Array = torch.cat([column.to(dtype) for column in every], 1).cpu().double().numpy()
    pieces = iter(np.split(host, np.cumsum([column.shape[1] for column in every])[:-1], axis=1))
    clean_classes = next(pieces).reshape(n).astype(np.int64)
    return Measures(
        images={name: next(pieces).reshape(n) for name in named},
        paths={name: next(pieces) for name in PATH_FUNCTIONS},
        rungs={name: next(pieces) for name in RUNG_FUNCTIONS},
        clean_classes=clean_classes,
        classes=next(pieces).astype(np.int64),
        output_sum=as_point(clean).sum(0),
    )


def as_point(view: View) -> Tensor:
    """Outputs as points (n, g, k) whose mean tells how much they depend on the picture."""
    if view.activation == "none":
        return view.directions[:, None]
    return view.distributions.exp()


def _check_finite(measures: Measures, battery: Sequence[Probe], image_ids: Sequence[str]) -> None:
    broken = np.flatnonzero(~np.isfinite(measures.images["logit_norm"]))
    if broken.size:
        raise AuditError(
            f"the model's output for the clean picture {image_ids[broken[0]]!r} is not finite; "
            "check the weights and the input range, or try --amp-dtype float32"
        )
    features = np.isnan(measures.rungs["feature_distance"])
    # All NaN: a model that shows no features. Some NaN: features that overflowed.
    overflowed = features if not features.all() else np.zeros_like(features)
    cells_broken = np.argwhere(~np.isfinite(measures.rungs["shift"]) | overflowed)
    if len(cells_broken):
        image, cell = cells_broken[0]
        cells = [(probe.name, strength) for probe in battery for strength in probe.ladder]
        name, strength = cells[cell]
        if not np.isfinite(measures.rungs["input_rms"][image, cell]):
            raise AuditError(
                f"{name} at {strength:g} makes picture {image_ids[image]!r} not finite"
            )
        raise AuditError(
            f"the model's output for picture {image_ids[image]!r} under {name} at {strength:g} "
            "is not finite; try --amp-dtype float32, or leave the probe out with --ignore"
        )


def _onsets(
    classifier: Classifier,
    battery: Sequence[Probe],
    clean: View,
    draws: Sequence[Draw],
    leads: Sequence[Tensor],
    measures: Measures,
    image_ids: Sequence[str],
) -> Array:
    onsets = np.full((len(clean.images), len(battery)), np.nan)
    flips = measures.rungs["flip"] > 0
    found = [
        flip
        for index, (probe, span) in enumerate(zip(battery, layout_of(battery).spans, strict=True))
        if probe.family not in ASIDE
        for flip in first_flips(flips[:, span], index)
    ]
    strengths = find_onsets(classifier, clean, found, battery, draws, leads)
    for flip, strength in zip(found, strengths.cpu().tolist(), strict=True):
        if np.isnan(strength):
            probe = battery[flip.probe]
            low, high = (0.0, *probe.ladder)[flip.rung : flip.rung + 2]
            raise AuditError(
                f"the model's output for picture {image_ids[flip.image]!r} under "
                f"{probe.name} is not finite between {low:g} and {high:g}"
            )
        onsets[flip.image, flip.probe] = strength
    return onsets
