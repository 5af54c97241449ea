"""Worst pictures and class flips, against brute force."""

from __future__ import annotations

from collections import defaultdict

import pytest
from known_models import ON_CPU, Constant, Linear, busy_audit, pictures

import semaudit
from semaudit.findings import CLASS_FLIPS, WORST
from semaudit.layout import ASIDE


@pytest.fixture(scope="module")
def audit() -> semaudit.Audit:
    return busy_audit()


def test_class_flips_by_counting(audit: semaudit.Audit) -> None:
    pictures_of, cells_of = defaultdict(set), defaultdict(int)
    columns = audit.samples()[["image", "family", "clean_class", "class"]]
    for image, family, before, after in columns.itertuples(index=False):
        if family not in ASIDE and after != before:
            pictures_of[before, after].add(image)
            cells_of[before, after] += 1
    found = audit.report.class_flips
    assert len(found) == min(CLASS_FLIPS, len(cells_of)) > 3
    for flip in found:
        turn = (flip.from_class, flip.to_class)
        assert flip.pictures == len(pictures_of[turn])
        assert flip.cells == cells_of[turn]
    keys = [(-flip.pictures, -flip.cells) for flip in found]
    assert keys == sorted(keys)


def test_worst_pictures_by_sorting(audit: semaudit.Audit) -> None:
    frame = audit.samples().astype({"image": str, "probe": str, "family": str})
    frame = frame[~frame["family"].isin(ASIDE)]
    nested = frame.groupby(["image", "family", "probe"])[["shift", "flip"]].mean()
    nested = nested.groupby(["image", "family"]).mean().groupby("image").mean()
    expected = nested.sort_values("shift", ascending=False).head(WORST)
    images = audit.images().set_index("image")
    assert [worst.image for worst in audit.report.worst] == expected.index.tolist()
    for worst in audit.report.worst:
        assert worst.shift == pytest.approx(expected.loc[worst.image, "shift"], rel=1e-5)
        assert worst.flip_rate == pytest.approx(expected.loc[worst.image, "flip"], rel=1e-5)
        cells = frame[frame["image"] == worst.image]
        cell = cells.loc[cells["shift"].idxmax()]
        assert (worst.probe, worst.strength) == (cell["probe"], cell["strength"])
        assert worst.cell_shift == cell["shift"]
        assert worst.to_class == cell["class"]
        clean = images.loc[worst.image]
        assert worst.label == clean["label"]
        assert worst.clean_class == clean["clean_class"]
        assert worst.confidence == clean["confidence"]


def test_nothing_flips_in_a_constant_model_and_nothing_is_lost() -> None:
    audit = semaudit.scan(
        Constant(), pictures(4, (3, 8, 8), 1), select=["gamma"], input_size=(3, 8, 8), **ON_CPU
    )
    assert audit.report.class_flips == []
    assert len(audit.report.worst) == 4
    assert {worst.shift for worst in audit.report.worst} == {0.0}
    assert {worst.label for worst in audit.report.worst} == {None}


def test_the_noise_floor_alone_has_no_worst_pictures() -> None:
    audit = semaudit.scan(
        Linear((3, 8, 8), 3, seed=1),
        pictures(4, (3, 8, 8), 1),
        select=["identity"],
        input_size=(3, 8, 8),
        **ON_CPU,
    )
    assert audit.report.worst == []
    assert audit.report.class_flips == []
    assert audit.score is None
