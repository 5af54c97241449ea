"""`semaudit fourier`: its options, what it prints and writes, how it ends."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import typer
from shared import ARCH, Run

from semaudit.cli import app
from semaudit.fourier.concerns import CONCERNS
from semaudit.settings import Settings

pytest.importorskip("matplotlib")

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def tiny_map(checkpoint: Path, pictures: Path) -> tuple[str, ...]:
    model = (str(checkpoint), "--arch", ARCH, "--img-size", "32")
    return ("fourier", *model, "--data", str(pictures), "--device", "cpu", "--grid", "3")


def test_it_writes_three_files_and_says_so(
    cli: Run, tiny_map: tuple[str, ...], tmp_path: Path
) -> None:
    ended = cli(*tiny_map, "--norm", "3", "-o", "map.png", "--num-samples", "4")
    assert (ended.code, ended.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "map.csv", "map.json"}
    assert "on 4 pictures under 9 waves" in ended.stdout
    for said in ("flip rate: mean", "shift: mean", "error rate of the clean", "map.json"):
        assert said in ended.stdout
    document = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert document["waves"]["norm"] == 3
    assert document["settings"]["num_samples"] == {"value": 4, "origin": "flag"}
    assert document["seconds"] > 0


def test_quiet_and_the_default_name(cli: Run, tiny_map: tuple[str, ...], tmp_path: Path) -> None:
    ended = cli(*tiny_map, "--quiet", "--ignore-labels")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "fourier.png").is_file()
    assert "true" not in (tmp_path / "fourier.csv").read_text(encoding="utf-8").lower()


def test_a_configuration_file_counts(cli: Run, tiny_map: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("num_samples: 3\nseed: 5\n")
    assert cli(*tiny_map).code == 0
    settings = json.loads((tmp_path / "fourier.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["num_samples"]["value"], settings["seed"]["value"]) == (3, 5)


def test_settings_of_a_scan_alone_are_noted(
    cli: Run, tiny_map: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "seed: 5\ntaxonomy: head\nat_ssim: 0.9\nfail_on: [flip_rate<=0]\n"
    )
    ended = cli(*tiny_map, "--config", "mine.yaml")
    assert (ended.code, ended.stderr) == (0, "")
    said = " ".join(ended.stdout.split())
    assert (
        "note: of a scan alone, without effect on a heat map: at_ssim (mine.yaml:3), taxonomy "
        "(mine.yaml:2), fail_on (mine.yaml:4)"
    ) in said
    document = json.loads((tmp_path / "fourier.json").read_text(encoding="utf-8"))
    assert any("fail_on" in note for note in document["notes"])
    assert "fail_on" not in document["settings"]
    assert document["waves"]["cycles_per_picture"] == [-16, 0, 16]


def test_it_goes_by_the_settings_that_it_has_options_for() -> None:
    own = {"config", "grid", "spacing", "norm", "out", "help"}
    options = {each.name for each in COMMANDS["fourier"].params}
    assert options - own == set(CONCERNS)


def test_the_options_of_a_scan_that_open_and_run_are_there() -> None:
    scan, fourier = ({each.name: each for each in COMMANDS[name].params} for name in
                     ("scan", "fourier"))  # fmt: skip
    shared = scan.keys() & fourier.keys()
    assert {"model", "data", "arch", "mean", "device", "seed", "config", "num_samples"} <= shared
    assert not fourier.keys() & {"fail_on", "select", "ignore", "plugin", "taxonomy", "format"}
    for name in shared - {"out", "quiet", "help"}:
        assert fourier[name].opts == scan[name].opts
        assert fourier[name].help == scan[name].help
    assert fourier.keys() <= Settings.model_fields.keys() | {
        *("config", "grid", "spacing", "norm", "help")
    }


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--grid", "4"), "--grid 4 is wrong"),
        (("--norm", "-1"), "--norm -1 is wrong"),
        (("--grid", "63"), "use --grid 33 at most"),
        (("-o", "map.txt"), "name a picture"),
        (("-o", "no/map.png"), "there is no folder"),
        (("--mean", "x"), "--mean: "),
    ],
)
def test_mistakes(
    more: tuple[str, ...], message: str, cli: Run, tiny_map: tuple[str, ...], tmp_path: Path
) -> None:
    ended = cli(*tiny_map, *more)
    assert ended.code == 2
    assert message in ended.stderr
    assert not list(tmp_path.iterdir())


def test_no_model_and_no_pictures(cli: Run, checkpoint: Path) -> None:
    ended = cli("fourier", "--data", "x")
    assert (ended.code, "which model?" in ended.stderr) == (2, True)
    ended = cli("fourier", str(checkpoint), "--arch", ARCH, "--img-size", "32", "--data", "nope")
    assert (ended.code, "nope" in ended.stderr) == (3, True)


def test_matplotlib_is_asked_for_before_the_work(
    cli: Run, tiny_map: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else whole(name)
    )
    ended = cli(*tiny_map, "--data", "nope")
    assert (ended.code, "semaudit[plots]" in ended.stderr) == (2, True)
