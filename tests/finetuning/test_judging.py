"""Labels that do not stand for the model's outputs judge nothing, and are not taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from semaudit.errors import UsageError
from semaudit.finetuning import anchors
from semaudit.finetuning.tuning import finetune
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
