"""Walks one ladder: perturbs a batch rung by rung and measures on the way.

Images live only as long as their rung: what leaves is a few numbers an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit import perturbations
from semaudit.gradients.along import Slopes
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.look import Look, look, look_again
from semaudit.metrics import PATH_FUNCTIONS, RUNG_FUNCTIONS, Rung, View
from semaudit.metrics.steps import Step, path_of, step_between
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe
from semaudit.worst import CHEAP, Hunt, worst_frames
from semaudit.worst.segment import FirstFlips


@dataclass(frozen=True)
class Trace:
    """What was measured along one probe's ladder of K rungs for n images.

    Attributes:
        rungs: by column of each rung metric, (n, K).
        paths: by column of each path metric, (n,).
        classes: top-1 class at each rung, (n, K).
        leads: by how much the clean decision leads, at the clean picture and each rung, (n, K + 1).
        onsets: of a searched probe, the strength at which each image flips, (n,); NaN: never.
    """

    rungs: dict[str, Tensor]
    paths: dict[str, Tensor]
    classes: Tensor
    leads: Tensor
    onsets: Tensor | None = None


def walk(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    step: Callable[[int], None] = lambda _: None,
    slopes: Slopes | None = None,
    hunt: Hunt | None = None,
) -> Trace:
    """Walk a probe's ladder from the clean view and measure every rung.

    Args:
        classifier: what is audited.
        probe: the claim with its ladder of K strengths.
        clean: the view of the unperturbed images, computed once for all probes.
        draw: the random numbers of these images under this probe.
        step: told the number of images done after each rung.
        slopes: takes input gradients along the ladder, where the probe is one that has them.
        hunt: how a worst case is looked for, where the probe is one that has it looked for.
    """
    rungs: dict[str, list[Tensor]] = {column: [] for column in RUNG_FUNCTIONS}
    classes: list[Tensor] = []
    leads = [clean.lead_in(clean)]
    steps: list[Step] = []
    flips = FirstFlips(clean) if probe.searched and clean.activation != "none" else None
    previous = clean
    for strength, current in zip(
        probe.ladder, _views(classifier, probe, clean, draw, slopes, hunt), strict=True
    ):
        rung = Rung(clean, current)
        for column, function in RUNG_FUNCTIONS.items():
            rungs[column].append(function(rung))
        steps.append(step_between(previous, current))
        classes.append(current.top_class)
        leads.append(clean.lead_in(current))
        if flips is not None:
            flips.see(current, strength)
        previous = current
        step(len(clean.images))
    path = path_of(probe.ladder, rungs["shift"], steps)
    return Trace(
        rungs={column: torch.stack(values, 1) for column, values in rungs.items()},
        paths={column: function(path) for column, function in PATH_FUNCTIONS.items()},
        classes=torch.stack(classes, 1),
        leads=torch.stack(leads, 1),
        onsets=None if flips is None else flips.onsets(classifier),
    )


def _views(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    slopes: Slopes | None,
    hunt: Hunt | None,
) -> Iterator[View]:
    """What the classifier makes of the pictures at each rung."""
    if probe.searched:
        yield from worst_frames(classifier, probe, clean, draw, hunt or Hunt(CHEAP, None))
        return
    again = probe.family == NOISE_FLOOR_FAMILY
    everyone = torch.arange(len(clean.images), device=clean.images.device)
    perturb = perturbations.get(probe.perturbation)
    for strength in probe.ladder:
        images = perturb(clean.images, strength, draw)
        see = _seeing(classifier, slopes, last=strength == probe.ladder[-1])
        yield look_again(see, images) if again else see(images, everyone)


def _seeing(classifier: Classifier, slopes: Slopes | None, *, last: bool) -> Look:
    """Look, and take gradients on the way where they are wanted."""
    if slopes is None:
        return lambda images, _: look(classifier, images)
    return lambda images, rows: slopes.look(images, rows, loss=last)
