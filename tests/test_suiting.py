"""``--at-ssim``, end to end: one rung a probe at equal visibility, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from known_models import ON_CPU, Linear, pictures
from PIL import Image
from shared import Run

import semaudit
from semaudit.errors import ProbeError
from semaudit.report.file import read_report
from semaudit.stream import Progress

SIZE = (3, 16, 16)
MODEL = Linear(SIZE, 4, seed=1)


def test_one_rung_a_probe_at_equal_visibility(
    cli: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    select = ("--select", "noise", "--select", "gaussian_blur")
    ended = cli(*tiny, *select, "--at-ssim", "0.9", "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    report = read_report(tmp_path / "audit" / "report.json")
    floor, *battery = report.battery
    assert floor.name == "identity"
    assert {"brightness", "gaussian_noise", "gaussian_blur"} < {probe.name for probe in battery}
    assert {len(probe.ladder) for probe in battery} == {1}
    said = "every probe at the strength where the mean SSIM of 12 pictures is 0.9"
    assert any(said in note for note in report.data.notes)
    assert said in " ".join(ended.stdout.split())
    # By the scan's own figures.
    frame = pd.read_parquet(tmp_path / "audit" / "samples.parquet")
    alike = frame[frame["family"] != "identity"].groupby("probe", observed=True)["ssim"].mean()
    assert len(alike) == len(battery)
    assert ((alike - 0.9).abs() <= 0.021).all()
    assert (alike - 0.9).abs().median() < 0.001
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["at_ssim"] == {"value": 0.9, "origin": "flag"}
    ladders = {probe["name"]: probe["ladder"] for probe in manifest["battery"]}
    assert ladders == {probe.name: list(probe.ladder) for probe in report.battery}


def test_a_quick_battery_has_one_rung_too(cli: Run, tiny: tuple[str, ...], tmp_path: Path) -> None:
    assert cli(*tiny, "--select", "quick", "--at-ssim", "0.95", "--out", "audit").code == 0
    report = read_report(tmp_path / "audit" / "report.json")
    assert {len(probe.ladder) for probe in report.battery} == {1}


def test_a_stricter_level_is_a_weaker_change(tmp_path: Path) -> None:
    images = pictures(6, SIZE, seed=2, low=0.1, high=0.9)

    def strengths(level: float) -> dict[str, float]:
        audit = semaudit.scan(
            MODEL, images, select=["noise", "jpeg"], at_ssim=level, input_size=SIZE, **ON_CPU
        )
        return {probe.name: probe.ladder[0] for probe in audit.report.battery[1:]}

    faint, strong = strengths(0.95), strengths(0.8)
    both = faint.keys() & strong.keys()
    assert "gaussian_noise" in both
    assert all(faint[name] < strong[name] for name in both)


def test_a_probe_that_cannot_is_left_out_and_named(
    cli: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    """Where there is no contrast none can be taken away."""
    for number in range(3):
        Image.new("RGB", (40, 40), (120, 60 + 40 * number, 160)).save(tmp_path / f"{number}.png")
    words = (*tiny, "--data", str(tmp_path), "--at-ssim", "0.9")
    ended = cli(*words, "--select", "contrast", "--select", "gaussian_noise", "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    report = read_report(tmp_path / "audit" / "report.json")
    assert "contrast" not in {probe.name for probe in report.battery}
    assert "gaussian_noise" in {probe.name for probe in report.battery}
    (note,) = (note for note in report.data.notes if note.startswith("left out"))
    assert note == "left out, for no strength within their limits has that SSIM: contrast"
    with pytest.raises(ProbeError, match=r"takes the pictures to a mean SSIM of 0\.9"):
        semaudit.scan(
            MODEL,
            pictures(3, SIZE, seed=1, low=0.5, high=0.5),
            select=["contrast"],
            at_ssim=0.9,
            input_size=SIZE,
            **ON_CPU,
        )


def test_what_means_nothing_here_is_left_out_too() -> None:
    size = (1, 16, 16)
    audit = semaudit.scan(
        Linear(size, 4, seed=1),
        pictures(4, size, seed=2, low=0.1, high=0.9),
        select=["brightness", "hue", "pixel_shift"],
        at_ssim=0.9,
        input_size=size,
        **ON_CPU,
    )
    assert [probe.name for probe in audit.report.battery] == ["identity", "brightness"]
    notes = " ".join(audit.report.data.notes)
    assert "hue" in notes
    assert "pixel_shift" in notes


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 5)])
def test_tiny_pictures(size: tuple[int, int, int]) -> None:
    audit = semaudit.scan(
        Linear(size, 4, seed=1),
        pictures(4, size, seed=2, low=0.1, high=0.9),
        select=["brightness", "gaussian_noise"],
        at_ssim=0.9,
        input_size=size,
        **ON_CPU,
    )
    assert len(audit.report.battery) >= 2


@pytest.mark.parametrize("level", ["0", "1", "1.5", "-0.5", "nan", "much"])
def test_what_is_no_level_is_refused(level: str, cli: Run, tiny: tuple[str, ...]) -> None:
    ended = cli(*tiny, f"--at-ssim={level}")
    assert (ended.code, ended.stdout) == (2, "")
    assert "at-ssim" in ended.stderr


def test_a_limit_on_the_only_rung(cli: Run, tiny: tuple[str, ...]) -> None:
    ended = cli(*tiny, "--at-ssim", "0.9", "--fail-on", "shift[brightness@1]<=0.9999")
    assert ended.code == 0
    assert "PASS" in ended.stdout
    ended = cli(*tiny, "--at-ssim", "0.9", "--fail-on", "shift[brightness@2]<=0.9999")
    assert (ended.code, ended.stdout) == (2, "")
    assert "brightness" in ended.stderr


def test_pictures_that_cannot_be_read(cli: Run, tiny: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"no picture")
    ended = cli(*tiny, "--data", str(data), "--at-ssim", "0.9", "--trust-inputs")
    assert (ended.code, ended.stdout) == (3, "")
    assert f"none of the pictures can be read: {data / 'a.png'}" in ended.stderr


def test_two_sayings_on_one_strength_are_refused(
    cli: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "select: [noise]\nladders:\n  gaussian_noise: [0.02, 0.04]\n", encoding="utf-8"
    )
    words = tuple(tiny[: tiny.index("--select")]) if "--select" in tiny else tiny
    ended = cli(*words, "--battery", "mine.yaml", "--at-ssim", "0.9")
    assert (ended.code, ended.stdout) == (2, "")
    said = " ".join(ended.stderr.split())
    assert "--at-ssim 0.9 and the key 'ladders' of mine.yaml both say" in said
    assert "gaussian_noise" in said
    # Of probes that are not chosen it says nothing that matters.
    only = ("--select", "shot_noise", "--at-ssim", "0.9")
    assert cli(*words, "--battery", "mine.yaml", *only).code == 0


def test_the_search_for_equal_visibility_is_watched() -> None:
    told: list[Progress] = []
    semaudit.scan(
        MODEL,
        pictures(3, SIZE, seed=2, low=0.1, high=0.9),
        select=["brightness", "gaussian_noise"],
        at_ssim=0.9,
        input_size=SIZE,
        watch=told.append,
        **ON_CPU,
    )
    before = [each for each in told if each.before]
    assert [(each.cells, each.total_cells) for each in before] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[: len(before)] == before
    assert told[-1].pictures == 3
