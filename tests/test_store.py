"""The tables: streamed in parts, picture-major, read back as matrices."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from synthetic import LAYOUT, measures, written

from semaudit import store
from semaudit.errors import AuditError
from semaudit.measure import Measures
from semaudit.store import IMAGES, PATHS, SAMPLES, Samples, SampleWriter

SAMPLE_COLUMNS = [
    *("image", "probe", "family", "rung", "strength", "clean_class", "class"),
    *("shift", "flip", "top5_distance", "feature_distance", "logit_distance"),
    *("input_rms", "input_linf", "ssim", "transport"),
    *("gradient_turn", "gradient_change", "gradient_lipschitz", "loss_gradient_turn"),
    *("loss_gradient_change", "loss_gradient_lipschitz"),
]
PATH_COLUMNS = [
    *("image", "probe", "family"),
    *("jump", "concentration", "secant_slope", "shift_area", "onset"),
    *("neighbour_flips", "neighbour_top5_distance"),
]
IMAGE_COLUMNS = [
    *("image", "label", "clean_class", "correct"),
    *("confidence", "entropy", "logit_norm"),
]


def test_one_row_a_picture_probe_and_rung(tmp_path: Path) -> None:
    written(tmp_path, 5)
    frame = pd.read_parquet(tmp_path / SAMPLES)
    assert sorted(frame.columns) == sorted(SAMPLE_COLUMNS)
    expected = [
        (f"{i}.png", track.name, track.family, k + 1, strength)
        for i in range(5)
        for track in LAYOUT.tracks
        for k, strength in enumerate(track.ladder)
    ]
    keys = frame[["image", "probe", "family", "rung", "strength"]]
    assert list(keys.itertuples(index=False, name=None)) == expected


def test_one_row_a_picture_and_probe_and_one_a_picture(tmp_path: Path) -> None:
    written(tmp_path, 5)
    paths, images = (pd.read_parquet(tmp_path / name) for name in (PATHS, IMAGES))
    assert sorted(paths.columns) == sorted(PATH_COLUMNS)
    assert sorted(images.columns) == sorted(IMAGE_COLUMNS)
    names = [track.name for track in LAYOUT.tracks]
    assert list(paths["probe"]) == names * 5
    assert list(paths["image"]) == [f"{i}.png" for i in range(5) for _ in names]
    assert list(images["image"]) == [f"{i}.png" for i in range(5)]
    assert list(images["correct"]) == [0, 1, 1, 1, 0]


def test_a_column_comes_back_as_a_matrix(tmp_path: Path) -> None:
    samples, made = written(tmp_path, 7, seed=4), measures(7, seed=4)
    np.testing.assert_allclose(samples.rung("shift"), made.rungs["shift"], rtol=1e-6)
    np.testing.assert_allclose(samples.path("jump"), made.paths["jump"], rtol=1e-6)
    np.testing.assert_allclose(samples.image("confidence"), made.images["confidence"], rtol=1e-6)
    np.testing.assert_array_equal(samples.rung("class"), made.classes)
    assert samples.image_ids() == [f"{i}.png" for i in range(7)]


def test_a_picture_without_a_label_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    with SampleWriter(tmp_path, LAYOUT) as writer:
        writer.append(["a", "b"], np.array([-1, 0]), measures(2))
    samples = Samples(tmp_path, LAYOUT)
    np.testing.assert_array_equal(samples.image("label"), [np.nan, 0])
    np.testing.assert_array_equal(samples.image("correct"), [np.nan, 1])


def test_parts_and_row_groups_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    one = written(tmp_path / "whole", 30)
    monkeypatch.setattr(store, "_ROWS_A_GROUP", 20)
    made = measures(30)
    with SampleWriter(tmp_path / "parts", LAYOUT) as writer:
        for start in range(0, 30, 4):
            span = slice(start, min(start + 4, 30))
            names = [f"{i}.png" for i in range(span.start, span.stop)]
            labels = (np.arange(span.start, span.stop) % 4 == 0).astype(np.int64)
            writer.append(names, labels, _part(made, span))
    assert writer.pictures == 30
    other = Samples(tmp_path / "parts", LAYOUT)
    assert pq.ParquetFile(other.folder / SAMPLES).num_row_groups > 5
    for name in (SAMPLES, PATHS, IMAGES):
        frames = [pd.read_parquet(each.folder / name) for each in (one, other)]
        pd.testing.assert_frame_equal(*frames)


def _part(made: Measures, span: slice) -> Measures:
    return Measures(
        images={name: column[span] for name, column in made.images.items()},
        paths={name: column[span] for name, column in made.paths.items()},
        rungs={name: column[span] for name, column in made.rungs.items()},
        clean_classes=made.clean_classes[span],
        classes=made.classes[span],
        output_sum=made.output_sum,
    )


def test_what_was_written_before_a_failure_can_be_read(tmp_path: Path) -> None:
    def interrupted() -> None:
        with SampleWriter(tmp_path, LAYOUT) as writer:
            writer.append(["a"], np.array([0]), measures(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Samples(tmp_path, LAYOUT).rung("shift").shape == (1, len(LAYOUT.cells))


@pytest.mark.parametrize("table", [IMAGES, PATHS, SAMPLES])
def test_a_missing_or_damaged_table_says_so(table: str, tmp_path: Path) -> None:
    samples = written(tmp_path, 3)
    samples.check(3)
    content = (tmp_path / table).read_bytes()
    (tmp_path / table).write_bytes(content[: len(content) // 2])
    with pytest.raises(AuditError, match=f"{table} is missing or damaged .*scan again"):
        samples.check(3)
    (tmp_path / table).unlink()
    with pytest.raises(AuditError, match=f"{table} is missing or damaged .*scan again"):
        samples.check(3)


def test_a_missing_column_says_so(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"samples.parquet .*no column 'beauty'"):
        written(tmp_path, 3).rung("beauty")


@pytest.mark.parametrize("table", [IMAGES, PATHS, SAMPLES])
def test_a_table_of_another_audit_is_found_out(table: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    written(tmp_path / "other", 4)
    samples = written(tmp_path, 3)
    shutil.copy(tmp_path / "other" / table, tmp_path / table)
    with pytest.raises(AuditError, match=f"{table} has .* rows, and .* belong"):
        samples.check(3)
