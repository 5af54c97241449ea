from __future__ import annotations

import gzip
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semaudit.errors import ImageError, UsageError
from semaudit.images import open_pictures
from semaudit.images.sources.arrays import find_in_idx, find_in_npy, find_in_npz
from semaudit.images.sources.listing import Found
from semaudit.images.sources.stacks import stack_of
from semaudit.models.preprocessing import Preprocessing

from .conftest import nameless

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
LABELS = np.array([0, 1, 2, 1, 0])


def npz(path: Path, split: str | None = None, labels: bool = True, channels: int = 3) -> Found:
    return find_in_npz(path, split=split, labels=labels, channels=channels)


@pytest.mark.parametrize(
    ("images", "labels"),
    [("x", "y"), ("images", "labels"), ("X", "Y"), ("arr_0", "arr_1"), ("data", "target")],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_usual_names(tmp_path: Path, images: str, labels: str, save) -> None:
    save(tmp_path / "a.npz", **{images: COLOUR, labels: LABELS, "extra": np.array(["x", None])})
    found = npz(tmp_path / "a.npz")
    assert found.labels == ["0", "1", "2", "1", "0"]
    assert found.names[3] == "000003"
    for index in range(5):
        origin = pickle.loads(pickle.dumps(found.origin(index)))
        assert np.array_equal(origin.read(), COLOUR[index])
    assert found.notes == ()


@pytest.mark.parametrize("style", ["{role}_{part}", "{part}_{role}"])
def test_parts(tmp_path: Path, style: str) -> None:
    arrays = {}
    for part, low in (("train", 0), ("val", 1), ("test", 2)):
        arrays[style.format(role="images", part=part)] = COLOUR[low:]
        arrays[style.format(role="labels", part=part)] = LABELS[low:, None]  # as MedMNIST has them
    np.savez(tmp_path / "a.npz", **arrays)
    assert npz(tmp_path / "a.npz", "test").labels == ["2", "1", "0"]
    assert npz(tmp_path / "a.npz", "validation").labels == ["1", "2", "1", "0"]
    with pytest.raises(ImageError, match="has the parts test, train, val; say which with --split"):
        npz(tmp_path / "a.npz")
    with pytest.raises(UsageError, match="--split dev2: there is no such part"):
        npz(tmp_path / "a.npz", "dev2")


def test_the_part_that_is_not_for_training_is_taken_and_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=COLOUR, y_train=LABELS, x_test=GREY[:2], y_test=LABELS[:2])
    found = npz(tmp_path / "a.npz")
    assert len(found.names) == 2
    assert "those of test, not train" in found.notes[0]


@pytest.mark.parametrize(
    ("array", "channels", "expected"),
    [
        (COLOUR, 3, COLOUR),
        (COLOUR.transpose(0, 3, 1, 2), 3, COLOUR),
        (np.asfortranarray(COLOUR), 3, COLOUR),
        (GREY, 3, GREY),
        (GREY[..., None], 1, GREY),
        (GREY[:, None], 1, GREY),
        (COLOUR / 255, 3, COLOUR),
        ((COLOUR / 255).astype(np.float32), 3, COLOUR),
        (COLOUR.astype(np.float32), 3, COLOUR),
        (COLOUR.astype(np.int64), 3, COLOUR),
        (COLOUR.astype(np.uint16) * 257, 3, COLOUR),
        (GREY > 127, 3, np.where(GREY > 127, 255, 0)),
        (np.zeros((2, 4, 6, 6), np.uint8), 4, np.zeros((2, 6, 6, 4))),
        (np.zeros((2, 3, 3, 8), np.uint8), 3, np.zeros((2, 3, 8, 3))),
        (np.zeros((2, 4, 4, 3), np.uint8), 3, np.zeros((2, 4, 4, 3))),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_layout_and_scale(
    tmp_path: Path, array: np.ndarray, channels: int, expected: np.ndarray, compressed: bool
) -> None:
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", x=array)
    found = npz(tmp_path / "a.npz", channels=channels)
    read = np.stack([found.origin(index).read() for index in range(len(found.names))])
    assert read.dtype == np.uint8
    assert np.array_equal(read, expected)
    assert found.labels is None


def test_what_is_not_plain_is_noted() -> None:
    assert stack_of(COLOUR / 255, "a", 3)[1] == ("a lies in [0, 1] and was rounded to 256 levels",)
    assert stack_of(COLOUR * 0.99, "a", 3)[1] == (
        "a lies in [0, 255] and was rounded to 256 levels",
    )
    assert "16 bits" in stack_of(COLOUR.astype(np.int32) * 257, "a", 3)[1][0]
    assert stack_of(COLOUR.astype(np.float32), "a", 3)[1] == ()


@pytest.mark.parametrize(
    ("array", "channels", "said"),
    [
        (np.zeros((5, 64)), 3, r"shape \(5, 64\).*reshape the rows"),
        (np.zeros((0, 8, 8), np.uint8), 3, "none of them 0"),
        (np.zeros((5, 8, 8, 2), np.uint8), 2, None),
        (np.zeros((5, 8, 8, 2), np.uint8), 3, "where its channels are"),
        (np.zeros((5, 3, 9, 3), np.uint8), 3, "where its channels are"),
        (np.zeros((5, 8, 8, 4), np.uint8), 3, "has 4 channels, and the model takes 3"),
        (GREY, 4, "has 1 channels, and the model takes 4"),
        (COLOUR - 128.0, 3, r"lies in \[-128, 127\].*normalisation"),
        (COLOUR * 2.0, 3, r"lies in \[0, 510\]"),
        (np.full((2, 4, 4), np.nan), 3, "not finite"),
        (np.array([[0.0, np.inf]])[None], 3, "not finite"),
        (np.full((2, 4, 4), "x"), 3, "pictures are bytes, integers or floats"),
    ],
)
def test_wrong_arrays(array: np.ndarray, channels: int, said: str | None) -> None:
    if said is None:
        stack_of(array, "a", channels)
        return
    with pytest.raises(ImageError, match=said):
        stack_of(array, "a", channels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (LABELS.astype(np.float64), ["0", "1", "2", "1", "0"]),
        (np.eye(3)[LABELS], ["0", "1", "2", "1", "0"]),
        (np.array(["cat", "dog", "eel", "dog", "cat"]), ["cat", "dog", "eel", "dog", "cat"]),
        (np.array([b"a"] * 5), ["a"] * 5),
        (LABELS == 1, ["0", "1", "0", "1", "0"]),
    ],
)
def test_forms_of_labels(tmp_path: Path, labels: np.ndarray, expected: list[str]) -> None:
    np.savez(tmp_path / "a.npz", x=COLOUR, y=labels)
    assert npz(tmp_path / "a.npz").labels == expected


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:4], r"shape \(4,\) for the 5 pictures of .*--ignore-labels"),
        (np.zeros((5, 0)), r"shape \(5, 0\)"),
        (np.ones((5, 3)), r"shape \(5, 3\)"),
        (LABELS + 0.5, "whole numbers or names"),
        (np.full(5, np.nan), "whole numbers or names"),
        (np.array([1, None] * 2 + [2]), "Python objects"),
    ],
)
def test_wrong_labels_in_files(tmp_path: Path, labels: np.ndarray, said: str) -> None:
    np.savez(tmp_path / "a.npz", x=COLOUR, y=labels)
    with pytest.raises(ImageError, match=said):
        npz(tmp_path / "a.npz")
    assert npz(tmp_path / "a.npz", labels=False).labels is None


def test_no_usual_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=COLOUR)
    with pytest.raises(ImageError, match=r"no pictures under a usual name.*its arrays: weights"):
        npz(tmp_path / "a.npz")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(EVIDENCE),)  # type: ignore[return-value]


EVIDENCE = "evidence-of-evil"


def test_pickles_inside_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.array([Evil()] * 5, dtype=object)
    np.savez("a.npz", x=evil)
    np.save("b.npy", evil)
    with pytest.raises(ImageError, match="Python objects"):
        npz(Path("a.npz"))
    with pytest.raises(ImageError, match="Python objects"):
        find_in_npy(Path("b.npy"), split=None, labels=True, channels=3)
    assert not Path(EVIDENCE).exists()


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=COLOUR)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        content = archive.read("x.npy").replace(b"(5, 8, 8, 3), ", b"(5, 8, 8000000, 3), ")
    for factor in (b"(5, 8, 8000000, 3), ", b"(5, 8, 8000, 3), "):
        lying = content.replace(b"(5, 8, 8000000, 3), ", factor)
        lying = lying[:8] + struct.pack("<H", lying.index(b"\n") - 9) + lying[10:]
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile(tmp_path / "b.npz", "w", method) as archive:
                archive.writestr("x.npy", lying)
            with pytest.raises(ImageError, match="cut short"):
                npz(tmp_path / "b.npz")
    huge = content.replace(b"(5, 8, 8000000, 3), ", b"(50000, 800, 8000, 3), ")
    huge = huge[:8] + struct.pack("<H", huge.index(b"\n") - 9) + huge[10:]
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", huge)
    with pytest.raises(ImageError, match="unpacks to 894 GiB; save the array uncompressed"):
        npz(tmp_path / "b.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "train-images-idx3-ubyte.gz"])
def test_random_damage_is_an_error_or_a_clean_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("npz"):
        np.savez_compressed(path, x=COLOUR, y=LABELS)
    elif name.endswith("npy"):
        np.save(path, COLOUR)
    else:
        write_idx(path, GREY)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    find = {"npz": find_in_npz, "npy": find_in_npy}.get(name[-3:], find_in_idx)
    errors = 0
    for _ in range(200):
        content = bytearray(whole)
        for place in random.integers(0, min(len(whole), 400), 2):
            content[place] = random.integers(0, 256)
        path.write_bytes(content[: random.integers(0, 2 * len(whole))])
        try:
            find(path, split=None, labels=True, channels=3).origin(0).read()
        except ImageError:
            errors += 1
    assert errors > 20


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("images.npy", "labels.npy"),
        ("x_test.npy", "y_test.npy"),
        ("test_images.npy", "test_labels.npy"),
        ("fog.npy", "fog_labels.npy"),
        ("fog.npy", "labels.npy"),
    ],
)
def test_npy_with_labels_beside(tmp_path: Path, name: str, beside: str) -> None:
    np.save(tmp_path / name, COLOUR)
    np.save(tmp_path / beside, LABELS)
    found = find_in_npy(tmp_path / name, split=None, labels=True, channels=3)
    assert found.labels == ["0", "1", "2", "1", "0"]
    assert found.notes == (f"the labels are those in {beside}",)
    assert np.array_equal(found.origin(4).read(), COLOUR[4])
    with pytest.raises(UsageError, match="is one array and has no parts"):
        find_in_npy(tmp_path / name, split="test", labels=True, channels=3)
    np.save(tmp_path / beside, LABELS[:3])
    with pytest.raises(ImageError, match=rf"{beside} has shape \(3,\)"):
        find_in_npy(tmp_path / name, split=None, labels=True, channels=3)


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("below", ["", "raw/", "MNIST/raw/"])
def test_idx(tmp_path: Path, packed: str, below: str) -> None:
    for part, size in (("train", 5), ("t10k", 3)):
        write_idx(tmp_path / f"{below}{part}-images-idx3-ubyte{packed}", GREY[:size])
        write_idx(tmp_path / f"{below}{part}-labels-idx1-ubyte", LABELS[:size])
    test = find_in_idx(tmp_path, split="test", labels=True, channels=1)
    assert test.labels == ["0", "1", "2"]
    assert np.array_equal(test.origin(2).read(), GREY[2])
    assert len(find_in_idx(tmp_path, split="train", labels=True, channels=1).names) == 5
    unasked = find_in_idx(tmp_path, split=None, labels=True, channels=1)
    assert len(unasked.names) == 3
    assert "those of t10k, not train" in unasked.notes[0]
    file = tmp_path / f"{below}train-images-idx3-ubyte{packed}"
    alone = find_in_idx(file, split=None, labels=True, channels=1)
    assert alone.labels == ["0", "1", "2", "1", "0"]


def test_bad_idx(tmp_path: Path) -> None:
    path = tmp_path / "t10k-images-idx3-ubyte"
    for content, said in [
        (b"", "is damaged, or not what its name says"),
        (b"\0\0\x07\x03" + bytes(12), "is no IDX file"),
        (struct.pack(">HBB3I", 0, 8, 3, 9, 8, 8), "cut short: 576 bytes"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ImageError, match=said):
            find_in_idx(path, split=None, labels=True, channels=1)


@pytest.mark.parametrize("size", [(1, 16, 16), (3, 16, 16), (3, 12, 20)])
def test_small_grey_arrays_become_inputs(
    tmp_path: Path, preprocessing: Preprocessing, size: tuple[int, int, int]
) -> None:
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS)
    settings = replace(preprocessing, input_size=size, mean=(0.5,) * size[0], std=(0.5,) * size[0])
    source = open_pictures(tmp_path / "a.npz", settings, nameless(3), 3)
    (batch,) = source.batches(8, workers=1)
    assert batch.images.shape == (5, *size)
    assert batch.images.dtype == torch.uint8
    assert batch.labels.tolist() == LABELS.tolist()
    assert batch.images.float().mean() == pytest.approx(GREY.mean(), abs=8)


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize("crop_pct", [1.0, 0.8])
def test_more_channels_than_a_picture_has(
    tmp_path: Path, preprocessing: Preprocessing, crop_mode: str, crop_pct: float
) -> None:
    flat = np.zeros((2, 10, 14, 4), np.uint8) + np.array([10, 20, 30, 40], np.uint8)
    np.save(tmp_path / "a.npy", flat)
    settings = replace(
        preprocessing, input_size=(4, 16, 12), mean=(0.5,) * 4, std=(0.5,) * 4,
        crop_mode=crop_mode, crop_pct=crop_pct,
    )  # fmt: skip
    (batch,) = open_pictures(tmp_path / "a.npy", settings, nameless(3), 3).batches(8)
    assert batch.images.shape == (2, 4, 16, 12)
    assert batch.images[:, :, 8, 6].tolist() == [[10, 20, 30, 40]] * 2


def test_labels_that_count_from_one(tmp_path: Path, preprocessing: Preprocessing) -> None:
    np.savez(tmp_path / "a.npz", x=COLOUR, y=LABELS + 1)
    with pytest.raises(ImageError, match="seem to count from 1"):
        open_pictures(tmp_path / "a.npz", preprocessing, nameless(3), 3)
    (tmp_path / "map.txt").write_text("1 0\n2 1\n3 2\n")
    source = open_pictures(
        tmp_path / "a.npz", preprocessing, nameless(3), 3, class_map=tmp_path / "map.txt"
    )
    (batch,) = source.batches(8)
    assert batch.labels.tolist() == LABELS.tolist()
