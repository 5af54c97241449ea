"""timm's optimizers, schedules and averages, made by a recipe."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from semaudit.errors import AuditError, UsageError, did_you_mean, out_of_memory
from semaudit.finetuning.plan import Plan
from semaudit.finetuning.recipe import Recipe


def optimizer_of(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return timm's optimizer of the weights that take gradients.

    Raises:
        UsageError: timm has no such optimizer, or it cannot be made so.
    """
    from timm.optim import create_optimizer_v2

    try:
        made: torch.optim.Optimizer = create_optimizer_v2(
            module,
            opt=recipe.opt,
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            layer_decay=recipe.layer_decay,
        )
    except (AssertionError, ImportError, TypeError, ValueError) as error:
        raise UsageError(f"--opt {recipe.opt}: timm cannot make it: {error}") from error
    if getattr(made, "is_second_order", False):
        raise UsageError(f"--opt {recipe.opt} needs second derivatives, which are not taken here")
    return made


def refuse_unknown(opt: str) -> None:
    """Make sure, before any work, that timm knows an optimizer of this name.

    Raises:
        UsageError: it does not; names the nearest.
    """
    from timm.optim import list_optimizers

    # timm takes names as it lists them, and any of them looking ahead.
    name, known = opt.lower().removeprefix("lookahead_"), list_optimizers()
    if name not in known:
        raise UsageError(f"--opt {opt}: timm has no such optimizer{did_you_mean(name, known)}")


def stepped(optimizer: Any, name: str) -> None:
    """Take a step.

    Raises:
        AuditError: memory runs out, as of optimizers that keep much beside a large weight.
    """
    try:
        optimizer.step()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise AuditError(
            f"out of memory in a step of --opt {name}: take one that keeps less beside "
            "the weights, as sgd"
        ) from error


def schedule_of(optimizer: Any, recipe: Recipe, plan: Plan) -> Any:
    """Return timm's schedule over the updates of a plan; None leaves the rate as it is."""
    from timm.scheduler import create_scheduler_v2

    # The optimizer beneath: timm looks for torch's own class.
    bare = getattr(optimizer, "optimizer", optimizer)
    # In updates throughout: an epoch of a small set may be a few of them.
    schedule, _ = create_scheduler_v2(
        bare,
        sched=recipe.sched,
        num_epochs=plan.updates,
        # The short runs of a search have fewer updates than the warm-up of a whole one.
        warmup_epochs=min(plan.warmup(recipe), plan.updates - 1),
        warmup_lr=0.0,
        min_lr=recipe.min_lr,
        step_on_epochs=False,
        updates_per_epoch=1,
    )
    return schedule


def average_of(module: nn.Module, recipe: Recipe) -> Any:
    """Return timm's moving average of the weights, or None where none is wanted.

    The decay warms up, as a short run would else keep the original's weights.
    """
    from timm.utils import ModelEmaV3

    if not recipe.model_ema:
        return None
    return ModelEmaV3(module, decay=recipe.model_ema_decay, use_warmup=True)
