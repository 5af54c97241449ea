from __future__ import annotations

import json
import pickle
import sys
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from semaudit.errors import ImageError, UsageError
from semaudit.images import FolderSource, StreamSource, open_pictures
from semaudit.models.names import ClassNames
from semaudit.models.preprocessing import Preprocessing

from .conftest import Paint, nameless
from .test_arrays import GREY, write_idx
from .test_tars import pack, picture, shards

ANIMALS = ["airplane", "bird", "cat"]
# webdataset leaves closing its files to the garbage collector.
LEAKS = "ignore::pytest.PytestUnraisableExceptionWarning"


@pytest.fixture
def opened(preprocessing: Preprocessing):
    def opening(
        name: str, data: Path | None, names: ClassNames | None = None, **options: object
    ) -> FolderSource | StreamSource:
        names = names or nameless(3)
        return open_pictures(data, preprocessing, names, len(names.names), dataset=name, **options)  # type: ignore[arg-type]

    return opening


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """CIFAR-10's files with six pictures; torchvision is told their checksums."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def dump(name: str, content: object) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, md5(data).hexdigest()]

    batch = {"data": pixels.reshape(6, -1), "labels": [2, 1, 0, 0, 1, 2]}
    monkeypatch.setattr(CIFAR10, "test_list", [dump("test_batch", batch)])
    monkeypatch.setattr(CIFAR10, "train_list", [])
    name, digest = dump("batches.meta", {"label_names": ANIMALS})
    meta = {"filename": name, "key": "label_names", "md5": digest}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return tmp_path, pixels.transpose(0, 2, 3, 1)


def test_cifar(cifar: tuple[Path, np.ndarray], opened) -> None:
    root, pixels = cifar
    source = opened("torch/cifar10", root)
    assert isinstance(source, FolderSource)
    assert source.class_names == ("airplane", "bird", "cat")
    (alone,) = source.batches(8)
    (shared,) = source.batches(8, workers=1)
    assert alone.labels.tolist() == [2, 1, 0, 0, 1, 2]
    assert torch.equal(alone.images, shared.images)
    assert alone.digest == shared.digest
    assert np.array_equal(np.asarray(source.dataset.items[3].origin.read()), pixels[3])
    assert source.dataset.items[3].origin.where == "torch/cifar10: number 3"
    assert sorted(opened("torch/cifar10", root, num_samples=3).listing.items[0].image_id) == list(
        "000000"
    )


def test_classes_go_by_name_where_the_model_has_others(cifar, opened) -> None:
    names = ("cat", "dog", "bird", "airplane")
    source = opened("torch/cifar10", cifar[0], ClassNames(names, tuple((n,) for n in names)))
    (batch,) = source.batches(8)
    assert batch.labels.tolist() == [0, 2, 3, 3, 2, 0]
    assert source.notes == (
        "the data set's classes were matched with the model's by name, not by number",
    )
    with pytest.raises(ImageError, match="3 of 3 labels match none of the model's 7"):
        opened("torch/cifar10", cifar[0], nameless(7))
    assert not opened("torch/cifar10", cifar[0], nameless(7), ignore_labels=True).labelled


def test_class_map_of_a_data_set(cifar, opened, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("cat\nbird\nairplane\n")
    source = opened("torch/cifar10", cifar[0], class_map=tmp_path / "map.txt")
    (batch,) = source.batches(8)
    assert batch.labels.tolist() == [0, 1, 2, 2, 1, 0]


def test_fashion_mnist(tmp_path: Path, opened) -> None:
    for part, size in (("train", 5), ("t10k", 3)):
        raw = tmp_path / "FashionMNIST" / "raw"
        write_idx(raw / f"{part}-images-idx3-ubyte", GREY[:size])
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(size))
    for split, size in ((None, 3), ("train", 5), ("test", 3)):
        source = opened("torch/fashion_mnist", tmp_path, nameless(10), split=split)
        (batch,) = source.batches(8)
        assert batch.labels.tolist() == list(range(size))
        assert batch.images.shape == (size, 3, 16, 16)
    assert source.class_names is not None
    assert source.class_names[0] == "T-shirt/top"
    by_ourselves = open_pictures(
        tmp_path / "FashionMNIST", source.dataset.transform.preprocessing, nameless(10), 10,
        split="test",
    )  # fmt: skip
    (same,) = by_ourselves.batches(8)
    assert torch.equal(same.images, batch.images)


def class_folders(folder: Path, paint: Paint) -> Path:
    for part, size in (("train", 3), ("test", 2)):
        for index in range(size):
            for name in ANIMALS:
                paint(folder / part / name / f"{index}.png", seed=index)
    return folder


@pytest.mark.usefixtures("offline")
def test_hugging_face_folder(tmp_path: Path, paint: Paint, opened) -> None:
    folder = class_folders(tmp_path / "pictures", paint)
    source = opened(f"hfds/{folder}", tmp_path / "cache", split="test")
    assert source.class_names == ("airplane", "bird", "cat")
    (alone,) = source.batches(8)
    (shared,) = source.batches(8, workers=1)
    assert alone.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert alone.digest == shared.digest
    origin = source.dataset.items[1].origin
    assert origin.read() == (folder / "test" / "airplane" / "1.png").read_bytes()
    with pytest.raises(ImageError, match=r"its split: validation; see --split.*Unknown split"):
        opened(f"hfds/{folder}", tmp_path / "cache")


@pytest.mark.usefixtures("offline")
def test_hugging_face_parquet_with_secret_labels(tmp_path: Path, opened) -> None:
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [{"bytes": picture(n), "path": None} for n in range(2)], "label": [-1, -1]}
    data = tmp_path / "set"
    data.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(data / "test.parquet"))
    source = opened(f"hfds/{data}", tmp_path / "cache", split="test")
    assert source.dataset.items[1].origin.read() == picture(1)
    assert not source.labelled
    assert "secret" in source.notes[0]


@pytest.mark.usefixtures("offline")
def test_hugging_face_stream(tmp_path: Path, paint: Paint, opened) -> None:
    folder = class_folders(tmp_path / "pictures", paint)
    source = opened(f"hfids/{folder}", tmp_path / "cache", split="test", num_samples=4)
    assert isinstance(source, StreamSource)
    assert source.notes[0].endswith("can only be read in order: the first 4 pictures were taken")
    batches = list(source.batches(3, workers=2))
    assert [batch.labels.tolist() for batch in batches] == [[0, 0, 1], [1]]
    again = list(source.batches(3))
    assert [batch.digest for batch in again] == [batch.digest for batch in batches]


@pytest.mark.filterwarnings("ignore::ResourceWarning", LEAKS)
def test_webdataset_stream(tmp_path: Path, opened) -> None:
    shards(tmp_path, "s", 3)
    (tmp_path / "_info.json").write_text(
        json.dumps(
            {
                "splits": {
                    "validation": {
                        "name": "validation",
                        "num_samples": 3,
                        "filenames": [f"s-{number:03d}.tar" for number in range(3)],
                        "shard_lengths": [1, 1, 1],
                    }
                }
            }
        )
    )
    for split in (None, "s-{000..002}.tar"):
        source = opened("wds/", tmp_path, split=split)
        assert len(source) == 3
        batches = list(source.batches(2, workers=3))
        assert [batch.labels.tolist() for batch in batches] == [[0, 1], [2]]
        assert [batch.image_ids for batch in batches] == [("000000", "000001"), ("000002",)]
    direct = open_pictures(tmp_path, source.transform.preprocessing, nameless(3), 3)
    assert torch.equal(
        torch.cat([batch.images for batch in direct.batches(2)]),
        torch.cat([batch.images for batch in batches]),
    )
    with pytest.raises(ImageError, match="match none of the model's 2"):
        opened("wds/", tmp_path, nameless(2))
    assert not opened("wds/", tmp_path, nameless(2), ignore_labels=True).labelled
    with pytest.raises(UsageError, match="--label-pattern does not go with"):
        opened("wds/", tmp_path, label_pattern="(x)")
    with pytest.raises(UsageError, match="--num-samples is 0"):
        opened("wds/", tmp_path, num_samples=0)
    with pytest.raises(ImageError, match="split nothing not found"):
        opened("wds/", tmp_path, split="nothing")


@pytest.mark.filterwarnings("ignore::ResourceWarning", LEAKS)
def test_webdataset_without_pictures(tmp_path: Path, opened) -> None:
    pack(tmp_path / "s-000.tar", {"1.cls": b"1"})
    with pytest.raises(ImageError, match=r"cannot be read|gave no pictures"):
        opened("wds/", tmp_path, split="s-{000..000}.tar")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cifar10", "no such data set; known are torch/cifar10"),
        ("ftp/x", "no such data set"),
        ("torch/cifar11", "Unknown torchvision dataset cifar11"),
    ],
)
def test_unknown_data_sets(tmp_path: Path, opened, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        opened(name, tmp_path)


def test_files_that_are_not_there(tmp_path: Path, opened) -> None:
    with pytest.raises(ImageError, match=r"torch/cifar10 .*not found or corrupted.*downloads noth"):
        opened("torch/cifar10", tmp_path)
    with pytest.raises(UsageError, match="needs --data, the folder that its files are in"):
        opened("torch/cifar10", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("hfds/x", "datasets", "hfds"),
        ("hfids/x", "datasets", "hfds"),
        ("tfds/x", "tensorflow_datasets", "tfds"),
        ("wds/", "webdataset", "wds"),
    ],
)
def test_missing_libraries_name_their_extra(
    tmp_path: Path, opened, name: str, package: str, extra: str, capsys, monkeypatch
) -> None:
    for module in [*sys.modules]:
        if module.startswith("timm.data.readers.reader_"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"needs the package {package}: .*semaudit\[{extra}\]"):
        opened(name, tmp_path)
    assert capsys.readouterr() == ("", "")
