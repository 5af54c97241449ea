"""``--alpha auto``: which weight and which learning rate, by successive halving in a stated time.

Jamieson and Talwalkar 2016: all arms run for a short while, the better third for longer. Every arm
starts from the original and has the whole schedule of its own length, so that a short run is a
small whole one rather than the start of a long one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.choosing import flips_no_more, keeps
from semaudit.finetuning.interpolation import Point
from semaudit.finetuning.keeping import Log
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.plan import Plan, Tick, Watch
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.student import Weights

ALPHAS = (1.0, 3.0, 10.0, 30.0)
RATES = (1 / 3, 1.0, 3.0)
"""Multiples of the recipe's learning rate."""

KEPT_SHARE = 3
"""Of so many arms one goes on."""

SHARES = (0.5, 1.0)
"""Of the tuned weights, at which an arm is judged."""


@dataclass(frozen=True)
class Arm:
    """A choice of both, and how it did.

    Attributes:
        alpha: weight of the continuity term.
        lr: learning rate.
        updates: for how many it trained, in the longest round that it was in.
        shift: the lowest on validation that keeps accuracy; infinite where none does.
        kept: accuracy or agreement there.
    """

    alpha: float
    lr: float
    updates: int = 0
    shift: float = math.inf
    kept: float = math.nan


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        best: the last one left.
        arms: all, as each was last seen, best first.
        seconds: the search took.
        planned: updates in each round.
    """

    best: Arm
    arms: tuple[Arm, ...]
    seconds: float
    planned: tuple[int, ...]


def found_of(stated: Mapping[str, Any]) -> Found:
    """A search as it was written down."""
    arms = tuple(_arm_of(each) for each in stated["arms"])
    return Found(_arm_of(stated["best"]), arms, stated["seconds"], tuple(stated["planned"]))


def _arm_of(stated: Mapping[str, Any]) -> Arm:
    shift, kept = stated["shift"], stated["kept"]
    return Arm(
        **{
            **stated,
            "shift": math.inf if shift is None else shift,
            "kept": math.nan if kept is None else kept,
        }
    )


def search(
    bench: Bench,
    seconds: float,
    *,
    alphas: Sequence[float] = ALPHAS,
    base: Objective | None = None,
    watch: Watch = lambda _: None,
) -> Found:
    """Find weight and learning rate on training and validation pictures.

    How many updates fit into the time is measured on the first arm's first ones; from then on
    nothing depends on the clock.

    Args:
        bench: what all runs share.
        seconds: that it may take, about.
        alphas: weights to try.
        base: the objective but for its weight; by default the recipe's.
        watch: told before every arm.
    """
    started = time.monotonic()
    objective = base or bench.recipe.model_copy(update={"alpha": alphas[0]}).objective
    arms = [Arm(alpha, bench.recipe.lr * rate) for alpha in alphas for rate in RATES]
    sizes = _sizes(len(arms))
    planned = _planned(bench, objective, arms[0], seconds, sizes)
    seen: dict[tuple[float, float], Arm] = {}
    done, total = 0, sum(sizes)
    for updates, size in zip(planned, sizes, strict=True):
        arms = arms[:size]
        for index, arm in enumerate(arms):
            stage = f"searching, run {done + 1} of {total}: alpha {arm.alpha:g}, lr {arm.lr:.2g}"
            watch(Tick(done, total, stage=stage))
            arms[index] = seen[arm.alpha, arm.lr] = tried(bench, objective, arm, updates)
            done += 1
        arms.sort(key=lambda arm: (arm.shift, arm.alpha, arm.lr))
    ranked = sorted(seen.values(), key=lambda arm: (-arm.updates, arm.shift, arm.alpha, arm.lr))
    return Found(arms[0], tuple(ranked), time.monotonic() - started, planned)


def tried(bench: Bench, objective: Objective, arm: Arm, updates: int) -> Arm:
    """Train an arm for so many updates, and judge it."""
    points, _ = bench.sweep(trained(bench, objective, arm, updates), SHARES, draws=1)
    best = _best(points, bench.recipe.max_accuracy_drop)
    if best is None:
        return replace(arm, updates=updates, shift=math.inf, kept=math.nan)
    return replace(arm, updates=updates, shift=best.shift, kept=best.kept)


def trained(bench: Bench, objective: Objective, arm: Arm, updates: int) -> Weights:
    """The weights after so many updates, without a trace on disk."""
    # So many updates, on any machine: a limit of time would shorten the schedule by the clock.
    recipe = recipe_for(bench.recipe, arm).model_copy(update={"max_time": None})
    plan = replace(bench.plan, updates=updates)
    aim = replace(objective, alpha=arm.alpha)
    return bench.trainer(recipe, aim, Log(None), plan=plan).run().weights


def recipe_for(recipe: Recipe, arm: Arm) -> Recipe:
    """The recipe with what a search found."""
    return recipe.model_copy(update={"alpha": arm.alpha, "lr": arm.lr})


def _best(points: Sequence[Point], max_drop: float) -> Point | None:
    """The least shift that flips no more and keeps accuracy; the original is no candidate."""
    original, *others = points
    keeping = [
        point
        for point in others
        if keeps(point, max_drop) and flips_no_more(point, original) and math.isfinite(point.shift)
    ]
    return min(keeping, key=lambda point: point.shift, default=None)


def _sizes(arms: int) -> list[int]:
    """How many arms each round has: a third of those before, down to one or two."""
    sizes = [arms]
    while sizes[-1] > KEPT_SHARE:
        sizes.append(-(-sizes[-1] // KEPT_SHARE))
    return sizes


def _planned(
    bench: Bench, objective: Objective, arm: Arm, seconds: float, sizes: Sequence[int]
) -> tuple[int, ...]:
    """Updates of an arm in each round: the time is parted evenly over rounds, then over arms."""
    probe = 2
    trained(bench, objective, arm, 1)  # what is only once, as kernels being chosen
    started = time.monotonic()
    weights = trained(bench, objective, arm, probe)
    took = (time.monotonic() - started) / probe
    started = time.monotonic()
    bench.sweep(weights, SHARES, draws=1)
    judged = time.monotonic() - started
    took, judged = bench.engine.told(took), bench.engine.told(judged)
    each = seconds / len(sizes)
    most = Plan.of(bench.recipe, len(bench.training), bench.engine.world).updates
    return tuple(
        max(1, min(most, math.floor((each / size - judged) / max(took, 1e-9)))) for size in sizes
    )
