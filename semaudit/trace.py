"""Walks one ladder: perturbs a batch rung by rung and measures on the way.

Images live only as long as their rung: what leaves is a few numbers an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit import perturbations
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.metrics import PATH_FUNCTIONS, RUNG_FUNCTIONS, Rung, View, precise
from semaudit.metrics.steps import Step, path_of, step_between
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


def look(classifier: Classifier, images: Tensor) -> View:
    """Run the classifier on images (n, c, h, w) and keep its outputs in the precise dtype."""
    outputs = classifier(images)
    dtype = precise(images.device)
    features = None if outputs.features is None else outputs.features.to(dtype)
    return View(images, outputs.logits.to(dtype), features, classifier.activation)


def look_again(classifier: Classifier, images: Tensor) -> View:
    """Look at the same images in another batch: reversed and cut in two uneven parts.

    What differs then from the first look is the noise floor, which precision alone makes. One
    image alone is seen in a batch of two.
    """
    n = len(images)
    if n == 1:
        both = look(classifier, images.expand(2, -1, -1, -1))
        return both.rows(torch.zeros(1, dtype=torch.int64, device=images.device))
    cut = n // 2 + n % 2
    parts = [look(classifier, part) for part in (images.flip(0)[:cut], images.flip(0)[cut:])]
    logits = torch.cat([part.logits for part in parts]).flip(0)
    features = [part.features for part in parts if part.features is not None]
    flipped = torch.cat(features).flip(0) if features else None
    return View(images, logits, flipped, classifier.activation)


def walk(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    step: Callable[[int], None] = lambda _: None,
) -> Trace:
    """Walk a probe's ladder from the clean view and measure every rung.

    Args:
        classifier: what is audited.
        probe: the claim with its ladder of K strengths.
        clean: the view of the unperturbed images, computed once for all probes.
        draw: the random numbers of these images under this probe.
        step: told the number of images done after each rung.
    """
    perturb = perturbations.get(probe.perturbation)
    see: Callable[[Classifier, Tensor], View] = (
        look_again if probe.family == NOISE_FLOOR_FAMILY else look
    )
    rungs: dict[str, list[Tensor]] = {column: [] for column in RUNG_FUNCTIONS}
    classes: list[Tensor] = []
    steps: list[Step] = []
    previous = clean
    for strength in probe.ladder:
        current = see(classifier, perturb(clean.images, strength, draw))
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
