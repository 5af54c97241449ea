from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from semaudit import images as room
from semaudit.errors import ImageError, UsageError
from semaudit.images import ImageSource, TensorSource, add_digests, open_folder
from semaudit.models.preprocessing import Preprocessing

from .conftest import nameless


def some(count: int = 5) -> Tensor:
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_batches_of_tensors() -> None:
    images = some()
    source = TensorSource(images, labels=[3, 1, 4, 1, 5])
    batches = list(source.batches(2, workers=4, pin_memory=True))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert torch.equal(torch.cat([batch.images for batch in batches]), images)
    assert torch.cat([batch.labels for batch in batches]).tolist() == [3, 1, 4, 1, 5]
    assert batches[2].image_ids == ("000004",)
    assert source.labelled
    assert len(source) == 5
    whole = list(source.batches(5))
    assert add_digests([batch.digest for batch in batches]) == whole[0].digest


def test_no_labels_and_own_ids() -> None:
    source = TensorSource(some(2).double(), image_ids=["a", "b"])
    (batch,) = source.batches(8)
    assert batch.image_ids == ("a", "b")
    assert batch.labels.tolist() == [-1, -1]
    assert batch.labels.dtype == torch.int64
    assert batch.images.dtype == torch.float32
    assert not source.labelled
    (other,) = TensorSource(some(2), image_ids=["a", "c"]).batches(8)
    assert other.digest != batch.digest


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 4, 4), r"shape \(3, 4, 4\)"),
        (torch.rand(0, 3, 4, 4), r"none of them 0"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "torch.uint8; divide"),
        (torch.full((1, 3, 4, 4), float("nan")), "not finite"),
        (torch.full((1, 3, 4, 4), 255.0), r"\[255, 255\] and must lie in \[0, 1\]"),
        (-some(), "normalised by mean"),
    ],
)
def test_wrong_images(images: Tensor, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        TensorSource(images)


@pytest.mark.parametrize("labels", [[], [1], [1.0, 2.0], [1, -1], ["a", "b"]])
def test_wrong_labels(labels: list[int]) -> None:
    with pytest.raises(ImageError, match="labels must be 2 output indices"):
        TensorSource(some(2), labels=labels)


@pytest.mark.parametrize("ids", [["a"], ["a", "a"]])
def test_wrong_ids(ids: list[str]) -> None:
    with pytest.raises(ImageError, match="2 distinct names"):
        TensorSource(some(2), image_ids=ids)


def test_wrong_batch_size() -> None:
    with pytest.raises(UsageError, match="batch size is 0"):
        TensorSource(some()).batches(0)


def test_both_sources_keep_the_protocol(photos: Path, preprocessing: Preprocessing) -> None:
    sources: list[ImageSource] = [
        TensorSource(some()),
        open_folder(photos, preprocessing, nameless(10), 10, ignore_labels=True, num_samples=3),
    ]
    for source in sources:
        assert len(source) == sum(len(batch) for batch in source.batches(2))
        assert (source.labelled, source.notes, source.class_names) == (False, (), None)


def test_public_names_are_sorted_and_there() -> None:
    assert sorted(room.__all__) == sorted(set(room.__all__))
    assert all(hasattr(room, name) for name in room.__all__)
