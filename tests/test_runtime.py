"""Where a scan runs, and the halving of batches that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semaudit import runtime
from semaudit.errors import AuditError, UsageError
from semaudit.runtime import Halving
from semaudit.settings import Settings


def resolve(**fields: object) -> runtime.Runtime:
    return runtime.resolve(Settings.model_validate({"device": "cpu", **fields}))


def test_on_a_cpu() -> None:
    place = resolve()
    assert place.device == torch.device("cpu")
    assert place.amp_dtype is None
    assert place.batch_size >= 1
    assert place.workers == 0


def test_what_is_asked_for_is_taken() -> None:
    place = resolve(batch_size=5, workers=3, amp_dtype="bfloat16", channels_last=False)
    assert (place.batch_size, place.workers) == (5, 3)
    assert place.amp_dtype == torch.bfloat16
    assert not place.channels_last
    assert resolve(amp_dtype="float32").amp_dtype is None
    assert resolve(amp_dtype="float16").amp_dtype == torch.float16


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        resolve(device=device)


def parts(halving: Halving, n: int, fits: int, error: Exception) -> list[tuple[int, int]]:
    tried: list[tuple[int, int]] = []

    def function(images: Tensor, span: slice) -> int:
        assert images.flatten().tolist() == list(range(span.start, span.stop))
        tried.append((span.start, span.stop))
        if len(images) > fits:
            raise error
        return int(images.sum())

    results = list(halving.parts(torch.arange(n).view(n, 1, 1, 1), function))
    covered = [i for span, _ in results for i in range(span.start, span.stop)]
    assert covered == list(range(n))
    assert sum(result for _, result in results) == n * (n - 1) // 2
    return tried


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_out_of_memory_halves_for_good(error: Exception) -> None:
    halving = Halving(8)
    tried = parts(halving, 11, 3, error)
    assert tried == [(0, 8), (0, 4), (0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 11)]
    assert halving.size == 2
    assert parts(halving, 3, 3, error) == [(0, 2), (2, 3)]


def test_what_was_tried_is_halved_not_what_was_asked_for() -> None:
    halving = Halving(100)
    assert parts(halving, 7, 3, MemoryError())[:2] == [(0, 7), (0, 3)]
    assert halving.size == 3


def test_a_single_picture_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(AuditError, match="out of memory with a single picture") as caught:
        parts(Halving(4), 4, 0, torch.OutOfMemoryError("out of memory"))
    assert caught.value.exit_code == 3


def test_another_error_is_not_mistaken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        parts(Halving(4), 4, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
