"""What a source gives is checked batch by batch, and what cannot be read is counted."""

from __future__ import annotations

import pytest
import torch

from semaudit.errors import AuditError, ImageError
from semaudit.images import Batch, intake
from semaudit.images.intake import MOST_NAMED, Intake
from semaudit.images.reading import Unreadable


def gate(total: int = 10, max_unreadable: float = 0.01) -> Intake:
    return Intake(total=total, channels=3, num_classes=4, max_unreadable=max_unreadable)


def batch(*ids: str, images: torch.Tensor | None = None, bad: int = 0) -> Batch:
    images = torch.full((len(ids), 3, 2, 2), 0.5) if images is None else images
    unreadable = tuple(Unreadable(f"{index}.jpg", "cut short") for index in range(bad))
    return Batch(images, ids, torch.full((len(ids),), -1), 0, unreadable)


@pytest.mark.parametrize(
    ("total", "share", "allowed"),
    [(100, 0.01, 1), (99, 0.01, 0), (100, 0.29, 29), (100, 0.07, 7), (1000, 0, 0), (3, 1, 3)],
)
def test_exactly_the_share_is_allowed(total: int, share: float, allowed: int) -> None:
    checked = gate(total, share)
    for _ in range(allowed):
        checked.admit(batch(bad=1))
    assert checked.unreadable_count == allowed
    if allowed < total:
        with pytest.raises(ImageError, match=f"^{allowed + 1} of {total} pictures cannot be read"):
            checked.admit(batch(bad=1))


def test_the_message_names_the_first_five_and_the_flag() -> None:
    with pytest.raises(ImageError) as caught:
        gate(100).admit(batch(bad=7))
    message = str(caught.value)
    assert message.startswith("7 of 100 pictures cannot be read so far, more than the share of 0.0")
    assert "0.jpg: cut short; 1.jpg: cut short" in message
    assert "4.jpg" in message
    assert "5.jpg" not in message
    assert message.endswith("; ...; replace or remove them, or raise --max-unreadable")


def test_all_are_counted_and_some_are_kept() -> None:
    checked = gate(1000, 1.0)
    for _ in range(10):
        checked.admit(batch(bad=30))
    assert (checked.unreadable_count, len(checked.unreadable)) == (300, MOST_NAMED)


def test_none_readable_is_an_error_whatever_the_share() -> None:
    checked = gate(3, 1.0)
    checked.admit(batch(bad=3))
    with pytest.raises(ImageError, match=r"none of the 3 pictures can be read: 0\.jpg: cut short"):
        checked.close()


def test_the_promised_number_counts_both_kinds() -> None:
    checked = gate(4, 0.5)
    checked.admit(batch("a", "b", bad=2))
    checked.close()
    short = gate(4)
    short.admit(batch("a"))
    with pytest.raises(AuditError, match="1 of 4 pictures came"):
        short.close()


@pytest.mark.parametrize("apart", [1, 3, 2**16])
def test_an_id_that_comes_twice(apart: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_HASHES_APART", apart)
    names = [f"{index}" for index in range(50)]
    for first in (0, 17, 49):
        checked = gate(100)
        for start in range(0, 50, 10):
            checked.admit(batch(*names[start : start + 10]))
        with pytest.raises(ImageError, match=f"the image id '{first}' came twice"):
            checked.admit(batch("new", str(first)))
    with pytest.raises(ImageError, match="'a' came twice"):
        gate().admit(batch("a", "b", "a"))


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan"), float("inf"), 128.0])
def test_floats_outside_the_range(value: float) -> None:
    images = torch.full((2, 3, 2, 2), 0.5)
    images[1, 2, 0, 1] = value
    with pytest.raises(ImageError, match=r"images lie in \[.*\] and must lie in \[0, 1\]"):
        gate().admit(batch("a", "b", images=images))


@pytest.mark.gpu
@pytest.mark.parametrize("value", [0.5, 1.001, float("nan")])
def test_floats_on_a_device_are_checked_without_waiting(value: float) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    checked = gate(2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for name in "ab":
            images = torch.full((1, 3, 2, 2), value if name == "a" else 0.5, device="cuda")
            checked.admit(batch(name, images=images))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    if value == 0.5:
        checked.close()
        return
    with pytest.raises(ImageError, match=r"must lie in \[0, 1\]"):
        checked.close()


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.zeros(2, 2, 2), "images of shape"),
        (torch.zeros(3, 3, 2, 2), "n images"),
        (torch.zeros(2, 1, 2, 2), r"takes pictures of 3 channel\(s\), and these have 1"),
        (torch.zeros(2, 3, 2, 2, dtype=torch.int64), "images are torch.int64"),
    ],
)
def test_the_wrong_form(images: torch.Tensor, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        gate().admit(batch("a", "b", images=images))


def test_bytes_are_any() -> None:
    gate().admit(batch("a", images=torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)))
