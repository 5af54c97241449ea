"""Which pictures are trained on, chosen by and proved on, and which are read when."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from semaudit.errors import ImageError, UsageError
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.contents import roll_of
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.pictures import split
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.tuning import finetune
from semaudit.images import FolderSource, StreamSource
from semaudit.images.decoding.transforms import Transform
from semaudit.models.preprocessing import Preprocessing
from semaudit.settings import explicit

from .gratings import CLASSES, SIDE, Shards, gratings, source, trained, written

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "lr": 5e-4}
SEEN = Preprocessing((3, SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bilinear")


def opened(model: Any, data: Any, **settings: Any) -> Bench:
    return open_bench(model, data, explicit({"device": "cpu", **settings}), Recipe())


def ids(held: Any) -> set[str]:
    return {name for batch in held.batches(8) for name in batch.image_ids}


def test_copies_are_on_the_same_side(tmp_path: Path) -> None:
    checkpoint, pictures = written(tmp_path, 60)
    originals = sorted(pictures.rglob("*.png"))[::3]
    for each in originals:
        for number in range(2):
            shutil.copy(each, each.with_name(f"{each.stem}-copy{number}.png"))
    bench = opened(checkpoint, pictures)
    assert bench.roll.copies == 40
    assert any("40 of the 100 pictures are copies" in note for note in bench.notes)
    rows = {"training": bench.training, "validation": bench.validation}
    sides = {bench.pictures.image_ids[row]: side for side in rows for row in rows[side]}
    sides |= dict.fromkeys(ids(bench.held_out), "held out")
    assert len(sides) == 100
    counts = [list(sides.values()).count(side) for side in ("training", "validation", "held out")]
    assert counts == [55, 20, 25]
    for each in originals:
        name = each.relative_to(pictures).as_posix()
        copies = [name.replace(".png", f"-copy{number}.png") for number in range(2)]
        assert len({sides[one] for one in (name, *copies)}) == 1


def test_nothing_but_copies_leaves_nothing_to_prove_on() -> None:
    names = [str(index) for index in range(40)]
    with pytest.raises(UsageError, match="40 pictures, of which 39 are copies, give 0 for"):
        split(names, 0, 0.2, 0.25, [b"same"] * 40)
    # Without copies the contents change nothing.
    alone = [name.encode() for name in names]
    assert split(names, 0, 0.2, 0.25, alone) == split(names, 0, 0.2, 0.25)


class Counting:
    """A transform that knows what it decoded."""

    def __init__(self) -> None:
        self.inner, self.count = Transform(SEEN), 0

    def __call__(self, content: Any) -> torch.Tensor:
        self.count += 1
        return self.inner(content)


def stream(count: int, damaged: int = 0) -> tuple[StreamSource, Counting]:
    images, labels = gratings(count, 1)
    arrays = images.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    pairs = [(array, str(label)) for array, label in zip(arrays, labels.tolist(), strict=True)]
    pairs[:damaged] = [(b"no picture %d" % index, "0") for index in range(damaged)]
    transform = Counting()
    outputs = {str(index): index for index in range(CLASSES)}
    return StreamSource(pairs, "--dataset x", count, outputs, transform), transform  # type: ignore[arg-type]


def test_held_out_pictures_of_a_stream_are_not_decoded_before_the_proof() -> None:
    data, transform = stream(60)
    bench = opened(trained(), data)
    assert transform.count == 45
    assert len(bench.pictures) == 45
    assert bench.labelled
    assert len(bench.held_out) == len(ids(bench.held_out)) == 15
    assert transform.count == 60
    assert not ids(bench.held_out) & set(bench.pictures.image_ids)


def test_unreadable_pictures_of_a_stream_count_as_elsewhere(tmp_path: Path) -> None:
    data, _ = stream(60, damaged=6)
    with pytest.raises(ImageError, match="--max-unreadable"):
        opened(trained(), data)
    bench = opened(trained(), data, max_unreadable=0.5)
    assert len(bench.pictures) + len(ids(bench.held_out)) == 54
    assert len(bench.training) + len(bench.validation) == len(bench.pictures)
    settings = {**QUICK, "epochs": 1, "max_unreadable": 0.5, "max_accuracy_drop": 100}
    assert finetune(trained(), data, tmp_path / "a.safetensors", **settings).record["frontier"]


def test_held_out_may_have_as_many_unreadable_pictures_as_all(tmp_path: Path) -> None:
    checkpoint, pictures = written(tmp_path, 160)
    held = sorted(ids(opened(checkpoint, pictures).held_out))
    (pictures / held[0]).write_bytes(b"no picture")  # 0.6 % of all, 2.5 % of the held-out
    settings = {**QUICK, "lr": 1e-3, "alpha": 20, "epochs": 8, "max_accuracy_drop": 100}
    ended = finetune(checkpoint, pictures, tmp_path / "a.safetensors", **settings)
    assert ended.improved
    assert ended.record["held_out"]["pictures"] == len(held) - 1


def test_a_part_of_too_few_readable_pictures_is_refused(tmp_path: Path) -> None:
    checkpoint, pictures = written(tmp_path, 60)
    bench = opened(checkpoint, pictures)
    names = [bench.pictures.image_ids[row] for row in bench.validation]
    for each in names[3:]:
        (pictures / each).write_bytes(b"no picture")
    with pytest.raises(UsageError, match=f"3 of the {len(names)} pictures for validation can be"):
        opened(checkpoint, pictures, max_unreadable=0.9)


def test_unreadable_pictures_of_a_folder_count_however_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, pictures = written(tmp_path, 60)
    for each in sorted(pictures.rglob("*.png"))[:6]:
        each.write_bytes(b"no picture")
    small = opened(checkpoint, pictures, max_unreadable=0.5)
    assert small.pictures.images is not None
    told = [note for note in small.notes if "cannot be read, and are left out" in note]
    assert told == [note for note in told if f"of the {60 - len(small.held_out)} pictures" in note]
    assert len(told) == 1
    monkeypatch.setattr("semaudit.finetuning.pictures.HELD", 0)
    with pytest.raises(ImageError, match="--max-unreadable"):
        opened(checkpoint, pictures)
    large = opened(checkpoint, pictures, max_unreadable=0.5)
    assert large.pictures.images is None
    assert large.pictures.image_ids == small.pictures.image_ids
    assert (large.training, large.validation) == (small.training, small.validation)
    (pictures / large.pictures.image_ids[0]).unlink()
    with pytest.raises(ImageError, match="cannot read"):
        list(large.pictures.batches(range(4), 2))


def test_weights_that_were_held_are_trained_and_a_note_says_so() -> None:
    module = trained()
    assert not any("requires_grad=False" in note for note in opened(module, source(60)).notes)
    first = next(module.parameters())
    first.requires_grad_(False)
    (note,) = (n for n in opened(module, source(60)).notes if "requires_grad=False" in n)
    assert note.startswith("1 tensors of weights")


def test_a_foreign_source_is_taken_in_parts_as_tensors_are() -> None:
    one, two = opened(trained(), Shards(source(60))), opened(trained(), source(60))
    assert ids(one.held_out) == ids(two.held_out)
    # Read in its own order, not training first.
    for rows in ("training", "validation"):
        names = [
            {each.pictures.image_ids[row] for row in getattr(each, rows)} for each in (one, two)
        ]
        assert names[0] == names[1]
    assert one.roll == two.roll
    digests = [
        sum(batch.digest for batch in each.held_out.batches(64)) % 2**256 for each in (one, two)
    ]
    assert digests[0] == digests[1]


def test_a_file_that_cannot_be_read_is_no_copy(tmp_path: Path) -> None:
    checkpoint, pictures = written(tmp_path, 60)
    bench = opened(checkpoint, pictures)
    held = bench.held_out
    assert isinstance(held, FolderSource)
    for each in held.dataset.items[:2]:
        (pictures / each.image_id).unlink()
    assert roll_of(held, 3, CLASSES, 1.0).copies == 0
