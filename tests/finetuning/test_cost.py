"""What an update costs, counted, and what the baselines get for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from semaudit.finetuning.baselines import AUGMENTATION, PLAIN, objectives
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.cost import passes_of
from semaudit.finetuning.keeping import Log
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.recipe import recipe_of
from semaudit.finetuning.tuning import finetune
from semaudit.settings import explicit

from .gratings import source, trained


def bench(**recipe: Any) -> Bench:
    return open_bench(trained(), source(160), explicit({"device": "cpu"}), recipe_of(recipe))


class Counter(TorchDispatchMode):
    """Counts as torch's own counter, whose hooks on modules fail under `torch.autograd.grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            count = flop_registry[func._overloadpacket]
            self.flops += count(*args, **(kwargs or {}), out_val=found)
        return found


def counted(opened: Bench, objective: Objective) -> float:
    """Multiplications and additions of an update, the mean of three."""
    stepper = opened.trainer(opened.recipe, objective, Log(None)).stepper
    rows = opened.training[:32]
    (batch,) = opened.pictures.batches(rows, len(rows))
    with Counter() as counter:
        for update in range(3):
            stepper.take(batch, update, len(rows))
    return counter.flops / 3


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"views": 3},
        {"perturb": ("generic", "worst"), "worst_steps": 1},
        {"perturb": "worst", "worst_steps": 4},
        {"gradient_penalty": 0.1},
        {"turn_penalty": 0.1, "perturb": "worst"},
    ],
)
def test_passes_are_what_is_computed(recipe: dict[str, Any]) -> None:
    opened = bench(**recipe)
    plain, passes = objectives(opened)[PLAIN]
    assert plain is not None
    assert passes == 3
    measured = counted(opened, opened.recipe.objective) / counted(opened, plain)
    # The first layer has no way back to the pictures, and the search no work for the weights.
    assert passes_of(opened, opened.recipe.objective) / passes == pytest.approx(measured, rel=0.15)


def test_baselines_get_the_passes_of_the_run(tmp_path: Path) -> None:
    ended = finetune(
        trained(), source(120), tmp_path / "a.safetensors", device="cpu", select="brightness",
        gradients=False, baselines=True, epochs=2, turn_penalty=0.1, perturb=("generic", "worst"),
    )  # fmt: skip
    training = ended.record["training"]
    spent = training["updates"] * training["passes_a_picture"]
    assert training["passes_a_picture"] == 3 + 3 + 3 + 8 / 2
    named = {each["name"]: each for each in ended.record["baselines"]}
    assert named[PLAIN]["updates"] == 4 * 13 // 3
    assert named[AUGMENTATION]["updates"] == 4 * 13 // 10
    for each in named.values():
        cost = each["passes_a_picture"]
        assert spent - cost < each["updates"] * cost <= spent


def test_a_run_that_ends_early_leaves_the_baselines_no_more(tmp_path: Path) -> None:
    ended = finetune(
        trained(), source(120), tmp_path / "a.safetensors", device="cpu", select="brightness",
        gradients=False, baselines=True, epochs=1000, max_time=0.01,
    )  # fmt: skip
    updates = ended.record["training"]["updates"]
    assert updates < 10
    assert [each["updates"] for each in ended.record["baselines"]] == [2 * updates, updates]
