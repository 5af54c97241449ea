"""Settings that were given and would have no effect are refused; others are not."""

from __future__ import annotations

from typing import Any

import pytest

from semaudit.errors import UsageError
from semaudit.finetuning.idle import refuse_idle
from semaudit.finetuning.recipe import Recipe, recipe_of


@pytest.mark.parametrize(
    ("idle", "why", "in_use"),
    [
        ({"anchor_weight": 0.5}, "only --task weighted weighs", {"task": "weighted"}),
        ({"momentum": 0.9}, "that --opt has no momentum", {"opt": "sgd"}),
        (
            {"momentum": 0.9, "opt": "lookahead_adam"},
            "that --opt has no momentum",
            {"opt": "lookahead_sgd"},
        ),
        ({"worst_radius": "8/255"}, "--perturb does not name worst", {"perturb": "worst"}),
        ({"worst_steps": 3}, "--perturb does not name worst", {"perturb": ("quick", "worst")}),
        (
            {"generic_reach": (0, 0, 0, 0), "perturb": "quick"},
            "--perturb does not name generic",
            {"turn_penalty": 0.1},
        ),
        ({"epochs": 3, "steps": 9}, "--steps says how long", {"steps": None}),
        ({"model_ema_decay": 0.9}, "--model-ema is not given", {"model_ema": True}),
        ({"auto_time": 60}, "--alpha is not auto", {"alpha": "auto"}),
        ({"min_lr": 1e-6, "sched": "none"}, "that --sched ends as it begins", {"sched": "poly"}),
        (
            {"warmup_epochs": 1, "sched": "none"},
            "--sched none keeps the rate",
            {"sched": "constant"},
        ),
    ],
)
def test_a_setting_without_effect_is_refused(
    idle: dict[str, Any], why: str, in_use: dict[str, Any]
) -> None:
    (name, *_) = idle
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(UsageError, match=f"^{flag} would have no effect: {why}; leave it out"):
        refuse_idle(recipe_of(idle))
    refuse_idle(recipe_of({**idle, **in_use}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"distance": "jsd-views"}, "--views 2 or more"),
        ({"lr": 1e-4, "min_lr": 1e-3}, "--min-lr 0.001 is above --lr 0.0001"),
        ({"lr": 1e-4, "min_lr": 9e-5, "alpha": "auto"}, "of which --alpha auto tries 3.33e-05"),
    ],
)
def test_settings_that_contradict_each_other(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        refuse_idle(recipe_of(given))


def test_what_was_not_given_is_not_idle() -> None:
    refuse_idle(Recipe())
    refuse_idle(recipe_of({"distance": "jsd-views", "views": 2, "steps": 4}))


def test_an_unknown_optimizer_is_said_where_it_is_made() -> None:
    refuse_idle(recipe_of({"opt": "nope", "momentum": 0.9}))
