from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image
from timm.data import create_transform

from semaudit.errors import ImageError, UsageError
from semaudit.images import FolderSource, add_digests, as_float, open_folder
from semaudit.models.preprocessing import Preprocessing

from .conftest import Paint, nameless

PATTERN = r"imagenet_\d+_(\d+)"


def opened(data: Path, preprocessing: Preprocessing, **options: object) -> FolderSource:
    return open_folder(data, preprocessing, nameless(1000), 1000, **options)  # type: ignore[arg-type]


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_batches_are_what_timm_gives(photos: Path, preprocessing: Preprocessing) -> None:
    source = opened(photos, preprocessing, label_pattern=PATTERN, num_samples=5, seed=3)
    assert len(source) == 5
    transform = create_transform((3, 16, 16), crop_pct=1.0, normalize=False)
    sizes = []
    for batch in source.batches(2):
        sizes.append(len(batch))
        assert batch.images.dtype == torch.uint8
        assert batch.labels.dtype == torch.int64
        for image, name, label in zip(batch.images, batch.image_ids, batch.labels, strict=True):
            with Image.open(photos / name) as picture:
                assert torch.equal(image, transform(picture.convert("RGB")))
            assert f"_{label}." in name
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(3, 20, 32), (1, 16, 16)])
def test_input_shapes(
    photos: Path, preprocessing: Preprocessing, crop_mode: str, size: tuple[int, int, int]
) -> None:
    settings = replace(
        preprocessing, input_size=size, crop_mode=crop_mode, crop_pct=0.9, mean=(0.5,) * size[0]
    )
    source = opened(photos, settings, label_pattern=PATTERN, num_samples=2)
    (batch,) = source.batches(4)
    assert batch.images.shape == (2, *size)


def test_workers_change_nothing_and_the_global_generator_stays(
    photos: Path, preprocessing: Preprocessing
) -> None:
    source = opened(photos, preprocessing, label_pattern=PATTERN)
    state = torch.random.get_rng_state()
    alone, shared = list(source.batches(6)), list(source.batches(6, workers=2, pin_memory=True))
    assert torch.equal(state, torch.random.get_rng_state())
    assert len(alone) == len(shared) == 4
    for one, other in zip(alone, shared, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        assert (one.image_ids, one.digest) == (other.image_ids, other.digest)
    assert not children()


def test_digest_is_of_ids_and_files_in_any_order(
    tmp_path: Path, paint: Paint, preprocessing
) -> None:
    paths = [paint(tmp_path / f"{index}.png", seed=index) for index in range(5)]
    hashes = [sha256(path.name.encode() + b"|" + path.read_bytes()).hexdigest() for path in paths]
    expected = sum(int(digest, 16) for digest in reversed(hashes)) % 2**256
    source = opened(tmp_path, preprocessing)
    for size in (1, 2, 5):
        assert add_digests([batch.digest for batch in source.batches(size)]) == expected


def test_unlabelled_pictures_carry_minus_one(tmp_path: Path, paint: Paint, preprocessing) -> None:
    paint(tmp_path / "a.png")
    source = opened(tmp_path, preprocessing)
    (batch,) = source.batches(4)
    assert batch.labels.tolist() == [-1]
    assert not source.labelled
    assert source.notes == ()
    assert source.class_names is None


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_pictures_are_left_out_and_named(
    tmp_path: Path, paint: Paint, preprocessing, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for index in (0, 2, 6):
        paint(tmp_path / f"{index}.png", seed=index)
    readable = add_digests([b.digest for b in opened(tmp_path, preprocessing).batches(8)])
    for index in (1, 3, 4, 5):
        (tmp_path / f"{index}.jpg").write_text("this is text")
    got = list(opened(tmp_path, preprocessing).batches(2, workers))
    assert [batch.image_ids for batch in got] == [("0.png",), ("2.png",), (), ("6.png",)]
    assert [len(batch.unreadable) for batch in got] == [1, 1, 2, 0]
    assert [tuple(batch.images.shape) for batch in got[1:3]] == [(1, 3, 16, 16), (0, 0, 0, 0)]
    assert got[2].labels.tolist() == []
    assert add_digests([batch.digest for batch in got]) == readable
    names = [each.where for batch in got for each in batch.unreadable]
    assert [Path(name).name for name in names] == ["1.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert all(each.reason.startswith("not a picture") for each in got[2].unreadable)
    assert not children()
    assert capfd.readouterr() == ("", "")


def test_a_vanished_picture(tmp_path: Path, paint: Paint, preprocessing) -> None:
    path = paint(tmp_path / "a.png")
    source = opened(tmp_path, preprocessing)
    path.unlink()
    (batch,) = source.batches(1)
    assert batch.unreadable[0].reason == "No such file or directory"


def test_an_early_stop_leaves_no_workers(photos: Path, preprocessing: Preprocessing) -> None:
    stream = opened(photos, preprocessing, label_pattern=PATTERN).batches(2, workers=2)
    next(stream)
    assert len(children()) >= 2
    stream.close()  # type: ignore[attr-defined]
    assert not children()


def test_more_workers_than_cores_warn_no_one(photos: Path, preprocessing: Preprocessing) -> None:
    source = opened(photos, preprocessing, label_pattern=PATTERN, num_samples=2)
    many = (os.cpu_count() or 1) + 1
    assert len(list(source.batches(1, workers=min(many, 32)))) == 2


def test_a_killed_worker_is_one_clean_error(photos: Path, preprocessing: Preprocessing) -> None:
    source = opened(photos, preprocessing)
    stream = source.batches(1, workers=1)
    next(stream)
    for child in children():
        child.kill()
    time.sleep(0.2)  # torch's own watchdog would raise here, outside the loader
    with pytest.raises(ImageError, match=r"loader processes died.*fewer --workers"):
        list(stream)
    assert not children()


INTERRUPTED = """
import sys, time
from pathlib import Path
from semaudit.images import open_folder
from semaudit.models.names import ClassNames
from semaudit.models.preprocessing import Preprocessing

def main():
    size = Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bilinear")
    source = open_folder(Path(sys.argv[1]), size, ClassNames((), ()), 1000)
    try:
        for _ in source.batches(1, workers=2):
            print("ready", flush=True)
            time.sleep(30)
    except KeyboardInterrupt:
        print("stopped", flush=True)

if __name__ == "__main__":
    main()
"""


@pytest.mark.skipif(os.name == "nt", reason="process groups are signalled otherwise")
def test_ctrl_c_is_answered_by_the_parent_alone(photos: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(photos)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("stopped\n", "", 0)
    assert len(workers) >= 2
    assert not any(worker.is_running() for worker in workers)
    assert time.monotonic() - start < 10


HUNG_UP = """
import time
from multiprocessing import resource_sharer
from multiprocessing.connection import Client
from multiprocessing.process import current_process

def hang_up(ident):
    Client(ident[0], authkey=current_process().authkey).close()
    time.sleep(0.5)  # for the worker to notice
    raise KeyboardInterrupt

resource_sharer._resource_sharer.get_connection = hang_up
"""


@pytest.mark.skipif(
    torch.multiprocessing.get_sharing_strategy() != "file_descriptor",
    reason="batches come another way",
)
def test_ctrl_c_while_a_batch_is_taken_over(photos: Path) -> None:
    command = [sys.executable, "-c", HUNG_UP + INTERRUPTED, str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("stopped\n", "", 0)


def test_wrong_sizes(photos: Path, preprocessing: Preprocessing) -> None:
    source = opened(photos, preprocessing)
    with pytest.raises(UsageError, match="--batch-size is 0"):
        source.batches(0)
    with pytest.raises(UsageError, match="--workers is -1"):
        source.batches(1, -1)
    with pytest.raises(ImageError, match="takes 4 channels"):
        opened(photos, replace(preprocessing, input_size=(4, 16, 16)))


def test_as_float() -> None:
    bytes_ = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert torch.equal(as_float(bytes_, "cpu"), torch.tensor([0.0, 0.2, 1.0]))
    assert bytes_.dtype == torch.uint8
    floats = torch.rand(3, dtype=torch.float64)
    assert as_float(floats, torch.device("cpu")) is floats
