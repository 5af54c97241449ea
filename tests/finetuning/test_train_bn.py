"""BatchNorm's statistics where they are trained: of each picture once, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semaudit.errors import UsageError
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.step import parts_of
from semaudit.finetuning.tuning import finetune

from .gratings import CLASSES, SIDE, source

QUICK: dict[str, Any] = {
    "device": "cpu", "select": "brightness", "gradients": False, "train_bn": True,
    "mean": (0.5,), "std": (0.5,), "input_size": (3, SIDE, SIDE), "lr": 1e-30,
}  # fmt: skip


class Normed(nn.Module):
    """Its statistics tell which pictures they are of; more than so many at once do not fit."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.head = nn.BatchNorm2d(3), nn.Linear(3, CLASSES)
        self.most, self.num_classes = most, CLASSES
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        normed = self.norm(images)
        if torch.is_grad_enabled() and len(images) > self.most:
            raise torch.OutOfMemoryError("out of memory")  # after the statistics were taken
        if self.norm.training:
            self.seen.append(len(images))
        found: Tensor = self.head(normed.mean((2, 3)))
        return found


def statistics(tmp_path: Path, most: int, **more: Any) -> tuple[dict[str, Tensor], Any]:
    kept: list[nn.Module] = []
    from semaudit.finetuning import training

    class Watched(training.Trainer):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            kept.append(self._module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("semaudit.finetuning.bench.Trainer", Watched)
        ended = finetune(
            Normed(most), source(96), tmp_path / f"{most}{len(more)}.safetensors",
            **{**QUICK, "steps": 1, **more},
        )  # fmt: skip
    (module,) = kept
    return {name: value for name, value in module.named_buffers() if "norm" in name}, ended


def test_a_part_that_did_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    whole, roomy = statistics(tmp_path, 1000)
    halved, tight = statistics(tmp_path, 40)
    assert roomy.record["training"]["pictures_a_forward"] == 32
    assert tight.record["training"]["pictures_a_forward"] == 16
    # 32 pictures and their changed forms: one forward of all, or two of half of them.
    batches = (
        next(value for name, value in each.items() if "num_batches" in name)
        for each in (whole, halved)
    )
    assert [int(each) for each in batches] == [1, 2]
    assert any("BatchNorm took statistics of 16" in note for note in tight.record["notes"])
    assert not any("BatchNorm" in note for note in roomy.record["notes"])


def test_the_turn_takes_no_statistics(tmp_path: Path) -> None:
    plain, _ = statistics(tmp_path, 1000)
    turned, _ = statistics(tmp_path, 1000, turn_penalty=0.1)
    for name, value in plain.items():
        assert torch.equal(value, turned[name]), name


def test_several_processes_do_not_train_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "world", 2)
    with pytest.raises(UsageError, match="--train-bn trains in one process, and there are 2"):
        finetune(Normed(), source(96), tmp_path / "a.safetensors", **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("total", "size", "expected"),
    [
        (8, 4, [4, 4]),
        (9, 4, [4, 5]),
        (10, 4, [4, 4, 2]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (5, 8, [5]),
    ],
)
def test_no_picture_is_alone_in_a_part(total: int, size: int, expected: list[int]) -> None:
    assert [each.stop - each.start for each in parts_of(total, size)] == expected
    assert [row for each in parts_of(total, size) for row in range(total)[each]] == list(
        range(total)
    )
