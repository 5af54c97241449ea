from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semaudit.errors import ImageError, UsageError
from semaudit.images import FolderSource, Item, StreamSource, open_photographs, open_pictures
from semaudit.images.sources.folders import natural
from semaudit.images.sources.listing import Found, unlabelled
from semaudit.images.sources.origins import FileOrigin
from semaudit.images.sources.photographs import NAMES
from semaudit.models.preprocessing import Preprocessing

from .conftest import Paint, nameless
from .test_arrays import COLOUR, GREY, LABELS, write_idx
from .test_tars import pack, picture, shards


@pytest.fixture
def opened(preprocessing: Preprocessing):
    def opening(data: Path | None, **options: object) -> FolderSource | StreamSource:
        return open_pictures(data, preprocessing, nameless(3), 3, **options)  # type: ignore[arg-type]

    return opening


def ids(source: FolderSource | StreamSource) -> list[str]:
    return [name for batch in source.batches(4) for name in batch.image_ids]


def labels(source: FolderSource | StreamSource) -> list[int]:
    return [label for batch in source.batches(4) for label in batch.labels.tolist()]


def class_folders(folder: Path, paint: Paint) -> Path:
    for index, name in enumerate(("ant", "bee", "cat")):
        paint(folder / name / "1.png", seed=index)
    return folder


def test_every_kind_of_data_gives_the_same_pictures(tmp_path: Path, paint: Paint, opened) -> None:
    folder = class_folders(tmp_path / "folder", paint)
    names = [f"{name}/1.png" for name in ("ant", "bee", "cat")]
    table = folder / "list.csv"
    table.write_text("".join(f"{name},{name[:3]}\n" for name in names))
    archive = pack(tmp_path / "x.tar", {name: (folder / name).read_bytes() for name in names})
    sources = [opened(data) for data in (folder, table, archive)]
    batches = [next(iter(source.batches(4, workers=1))) for source in sources]
    for batch in batches:
        assert batch.image_ids == tuple(names)
        assert batch.labels.tolist() == [0, 1, 2]
        assert batch.digest == batches[0].digest
    for source in sources:
        assert source.class_names == ("ant", "bee", "cat")
        assert source.labelled


@pytest.mark.parametrize("name", ["val", "validation", "test"])
def test_parts_are_no_classes(tmp_path: Path, paint: Paint, opened, name: str) -> None:
    class_folders(tmp_path / "train", paint)
    class_folders(tmp_path / name, paint)
    (tmp_path / "train" / "bee" / "2.png").write_bytes(picture())
    source = opened(tmp_path)
    assert ids(source) == ["ant/1.png", "bee/1.png", "cat/1.png"]
    assert source.notes[0] == (
        f"the pictures are those of {name}, not train in {tmp_path}; --split chooses another"
    )
    assert len(opened(tmp_path, split="train")) == 4
    assert opened(tmp_path, split=name).notes == opened(tmp_path / name).notes
    with pytest.raises(UsageError, match="--split dev2: there is no such part"):
        opened(tmp_path, split="dev2")


def test_columns_where_nothing_has_any_are_refused(tmp_path: Path, paint: Paint, opened) -> None:
    folder = class_folders(tmp_path / "a", paint)
    write_idx(tmp_path / "m" / "t10k-images-idx3-ubyte", GREY)
    for data, options, what in (
        (folder, {}, str(folder)),
        (folder / "ant" / "1.png", {}, "1.png"),
        (tmp_path / "m" / "t10k-images-idx3-ubyte", {}, "idx3"),
        (None, {}, "the smoke test"),
        (tmp_path, {"dataset": "torch/cifar10"}, "--dataset torch/cifar10"),
        (tmp_path, {"dataset": "hfds/cifar10"}, "--dataset hfds/cifar10"),
    ):
        with pytest.raises(UsageError, match=r"--label-column goes with .* is neither") as label:
            opened(data, label_column="a", **options)
        with pytest.raises(UsageError, match=r"--path-column goes with .* is none") as path:
            opened(data, path_column="a", **options)
        assert what in str(label.value)
        assert what in str(path.value)
    archive = pack(tmp_path / "x.tar", {"1.png": picture(), "1.json": b'{"a": 1}'})
    assert labels(opened(archive, label_column="a")) == [1]
    with pytest.raises(UsageError, match="--path-column"):
        opened(archive, path_column="a")
    with pytest.raises(ImageError, match="none"):
        opened(tmp_path / "none", label_column="a")


def test_a_map_of_labels_that_there_are_not_is_refused(
    tmp_path: Path, paint: Paint, opened
) -> None:
    paint(tmp_path / "a" / "1.png")
    (tmp_path / "map.txt").write_text("ant\nbee\ncat\n")
    with pytest.raises(UsageError, match=r"--class-map says .* have none"):
        opened(tmp_path / "a", class_map=tmp_path / "map.txt")


def test_parts_that_leave_a_choice(tmp_path: Path, paint: Paint, opened) -> None:
    for part in ("train", "val", "test"):
        class_folders(tmp_path / part, paint)
    with pytest.raises(ImageError, match="has the parts test, train, val; say which with --split"):
        opened(tmp_path)
    assert len(opened(tmp_path, split="val")) == 3


def test_a_lone_part_and_a_class_called_train(tmp_path: Path, paint: Paint, opened) -> None:
    class_folders(tmp_path / "a" / "train", paint)
    assert ids(opened(tmp_path / "a"))[0] == "ant/1.png"
    paint(tmp_path / "b" / "train" / "1.png")
    with pytest.raises(ImageError, match="'train'"):
        opened(tmp_path / "b")
    class_folders(tmp_path / "c", paint)
    (tmp_path / "c" / "ant").rename(tmp_path / "c" / "train")
    assert opened(tmp_path / "c").class_names == ("bee", "cat", "train")


def test_folders_of_shards_and_of_idx(tmp_path: Path, opened) -> None:
    shards(tmp_path / "s", "x-train", 1)
    shards(tmp_path / "s", "x-val", 2)
    assert labels(opened(tmp_path / "s", split="val")) == [0, 1]
    shards(tmp_path / "t" / "test", "x-train", 2)
    assert len(opened(tmp_path / "t", split="test")) == 2
    assert labels(opened(tmp_path / "s" / "x-val-{000..001}.tar")) == [0, 1]
    for part in ("train", "t10k"):
        write_idx(tmp_path / "m" / "raw" / f"{part}-images-idx3-ubyte.gz", GREY)
        write_idx(tmp_path / "m" / "raw" / f"{part}-labels-idx1-ubyte.gz", LABELS)
    assert labels(opened(tmp_path / "m", split="test")) == LABELS.tolist()
    file = tmp_path / "m" / "raw" / "train-images-idx3-ubyte.gz"
    assert labels(opened(file)) == LABELS.tolist()


def test_shards_beside_pictures_are_not_looked_at(tmp_path: Path, paint: Paint, opened) -> None:
    class_folders(tmp_path, paint)
    (tmp_path / "original.tar").write_bytes(b"nothing")
    assert len(opened(tmp_path)) == 3


def test_a_choice_from_any_source(tmp_path: Path, opened) -> None:
    np.savez(tmp_path / "a.npz", x=COLOUR, y=LABELS)
    source = opened(tmp_path / "a.npz", num_samples=3, seed=1)
    assert sorted(labels(source)) == [0, 1, 2]
    assert ids(source) == ids(opened(tmp_path / "a.npz", num_samples=3, seed=1))
    with pytest.raises(UsageError, match="--num-samples is 0"):
        opened(tmp_path / "a.npz", num_samples=0)


def test_a_pattern_and_ignored_labels_on_any_source(tmp_path: Path, opened) -> None:
    data = pack(tmp_path / "x.tar", {"a_2.png": picture(), "a_1.png": picture(1), "b.png": b""})
    source = opened(data, label_pattern=r"_(\d)")
    assert dict(zip(ids(source), labels(source), strict=True)) == {"a_1.png": 1, "a_2.png": 2}
    assert source.notes[0].startswith("1 of 3 pictures do not match --label-pattern")
    assert not opened(data, label_pattern=r"_(\d)", ignore_labels=True).labelled


def test_class_map(tmp_path: Path, paint: Paint, opened) -> None:
    class_folders(tmp_path / "p", paint)
    (tmp_path / "map.txt").write_text("cat\nbee\nant\n")
    assert labels(opened(tmp_path / "p", class_map=tmp_path / "map.txt")) == [2, 1, 0]


def test_the_default_data_set_is_a_folder(tmp_path: Path, paint: Paint, opened) -> None:
    class_folders(tmp_path, paint)
    for name in ("", "folder", "torch/image_folder"):
        assert ids(opened(tmp_path, dataset=name)) == ids(opened(tmp_path))
    with pytest.raises(UsageError, match="needs --data"):
        opened(None, dataset="folder")


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.txt", r"is not a picture.*\.csv.*\.tar \.npz \.npy, or MNIST"), ("b.zip", "is not a pic")],
)
def test_what_is_not_known(tmp_path: Path, opened, name: str, said: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ImageError, match=said):
        opened(tmp_path / name)


def test_nothing_there(tmp_path: Path, opened) -> None:
    for path in (tmp_path / "no", Path("a\0b"), tmp_path / "no.csv", tmp_path / ("y" * 4000)):
        with pytest.raises(ImageError, match="there is no folder or picture"):
            opened(path)
    with pytest.raises(ImageError, match="no pictures in"):
        opened(tmp_path)
    (tmp_path / "a.png").write_bytes(picture())
    with pytest.raises(UsageError, match="is a single picture"):
        opened(tmp_path / "a.png", split="val")


def test_files_of_a_model_with_four_channels(tmp_path: Path, paint: Paint, preprocessing) -> None:
    class_folders(tmp_path, paint)
    settings = replace(preprocessing, input_size=(4, 16, 16), mean=(0.5,) * 4, std=(0.5,) * 4)
    with pytest.raises(ImageError, match=r"takes 4 channels.*\.npz"):
        open_pictures(tmp_path, settings, nameless(3), 3)


def test_photographs_are_a_smoke_test(preprocessing: Preprocessing, opened) -> None:
    for source in (open_photographs(preprocessing), opened(None)):
        assert ids(source) == list(NAMES)
        assert not source.labelled
        assert source.notes == (
            "no --data: a smoke test on 6 photographs that scikit-image ships, not an audit",
        )


def test_photographs_need_their_extra(monkeypatch: pytest.MonkeyPatch, preprocessing) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--data, or pip install 'semaudit\[photos\]'"):
        open_photographs(preprocessing)


@pytest.mark.skipif(os.name == "nt", reason="such names are not possible there")
def test_hostile_file_names(tmp_path: Path, paint: Paint, opened) -> None:
    names = [
        "caf\u00e9.png",
        "cafe\u0301.png",
        "new\nline.png",
        "\x1b[31mred.png",
        "a" * 250 + ".png",
    ]
    for name in names:
        paint(tmp_path / name)
    source = opened(tmp_path)
    assert sorted(ids(source)) == sorted(names)
    assert all(item.origin.where.isprintable() for item in source.dataset.items)


def test_digits_without_end_are_sorted() -> None:
    names = ["9" * 5000, "10", "9", "009", "a", "a1", "a-1", "a01b", "a1a", ""]
    ordered = ["", "009", "9", "10", "9" * 5000, "a", "a1", "a1a", "a01b", "a-1"]
    assert sorted(names, key=natural) == ordered


def test_a_million_pictures_are_small() -> None:
    names = [f"n{index % 1000:08d}/ILSVRC2012_val_{index:08d}.JPEG" for index in range(100_000)]
    tracemalloc.start()
    listing = unlabelled(Found(names, lambda i: FileOrigin("/data", names[i]), None, "x"))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert listing.items[7] == Item(names[7], FileOrigin("/data", names[7]), None)
    assert taken / len(names) < 150  # bytes, beside the names themselves
