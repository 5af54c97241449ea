"""Walks one ladder: perturbs a batch rung by rung and measures on the way.

Images live only as long as their rung: what leaves is a few numbers an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semaudit import perturbations
from semaudit.gradients.along import Slopes
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.metrics import PATH_FUNCTIONS, RUNG_FUNCTIONS, Rung, View, precise
from semaudit.metrics.steps import Step, path_of, step_between
from semaudit.metrics.views import joined
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe


@dataclass(frozen=True)
class Trace:
    """What was measured along one probe's ladder of K rungs for n images.

    Attributes:
        rungs: by column of each rung metric, (n, K).
        paths: by column of each path metric, (n,).
        classes: top-1 class at each rung, (n, K).
    """

    rungs: dict[str, Tensor]
    paths: dict[str, Tensor]
    classes: Tensor


Look = Callable[[Tensor, Tensor], View]
"""From images and their rows in the batch, (n,), to what the classifier makes of them."""


def look(classifier: Classifier, images: Tensor) -> View:
    """Run the classifier on images (n, c, h, w) and keep its outputs in the precise dtype."""
    outputs = classifier(images)
    dtype = precise(images.device)
    features = None if outputs.features is None else outputs.features.to(dtype)
    return View(images, outputs.logits.to(dtype), features, classifier.activation)


def look_again(see: Look, images: Tensor) -> View:
    """See the same images in another batch: reversed and cut in two uneven parts.

    What differs then from the first look is the noise floor, which precision alone makes. One
    image alone is seen in a batch of two.
    """
    n = len(images)
    rows = torch.arange(n, device=images.device).flip(0)
    if n == 1:
        return see(images.expand(2, -1, -1, -1), rows.expand(2)).rows(rows)
    cut = n // 2 + n % 2
    seen = joined([see(images[part], part) for part in (rows[:cut], rows[cut:])])
    return replace(seen.rows(rows), images=images)


def walk(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    step: Callable[[int], None] = lambda _: None,
    slopes: Slopes | None = None,
) -> Trace:
    """Walk a probe's ladder from the clean view and measure every rung.

    Args:
        classifier: what is audited.
        probe: the claim with its ladder of K strengths.
        clean: the view of the unperturbed images, computed once for all probes.
        draw: the random numbers of these images under this probe.
        step: told the number of images done after each rung.
        slopes: takes input gradients along the ladder, where the probe is one that has them.
    """
    perturb = perturbations.get(probe.perturbation)
    again = probe.family == NOISE_FLOOR_FAMILY
    everyone = torch.arange(len(clean.images), device=clean.images.device)
    rungs: dict[str, list[Tensor]] = {column: [] for column in RUNG_FUNCTIONS}
    classes: list[Tensor] = []
    steps: list[Step] = []
    previous = clean
    for strength in probe.ladder:
        see = _seeing(classifier, slopes, last=strength == probe.ladder[-1])
        images = perturb(clean.images, strength, draw)
        current = look_again(see, images) if again else see(images, everyone)
        rung = Rung(clean, current)
        for column, function in RUNG_FUNCTIONS.items():
            rungs[column].append(function(rung))
        steps.append(step_between(previous, current))
        classes.append(current.top_class)
        previous = current
        step(len(clean.images))
    path = path_of(probe.ladder, rungs["shift"], steps)
    return Trace(
        rungs={column: torch.stack(values, 1) for column, values in rungs.items()},
        paths={column: function(path) for column, function in PATH_FUNCTIONS.items()},
        classes=torch.stack(classes, 1),
    )


def _seeing(classifier: Classifier, slopes: Slopes | None, *, last: bool) -> Look:
    """Look, and take gradients on the way where they are wanted."""
    if slopes is None:
        return lambda images, _: look(classifier, images)
    return lambda images, rows: slopes.look(images, rows, loss=last)
