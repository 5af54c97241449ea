"""P: the changes that a model is trained under, and what of the battery it has seen by then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semaudit.battery import open_battery
from semaudit.errors import ProbeError, UsageError, did_you_mean
from semaudit.finetuning.generic import Generic
from semaudit.finetuning.recipe import Recipe
from semaudit.gradients import Differentiator
from semaudit.layout import ADVERSARIAL_FAMILY, NOISE_FLOOR_FAMILY
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw, get
from semaudit.probes import Probe, load_probes
from semaudit.worst.ascent import ascend
from semaudit.worst.ball import Ball, drawn_in
from semaudit.worst.objective import Climb

GENERIC, WORST = "generic", "worst"
_PICKS = 1000
"""The stream of what is picked; no perturbation draws from it."""

Change = Callable[[Classifier, Tensor, Draw], Tensor]
"""From the model as it is now and images (n, c, h, w) to changed ones, without a graph."""


@dataclass(frozen=True)
class Changes:
    """The changes that a recipe names.

    Attributes:
        parts: of which each picture gets one, even odds.
        seen: the families of probes among them, which prove nothing about unseen ones.
        probes: the names of these probes.
    """

    parts: tuple[Change, ...]
    seen: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()

    @property
    def passes(self) -> float:
        """What a changed picture costs on average, in forwards of a picture by the model."""
        searched = (part.passes for part in self.parts if isinstance(part, WorstCase))
        return sum(searched) / len(self.parts)

    def __call__(self, student: Classifier, images: Tensor, draw: Draw) -> Tensor:
        """Return changed images (n, c, h, w) in [0, 1], without a graph."""
        with torch.no_grad():
            if len(self.parts) == 1:
                return self.parts[0](student, images, draw)
            picked = draw.uniform(1, stream=_PICKS)[:, 0] * len(self.parts)
            changed = torch.empty_like(images)
            for index, part in enumerate(self.parts):
                rows = (picked.int() == index).nonzero()[:, 0]
                if len(rows):
                    changed[rows] = part(student, images[rows], draw.subset(rows))
            return changed


@dataclass(frozen=True)
class Primitives:
    """The generic changes, which need no model."""

    generic: Generic

    def __call__(self, _: Classifier, images: Tensor, draw: Draw) -> Tensor:
        """Return changed images."""
        return self.generic(images, draw)


@dataclass(frozen=True)
class Rungs:
    """Probes at random rungs: each picture gets one, all rungs at even odds within a probe."""

    probes: tuple[Probe, ...]

    def __call__(self, _: Classifier, images: Tensor, draw: Draw) -> Tensor:
        """Return changed images."""
        picks = draw.uniform(2, stream=_PICKS + 1)
        picked = (picks[:, 0] * len(self.probes)).int()
        changed = images.clone()
        for index, probe in enumerate(self.probes):
            rows = (picked == index).nonzero()[:, 0]
            if len(rows):
                ladder = images.new_tensor(probe.ladder)
                strengths = ladder[(picks[rows, 1] * len(ladder)).long()].view(-1, 1, 1, 1)
                # A stream of its own for each probe, as each has a draw of its own in a scan.
                keys = draw.keys[rows] + index + 1
                changed[rows] = get(probe.perturbation)(images[rows], strengths, Draw(keys))
        return changed


@dataclass(frozen=True)
class WorstCase:
    """The worst case of the model as it is now, by a few gradients; no label is asked for.

    Attributes:
        radius: of the L-infinity ball, a fraction of full scale.
        steps: gradients a picture.
    """

    radius: float
    steps: int

    @property
    def passes(self) -> int:
        """The clean look, a forward and the way back to the picture a step, and a last look."""
        return 2 + 2 * self.steps

    def __call__(self, student: Classifier, images: Tensor, draw: Draw) -> Tensor:
        """Return changed images."""
        ball = Ball("linf")
        modes = {module: module.training for module in student.module.modules()}
        student.module.eval()  # statistics of searched pictures must not be taken
        try:
            differentiator = Differentiator(student, directional=None)
            outputs = student(images)
            clean = View(images, outputs.logits.double(), None, student.activation)
            start = drawn_in(ball, images, self.radius, draw, _PICKS + 2)
            climb = Climb(clean, "jsd")
            found = ascend(differentiator, climb, ball, self.radius, start, self.steps)
        finally:
            for module, training in modes.items():
                module.training = training
        return found.change


def changes_of(recipe: Recipe) -> Changes:
    """Return the changes that a recipe names; plugins are loaded first, by the caller.

    Raises:
        ProbeError: a battery that cannot be read, or an entry that names nothing.
        UsageError: only what is no change to train under.
    """
    parts: list[Change] = []
    chosen: list[Probe] = []
    selected: list[str] = []
    for entry in recipe.perturb:
        if entry == GENERIC:
            parts.append(Primitives(Generic(recipe.generic_reach)))
        elif entry == WORST:
            parts.append(WorstCase(recipe.worst_radius, recipe.worst_steps))
        elif entry.endswith((".yaml", ".yml")):
            chosen += open_battery(Path(entry)).probes
        else:
            selected.append(entry)
    if selected:
        try:
            chosen += open_battery(select=selected).probes
        except ProbeError as error:
            for each in selected:
                if near := did_you_mean(each, (GENERIC, WORST)):
                    raise ProbeError(f"--perturb: nothing is called {each!r}{near}") from error
            raise ProbeError(f"--perturb: {error}; or {GENERIC}, or {WORST}") from error
    probes = _to_train_under(chosen)
    if probes:
        parts.append(Rungs(probes))
    if not parts:
        named = ", ".join(recipe.perturb) or "nothing"
        raise UsageError(f"--perturb {named} holds no change to train under")
    seen = dict.fromkeys(_families_of(probes))
    if WORST in recipe.perturb:
        seen[ADVERSARIAL_FAMILY] = None
    return Changes(tuple(parts), tuple(seen), tuple(probe.name for probe in probes))


def _families_of(probes: Sequence[Probe]) -> list[str]:
    """Theirs, and those with a perturbation of theirs: what moves pictures alike is seen, too."""
    if not probes:
        return []
    alike = {probe.perturbation for probe in probes}
    known = [*probes, *load_probes()]
    return [each.family for each in known if each.perturbation in alike]


def _to_train_under(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """Without the noise floor, and worst cases, which are searched for: that is ``worst``."""
    left_out = (NOISE_FLOOR_FAMILY, ADVERSARIAL_FAMILY)
    kept = {probe.name: probe for probe in probes if probe.family not in left_out}
    return tuple(kept.values())
