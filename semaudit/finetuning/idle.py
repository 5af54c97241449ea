"""Refuses what was given and would have no effect: whoever gives it expects one."""

from __future__ import annotations

from collections.abc import Callable

from semaudit.errors import UsageError
from semaudit.finetuning.changes import GENERIC, WORST
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.search import RATES

_IDLE: dict[str, tuple[Callable[[Recipe], bool], str]] = {
    "anchor_weight": (lambda each: each.task != "weighted", "only --task weighted weighs"),
    "generic_reach": (
        lambda each: GENERIC not in each.perturb and not each.turn_penalty,
        "--perturb does not name generic",
    ),
    "worst_radius": (lambda each: WORST not in each.perturb, "--perturb does not name worst"),
    "worst_steps": (lambda each: WORST not in each.perturb, "--perturb does not name worst"),
    "momentum": (lambda each: not _takes_momentum(each.opt), "that --opt has no momentum"),
    "min_lr": (
        lambda each: each.sched in ("constant", "none"),
        "that --sched ends as it begins",
    ),
    "warmup_epochs": (lambda each: each.sched == "none", "--sched none keeps the rate"),
    "epochs": (lambda each: each.steps is not None, "--steps says how long"),
    "model_ema_decay": (lambda each: not each.model_ema, "--model-ema is not given"),
    "auto_time": (lambda each: each.alpha != "auto", "--alpha is not auto"),
}
"""By setting: whether it is idle in a recipe, and why."""


def refuse_idle(recipe: Recipe) -> None:
    """Refuse settings that were given and have no effect beside the others.

    Raises:
        UsageError: naming the flag, and why.
    """
    for name, (idle, why) in _IDLE.items():
        if name in recipe.model_fields_set and idle(recipe):
            raise UsageError(
                f"--{name.replace('_', '-')} would have no effect: {why}; leave it out"
            )
    if recipe.distance == "jsd-views" and recipe.views == 1:
        raise UsageError(
            "--distance jsd-views of one view is jsd: give --views 2 or more, or take jsd"
        )
    least = recipe.lr * (min(RATES) if recipe.alpha == "auto" else 1)
    if recipe.min_lr > least:
        searched = f", of which --alpha auto tries {least:.3g}" if least < recipe.lr else ""
        raise UsageError(
            f"--min-lr {recipe.min_lr:g} is above --lr {recipe.lr:g}{searched}: the rate would rise"
        )


def _takes_momentum(opt: str) -> bool:
    from timm.optim import get_optimizer_info

    try:
        return bool(get_optimizer_info(opt.lower().removeprefix("lookahead_")).has_momentum)
    except ValueError:  # no optimizer at all, which is said where it is made
        return True
