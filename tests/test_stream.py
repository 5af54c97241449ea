"""From batches to tables: every picture once, refusals, progress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from known_models import ON_CPU, Hungry, Linear, classifier, pictures

import semaudit
from semaudit.errors import AuditError, ImageError
from semaudit.images import Batch, TensorSource
from semaudit.images.reading import Unreadable
from semaudit.probes import layout_of, load_probes, select_battery
from semaudit.runtime import resolve
from semaudit.settings import explicit
from semaudit.stream import Progress, stream

SIZE = (3, 8, 8)
MODEL = Linear(SIZE, 4, seed=1)


def scan(data, module=MODEL, **settings):
    return semaudit.scan(
        module, data, **{"select": ["brightness"], "input_size": SIZE, **ON_CPU, **settings}
    )


def test_labels_and_names_come_through() -> None:
    names = ("cat/1", "dog/2", "cat/3", "eel/4", "dog/5")
    labels = torch.tensor([0, 3, 1, 2, 2])
    audit = scan(TensorSource(pictures(5, SIZE, 2), labels, names), batch_size=2)
    images = audit.images()
    assert images["image"].tolist() == list(names)
    assert images["label"].tolist() == labels.tolist()
    classes = MODEL(pictures(5, SIZE, 2)).argmax(1)
    assert images["clean_class"].tolist() == classes.tolist()
    assert images["correct"].tolist() == (classes == labels).float().tolist()
    assert audit.samples()["image"].unique().tolist() == list(names)
    assert audit.report.data.labelled


def test_without_labels_there_is_no_accuracy() -> None:
    audit = scan(pictures(5, SIZE, 2))
    assert audit.images()["label"].isna().all()
    assert audit.images()["correct"].isna().all()
    assert audit.report.clean.accuracy is None


@pytest.mark.parametrize("where", [0, 4])
def test_a_label_out_of_range_is_refused(where: int) -> None:
    labels = torch.zeros(5, dtype=torch.int64)
    labels[where] = 4
    with pytest.raises(ImageError, match="label 4 is no class of a model with 4 classes"):
        scan((pictures(5, SIZE, 2), labels), batch_size=2)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_wrong_channels_are_refused(channels: int) -> None:
    with pytest.raises(ImageError, match=rf"pictures of 3 channel\(s\), and these have {channels}"):
        scan(pictures(5, (channels, 8, 8), 2))


class Holed:
    """A source with pictures that cannot be read."""

    labelled, notes, class_names = False, (), None

    def __init__(self, count: int, holes: frozenset[int]) -> None:
        self.images, self.holes = pictures(count, SIZE, 2), holes

    def __len__(self) -> int:
        return len(self.images)

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        for start in range(0, len(self), batch_size):
            rows = range(start, min(start + batch_size, len(self)))
            good = [row for row in rows if row not in self.holes]
            bad = tuple(Unreadable(f"{row}.jpg", "cut") for row in rows if row in self.holes)
            ids, labels = tuple(map(str, good)), torch.full((len(good),), -1)
            yield Batch(self.images[good], ids, labels, sum(good), bad)


def streamed(folder: Path, source, max_unreadable: float, watch=lambda _: None, batch_size=4):
    settings = explicit({**ON_CPU, "batch_size": batch_size, "workers": 0}).settings
    battery = select_battery(load_probes(), ["brightness"], [])
    return stream(
        classifier(MODEL, SIZE),
        battery,
        source,
        seed=0,
        place=resolve(settings),
        folder=folder,
        layout=layout_of(battery),
        watch=watch,
        max_unreadable=max_unreadable,
    )


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("holes", [{0}, {3, 4, 5, 6, 7}, {18, 19}, set()])
def test_unreadable_pictures_are_skipped_counted_and_named(
    tmp_path: Path, holes: set[int], batch_size: int
) -> None:
    seen: list[Progress] = []
    source = Holed(20, frozenset(holes))
    result = streamed(tmp_path, source, 0.25, seen.append, batch_size)
    assert result.unreadable_count == len(result.unreadable) == len(holes)
    assert [each.where for each in result.unreadable] == [f"{row}.jpg" for row in sorted(holes)]
    images = pd.read_parquet(tmp_path / "images.parquet")["image"].astype(str).tolist()
    assert images == [str(row) for row in range(20) if row not in holes]
    assert result.fingerprint == f"{sum(set(range(20)) - holes):064x}"
    assert (seen[-1].pictures, seen[-1].cells) == (20, seen[-1].total_cells)
    assert [each.pictures for each in seen] == sorted(each.pictures for each in seen)


def test_too_many_unreadable_pictures_end_the_scan_at_once(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(ImageError, match=r"^3 of 20 pictures cannot be read.*--max-unreadable"):
        streamed(tmp_path, Holed(20, frozenset({0, 5, 6})), 0.1, seen.append)
    assert max(each.pictures for each in seen) <= 5


def test_none_readable(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="none of the 3 pictures can be read"):
        streamed(tmp_path, Holed(3, frozenset(range(3))), 1.0)


class Sized:
    """A source that does not keep its promise of a length."""

    labelled, notes, class_names = False, (), None

    def __init__(self, promised: int) -> None:
        self.promised = promised
        self.inner = TensorSource(pictures(5, SIZE, 2))

    def __len__(self) -> int:
        return self.promised

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        return self.inner.batches(batch_size, workers, pin_memory)


@pytest.mark.parametrize(("promised", "error"), [(6, AuditError), (0, ImageError)])
def test_a_source_that_gives_another_number_is_refused(
    promised: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        scan(Sized(promised))


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize(("limit", "above"), [(2, 0.0), (2, 0.61), (100, 0.0)])
def test_progress_reaches_the_total_and_never_exceeds_it(
    batch_size: int, limit: int, above: float
) -> None:
    seen: list[Progress] = []
    # Above 0.61 memory runs out at the third rung, when others have been counted.
    module = Hungry(MODEL, limit, torch.OutOfMemoryError, above)
    scan(pictures(7, SIZE, 2), module, batch_size=batch_size, watch=seen.append)
    assert {each.total_pictures for each in seen} == {7}
    assert {each.total_cells for each in seen} == {7 * 5}
    assert all(0 <= each.cells <= each.total_cells for each in seen)
    assert all(0 <= each.pictures <= 7 for each in seen)
    assert [each.pictures for each in seen] == sorted(each.pictures for each in seen)
    assert (seen[-1].pictures, seen[-1].cells) == (7, 35)


def test_the_fingerprint_does_not_depend_on_batches_or_order() -> None:
    images, names = pictures(7, SIZE, 2), tuple("abcdefg")
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    shuffled = TensorSource(images[order], None, [names[i] for i in order])
    prints = {
        scan(source, batch_size=size).report.data.fingerprint
        for source in (TensorSource(images, None, names), shuffled)
        for size in (2, 7)
    }
    assert len(prints) == 1
    other = images.clone()
    other[3, 0, 0, 0] += 0.01
    prints.add(scan(TensorSource(other, None, names)).report.data.fingerprint)
    assert len(prints) == 2
