"""What the continuity term is worth: the same pictures, changes and compute without it.

Plain fine-tuning sees clean pictures only; augmentation sets the task on clean and changed ones.
Each has as many updates as fit into the passes that the main run made (`semaudit.finetuning.cost`),
a search of its own over the learning rate where the main run had one, and a sweep of its own over
interpolated weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.choosing import Choice
from semaudit.finetuning.cost import passes_of
from semaudit.finetuning.interpolation import Point
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.plan import Ended, Tick, Watch
from semaudit.finetuning.search import Arm, search, trained
from semaudit.finetuning.student import Weights

PLAIN, AUGMENTATION = "plain fine-tuning", "augmentation only"


_ROUNDING = 1e-9


@dataclass(frozen=True)
class Baseline:
    """A run without the continuity term.

    Attributes:
        name: which one.
        arm: its learning rate.
        updates: it trained for.
        passes: a picture of an update costs.
        points: its frontier on validation.
        choice: what would be shipped of it.
        weights: the tuned ones.
    """

    name: str
    arm: Arm
    updates: int
    passes: float
    points: list[Point]
    choice: Choice
    weights: Weights

    def record(self, best: Point | None) -> dict[str, Any]:
        """What ``finetune.json`` says of it, ``best`` being the main run's choice."""
        return {
            "name": self.name,
            "lr": self.arm.lr,
            "updates": self.updates,
            "passes_a_picture": self.passes,
            "frontier": [asdict(point) for point in self.points],
            "choice": self.choice.stated(),
            "wins": wins(self.choice.point, best),
        }


def wins(baseline: Point | None, best: Point | None) -> bool:
    """Whether a baseline's choice has less shift on validation than the main run's."""
    return baseline is not None and (best is None or baseline.shift < best.shift)


def run_baselines(
    bench: Bench, ended: Ended, *, searched: bool, watch: Watch = lambda _: None
) -> tuple[list[Baseline], tuple[str, ...]]:
    """Run both; returns them, and notes on what was left out.

    Args:
        bench: what all runs share.
        ended: the main run. They take over its learning rate unless they search, and a limit of
            time only by its updates.
        searched: whether the main run searched, and in the recipe's time.
        watch: told what is being done.
    """
    spent = ended.updates * passes_of(bench, bench.recipe.objective)
    lr = bench.recipe.lr
    done: list[Baseline] = []
    notes: tuple[str, ...] = ()
    for name, (objective, passes) in objectives(bench).items():
        if objective is None:
            notes = (f"{name} is left out: it has no labels to learn",)
            continue
        arm = Arm(0.0, lr)
        if searched:
            seconds = bench.recipe.auto_time
            arm = search(bench, seconds, alphas=(0.0,), base=objective, watch=watch).best
        updates = max(math.floor(spent / passes + _ROUNDING), 1)
        watch(Tick(0, updates, stage=name))
        weights = trained(bench, objective, arm, updates)
        points, choice = bench.sweep(weights)
        done.append(Baseline(name, arm, updates, passes, points, choice, weights))
    return done, notes


def objectives(bench: Bench) -> Mapping[str, tuple[Objective | None, float]]:
    """Each baseline's objective, and the passes that a picture of an update costs under it."""
    recipe = bench.recipe
    bare = replace(
        recipe.model_copy(update={"alpha": 0.0}).objective, gradient=0.0, turn=0.0, on_changed=False
    )
    # An anchor on clean pictures is met from the start: with labels, these are the task.
    by_label = replace(bare, cross_entropy=1.0, anchor=0.0) if bare.anchor == 1 else bare
    plain = by_label if bench.by_label else None
    augmented = replace(by_label if bench.by_label else bare, on_changed=True)
    return {
        PLAIN: (plain, 0.0 if plain is None else passes_of(bench, plain)),
        AUGMENTATION: (augmented, passes_of(bench, augmented)),
    }
