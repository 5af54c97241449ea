"""Finds where on its way a picture's answer breaks, and measures both sides of the break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import AuditError, ImageError, UsageError
from semaudit.gradients import Ability, survey
from semaudit.inspecting.case import Array, Case, Course, Sweep
from semaudit.inspecting.onset import find_break
from semaudit.inspecting.sides import host, moved_to, probabilities_of, side_of, slopes
from semaudit.inspecting.way import Way, way_of
from semaudit.look import look
from semaudit.metrics import View
from semaudit.metrics.views import joined
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe, load_probes, no_such_probe
from semaudit.runtime import Halving
from semaudit.worst import CHEAP, Effort, Hunt
from semaudit.worst.masking import stochastic

POINTS = 33
"""Points, the clean picture and the end among them, that lie evenly along the way."""

RANDOM = (
    "two identical runs on this picture differ: its answer is random, and so is every step of the "
    "curve; no flip is claimed"
)

BATCH = 8
"""Pictures in a forward, unless told otherwise."""


def break_of(
    classifier: Classifier,
    images: Tensor,
    image_id: str,
    probe: Probe | str,
    seed: int = 0,
    *,
    label: int | None = None,
    names: Sequence[str] | None = None,
    effort: Effort = CHEAP,
    ability: Ability | None = None,
    batch_size: int = BATCH,
) -> Case:
    """Find where the answer for one picture breaks under a probe.

    Args:
        classifier: what is asked; see `semaudit.models.load` for one of a module.
        images: the picture, (1, c, h, w), floats in [0, 1] at the model's input size.
        image_id: its name, which keys the random numbers together with the seed and the probe.
        probe: the claim with its ladder, or the name of a shipped one.
        seed: of the draw.
        label: its class, if known.
        names: of the classes; the classifier's own unless given.
        effort: how hard the change of a searched probe is looked for.
        ability: what can be differentiated of the classifier; found out unless given.
        batch_size: pictures in a forward.

    Raises:
        AuditError: an output on the way is not finite.
        ImageError: the picture has another shape or range.
        UsageError: there is no such probe.
    """
    probe = _shipped(probe) if isinstance(probe, str) else probe
    ability = survey(classifier) if ability is None else ability
    images = _checked(images).to(classifier.placement.device)
    with torch.no_grad():
        clean = look(classifier, images)
        draw = Draw.of(seed, probe.name, [image_id], images.device)
        hunt = Hunt(effort, ability.differentiator)
        way = way_of(classifier, probe, clean, draw, hunt)
        # Where pictures in a batch move each other's outputs, each is seen alone, as at first.
        together = ability.differentiator is None or ability.differentiator.apart
        seer = _Seer(classifier, way, Halving(batch_size if together else 1), image_id, probe)
        return _case(seer, clean, ability, label, tuple(names or classifier.class_names.names))


def _shipped(name: str) -> Probe:
    known = {probe.name: probe for probe in load_probes()}
    if name not in known:
        raise UsageError(no_such_probe(name, tuple(known.values())))
    return known[name]


def _checked(images: Tensor) -> Tensor:
    if images.ndim != 4 or len(images) != 1 or not images.is_floating_point():
        raise ImageError(
            f"one picture is a float tensor (1, c, h, w), not {tuple(images.shape)} of "
            f"{images.dtype}"
        )
    low, high = (float(end) for end in images.aminmax())
    if not (low >= 0 and high <= 1):
        raise ImageError(f"the picture lies in [{low:.4g}, {high:.4g}] and must lie in [0, 1]")
    return images


class _Seer:
    """Looks at places on the way of one picture."""

    def __init__(
        self, classifier: Classifier, way: Way, halving: Halving, image_id: str, probe: Probe
    ) -> None:
        self.classifier, self.way, self.image_id, self.probe = classifier, way, image_id, probe
        self._halving = halving

    def see(self, strengths: Array | Sequence[float], clean: View) -> View:
        """What the model makes of the picture at strengths (k,); without the pictures."""
        asked = clean.images.new_tensor(np.asarray(strengths))

        def part(some: Tensor, _: slice) -> View:
            seen = look(self.classifier, self.way.at(some))
            return replace(seen, images=seen.images[:, :0], features=None)

        seen = joined([view for _, view in self._halving.parts(asked, part)])
        broken = ~seen.logits.isfinite().all(-1)
        if bool(broken.any()):
            raise AuditError(
                f"the model's output for picture {self.image_id!r} under {self.probe.name} at "
                f"{float(asked[broken][0]):g} is not finite"
            )
        return seen


def _case(
    seer: _Seer, clean: View, ability: Ability, label: int | None, names: tuple[str, ...]
) -> Case:
    way, probe = seer.way, seer.probe
    sweep, views, flipped = _sweep(seer, clean)
    chance = stochastic(seer.classifier, clean) is not None
    found = (
        None
        if chance
        else find_break(
            lambda strengths: seer.see(strengths, clean), clean, way, sweep.strengths, flipped
        )
    )
    low, high = _steepest(sweep, views) if found is None else (found.low, found.high)
    sides = seer.see([low, high], clean)
    pictures = torch.cat([clean.images, way.at(clean.images.new_tensor([low, high]))])
    leap = float(_step(sides)[0])
    turn, salient, notes = slopes(ability, clean, pictures)
    rungs = way.rung_shifts
    if rungs is None:
        rungs = clean.shift_to(seer.see(way.ladder, clean))
    return Case(
        image_id=seer.image_id,
        label=label,
        names=names,
        activation=clean.activation,
        probe=probe,
        searched=probe.searched,
        flips=found is not None,
        clean=side_of(clean, 0, 0.0),
        before=side_of(sides, 0, low),
        after=side_of(sides, 1, high),
        sweep=sweep,
        rung_shifts=host(rungs),
        shift=float(clean.shift_to(sides)[1]),
        leap=leap,
        share=_share(sweep, views, sides, low, high),
        moved=moved_to(clean, pictures),
        gradient_turn=turn,
        pictures=pictures.cpu(),
        saliency=salient,
        course=Course() if found is None else found.course,
        notes=(*([RANDOM] if chance else []), *notes),
        random=chance,
    )


def _sweep(seer: _Seer, clean: View) -> tuple[Sweep, View, NDArray[np.bool_]]:
    """Look along the way: what was seen, and where the answer differs from the clean one."""
    even = np.linspace(0, seer.way.top, POINTS)
    strengths = np.unique(np.concatenate([even, seer.way.ladder]))
    views = seer.see(strengths, clean)
    sweep = Sweep(
        strengths=strengths,
        probabilities=probabilities_of(views),
        shift=host(clean.shift_to(views)),
        step=host(_step(views)),
        even=np.searchsorted(strengths, even),
    )
    flipped: NDArray[np.bool_] = host(clean.flipped(views.decision)) > 0
    return sweep, views, flipped


def _step(views: View) -> Tensor:
    """Sqrt of the shift between neighbours, (k - 1,)."""
    count = torch.arange(len(views.logits), device=views.logits.device)
    return views.rows(count[:-1]).shift_to(views.rows(count[1:])).clamp_min(0).sqrt()


def _steepest(sweep: Sweep, views: View) -> tuple[float, float]:
    """The ends of the largest step between points that lie evenly."""
    steps = _step(views.rows(torch.as_tensor(sweep.even, device=views.logits.device)))
    k = int(steps.argmax())
    low, high = sweep.strengths[sweep.even[[k, k + 1]]].tolist()
    return low, high


def _share(sweep: Sweep, views: View, sides: View, low: float, high: float) -> float:
    """The break's part of all that the output moves along the way, through both its sides."""
    everything = np.concatenate([sweep.strengths, [low, high]])
    order = np.argsort(everything, kind="stable")
    # Points between the sides, and the sides' doubles, would count the break twice.
    kept = [k for k in order if k >= len(sweep.strengths) or not low <= everything[k] <= high]
    together = joined([views, sides]).rows(torch.as_tensor(kept, device=views.logits.device))
    way = float(_step(together).sum())
    return float(_step(sides)[0]) / way if way > 0 else float("nan")
