"""What is measured on the sides of a break: answers, distances, input gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from semaudit.gradients import Ability, ClassLogit
from semaudit.gradients.saliency import saliency
from semaudit.inspecting.case import Array, Moved, Side
from semaudit.metrics import Rung, View
from semaudit.metrics.gradients import gradient_turn
from semaudit.metrics.inputs import input_linf, input_rms, ssim


def moved_to(clean: View, pictures: Tensor) -> Moved:
    """How far the last of the three pictures is from the clean one."""
    rung = Rung(clean, replace(clean, images=pictures[2:]))
    return Moved(*(float(metric(rung)) for metric in (input_rms, input_linf, ssim)))


def slopes(
    ability: Ability, clean: View, pictures: Tensor
) -> tuple[float | None, Tensor | None, tuple[str, ...]]:
    """The turn across the break, the saliency at clean, before and after, and notes."""
    if clean.activation == "none":
        return None, None, ("saliency is left out: an embedding has no class to be salient for",)
    if ability.differentiator is None:
        return None, None, ("saliency is left out: no input gradients can be had of this model",)
    seen = ability.differentiator(pictures, ClassLogit(clean.top_class.expand(len(pictures))))
    (gradients,) = seen.gradients
    views = [replace(clean, gradient=gradients[k : k + 1]) for k in (1, 2)]
    turn = float(gradient_turn(Rung(*views)))
    maps = saliency(gradients).detach().cpu()
    notes: tuple[str, ...] = ()
    if not bool((gradients.abs().flatten(1).amax(1) > 0).all()):
        notes = ("the input gradient is 0 on a side of the break, so that its turn is unknown",)
    return (None if np.isnan(turn) else turn), maps, notes


def side_of(views: View, row: int, strength: float) -> Side:
    """What was answered in one row of the views."""
    probabilities = probabilities_of(views)[row]
    if views.activation == "none":
        return Side(strength, probabilities, ())
    decision = views.decision[row].cpu()
    held = decision.nonzero()[:, 0] if views.activation == "sigmoid" else decision
    return Side(strength, probabilities, tuple(int(k) for k in held))


def probabilities_of(views: View) -> Array:
    """(n, classes); (n, 0) for embeddings."""
    if views.activation == "none":
        return np.zeros((len(views.logits), 0))
    return host(views.probabilities)


def host(values: Tensor) -> Array:
    """The same numbers, in NumPy."""
    numbers: Array = values.detach().cpu().double().numpy()
    return numbers
