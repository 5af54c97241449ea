"""Labels that do not stand for the model's outputs judge nothing, and are not taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from semaudit.errors import UsageError
from semaudit.finetuning import anchors
from semaudit.finetuning.tuning import finetune
from semaudit.finetuning.words import told
from semaudit.images import TensorSource

from .gratings import CLASSES, gratings, source, trained

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "epochs": 1}


def renamed(count: int = 96) -> TensorSource:
    """The pictures with every label moved to the next class."""
    images, labels = gratings(count, seed=1)
    return TensorSource(images, (labels + 1) % CLASSES)


@pytest.mark.parametrize("kept", [True, False])
def test_labels_of_another_order_do_not_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr(anchors, "KEPT", 0)
    tuned = finetune(trained(), renamed(), tmp_path / "a.safetensors", lr=1e-2, alpha=50, **QUICK)
    assert tuned.record["kept"] == "agreement with the original"
    assert tuned.record["frontier"][0]["kept"] == 1
    (said,) = [note for note in tuned.record["notes"] if "judges what is lost" in note]
    assert "the order of the classes seems to differ" in said
    point = [
        each
        for each in tuned.record["frontier"]
        if each["share"] == tuned.record["choice"]["share"]
    ]
    assert all(each["drop"] <= 0.5 for each in point)


def test_labels_that_stand_for_the_outputs_judge(tmp_path: Path) -> None:
    tuned = finetune(trained(), source(96), tmp_path / "a.safetensors", **QUICK)
    assert tuned.record["kept"] == "accuracy"
    assert not any("judges what is lost" in note for note in tuned.record["notes"])


@pytest.mark.parametrize("task", ["ce", "weighted"])
def test_labels_of_another_order_are_not_taught(tmp_path: Path, task: str) -> None:
    with pytest.raises(UsageError, match=f"--task {task} would teach labels that do not seem"):
        finetune(trained(), renamed(), tmp_path / "a.safetensors", task=task, **QUICK)
    assert not list(tmp_path.iterdir())


def noise(count: int = 120) -> TensorSource:
    """Pictures that the network answers at random, as far as their labels go."""
    images, labels = gratings(count, seed=1)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return TensorSource(images[order], labels)


def test_a_weak_model_may_be_taught_at_the_users_word(tmp_path: Path) -> None:
    tuned = finetune(trained(), noise(), tmp_path / "a.safetensors", task="ce", **QUICK)
    assert tuned.record["kept"] == "accuracy"
    assert any("no better than chance" in note for note in tuned.record["notes"])
    tuned = finetune(trained(), noise(), tmp_path / "b.safetensors", **QUICK)
    assert tuned.record["kept"] == "agreement with the original"


def test_accuracy_on_labels_that_do_not_judge_is_neither_told_nor_held_against(
    tmp_path: Path,
) -> None:
    images, labels = gratings(160, seed=1)
    swapped = torch.tensor([1, 0, 2, 3])[labels]
    tuned = finetune(
        trained(), TensorSource(images, swapped), tmp_path / "a.safetensors", lr=1e-2, alpha=100,
        max_accuracy_drop=100, **{**QUICK, "epochs": 6},
    )  # fmt: skip
    assert tuned.improved
    proof = tuned.record["held_out"]
    assert "accuracy" not in proof["worse"]
    assert "accuracy_before" not in proof
    assert "agreement" in proof
    lines = [line for line, _ in told(tuned.record, "f", "o")]
    assert not any(line.startswith("  accuracy") for line in lines)


def test_embeddings_and_labels_that_each_hold_are_not_asked(tmp_path: Path) -> None:
    for activation in ("none", "sigmoid"):
        tuned = finetune(
            trained(), renamed(60), tmp_path / f"{activation}.safetensors",
            activation=activation, **QUICK,
        )  # fmt: skip
        assert not any("judges what is lost" in note for note in tuned.record["notes"])
