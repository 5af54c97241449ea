"""How long a run is, how far it is, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.student import Weights


@dataclass(frozen=True)
class Tick:
    """How far training is.

    Attributes:
        update: how many updates are done.
        updates: how many there will be.
        loss: of the last one, the mean over pictures.
        terms: its parts, by name, not weighted.
        shift: on some validation pictures, one draw each, last seen; None before.
        original_shift: the original's on the same.
        stage: what is being done.
    """

    update: int
    updates: int
    loss: float = math.nan
    terms: dict[str, float] | None = None
    shift: float | None = None
    original_shift: float | None = None
    stage: str = "training"


Watch = Callable[[Tick], None]


@dataclass(frozen=True)
class Plan:
    """How long a run is, in updates."""

    updates: int
    per_epoch: int
    batch: int

    @classmethod
    def of(cls, recipe: Recipe, pictures: int, world: int) -> Plan:
        """The plan of a recipe; a set smaller than a batch is one batch."""
        batch = min(recipe.batch_size * recipe.grad_accum_steps, pictures)
        batch = max(batch // world, 1) * world  # even shares
        per_epoch = max(pictures // batch, 1)
        return cls(recipe.steps or recipe.epochs * per_epoch, per_epoch, batch)

    def warmup(self, recipe: Recipe) -> int:
        """Updates in which the rate would rise, be the run as short as it may."""
        return round(recipe.warmup_epochs * self.per_epoch)


@dataclass(frozen=True)
class Ended:
    """How training ended.

    Attributes:
        weights: of the last good state, or their average.
        updates: that led there.
        why: what ended it; None: it was done.
        seconds: it took, broken runs included.
        forward: pictures in a forward, after any halving.
        diverged: whether what ended it was a number that is not finite.
    """

    weights: Weights
    updates: int
    why: str | None
    seconds: float
    forward: int
    diverged: bool = False
