"""Rungs that change nothing that 8 bits could hold, or show the same picture, are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_models import ON_CPU, Linear, pictures

import semaudit
from semaudit.faintness import equal_rungs, faint_rungs
from semaudit.layout import Layout, Track
from semaudit.store import Samples

SIZE = (3, 28, 28)


def test_faint_rungs_are_named_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(
        (
            Track("identity", "identity", (1.0,)),
            Track("blur", "blur", (0.1, 0.2, 0.3)),
            Track("strong", "blur", (0.1, 0.2)),
            Track("last", "blur", (0.1,)),
        )
    )
    # Two pictures: what one of them shows is no faint rung.
    moved = np.array(
        [[0, 0.001, 0.002, 0.2, 0.1, 0.2, 0.003], [0, 0.003, 0.0039, 0.1, 0.001, 0.1, 0.0]]
    )
    monkeypatch.setattr(Samples, "rung", lambda self, column: moved)
    (note,) = faint_rungs(Samples(Path(), layout))
    assert note.endswith(": blur (2), last (1)")
    monkeypatch.setattr(Samples, "rung", lambda self, column: moved + 0.01)
    assert faint_rungs(Samples(Path(), layout)) == ()
    monkeypatch.setattr(Samples, "rung", lambda self, column: moved[:0])
    assert faint_rungs(Samples(Path(), layout)) == ()


def test_a_scan_of_small_pictures_says_so() -> None:
    audit = semaudit.scan(
        Linear(SIZE, 4, seed=1),
        pictures(4, SIZE, seed=2, low=0.45, high=0.55),
        select=["gaussian_blur", "brightness"],
        input_size=SIZE,
        **ON_CPU,
    )
    (note,) = [note for note in audit.report.data.notes if "level of 255" in note]
    assert ": gaussian_blur (" in note
    assert "brightness" not in note


def test_equal_rungs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(
        (
            Track("identity", "identity", (1.0,)),
            Track("shift", "blur", (0.1, 0.2, 0.3, 0.4, 0.5)),
            Track("faint", "blur", (0.1, 0.2)),
            Track("worst_linf", "adversarial", (0.1, 0.2)),
        )
    )
    moved = np.array([[0, *(0.1, 0.1, 0.2, 0.3, 0.3), 0.001, 0.001, 0.5, 0.5]] * 2)
    alike = {name: moved.copy() for name in ("input_rms", "input_linf", "ssim")}
    monkeypatch.setattr(Samples, "rung", lambda self, column: alike[column])
    (note,) = equal_rungs(Samples(Path(), layout))
    assert note.endswith(": shift (0.1 = 0.2; 0.4 = 0.5)")
    alike["ssim"][1, 2] += 1e-7  # one picture by one distance is enough to tell them apart
    (note,) = equal_rungs(Samples(Path(), layout))
    assert note.endswith(": shift (0.4 = 0.5)")
    alike["input_rms"] += np.arange(10)
    assert equal_rungs(Samples(Path(), layout)) == ()
    monkeypatch.setattr(Samples, "rung", lambda self, column: moved[:0])
    assert equal_rungs(Samples(Path(), layout)) == ()


@pytest.mark.parametrize("side", [64, 224])
def test_a_scan_names_the_rungs_that_fall_together(side: int) -> None:
    size = (3, side, side)
    audit = semaudit.scan(
        Linear(size, 4, seed=1),
        pictures(3, size, seed=2),
        select=["pixel_shift", "rotation", "gaussian_blur", "jpeg"],
        input_size=size,
        **ON_CPU,
    )
    found = [note for note in audit.report.data.notes if "fall together" in note]
    assert [note.rpartition(": ")[2] for note in found] == (
        ["pixel_shift (0.0025 = 0.005 = 0.01)"] if side == 64 else []
    )
