"""From rung to rung: what the metrics of a path are told of two neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from semaudit.metrics.outputs import flip, top5_distance
from semaudit.metrics.views import Path, Rung, View


class Step(NamedTuple):
    """What changed between two neighbouring views of n images, (n,) each: see `Path`."""

    distance: Tensor
    input_step: Tensor
    flips: Tensor
    top5: Tensor


def step_between(before: View, after: View) -> Step:
    """Measure the step from one view to its neighbour; neither is kept."""
    between = Rung(before, after)
    return Step(
        distance=before.shift_to(after).sqrt(),
        input_step=between.difference.square().mean(1).sqrt().to(after.logits.dtype),
        flips=flip(between),
        top5=top5_distance(between),
    )


def path_of(strengths: Sequence[float], shifts: Sequence[Tensor], steps: Sequence[Step]) -> Path:
    """Put a path of K rungs together.

    Args:
        strengths: K of them, rising.
        shifts: the semantic shift at each rung, (n,) each.
        steps: the step to each rung from the one before it, the clean view first.
    """
    columns = (torch.stack(column, 1) for column in zip(*steps, strict=True))
    return Path(shifts[0].new_tensor(strengths), torch.stack(list(shifts), 1), *columns)
