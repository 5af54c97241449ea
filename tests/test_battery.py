"""Batteries by file: strict, with the line of each mistake, and on record."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from shared import Run

from semaudit.applicability import applicable
from semaudit.battery import open_battery
from semaudit.errors import ProbeError
from semaudit.probes import load_probes, select_battery

MINE = """\
select: [quick, hue]
ignore: [occlusion]
ladders:
  hue: [0.01, 0.02]
probes:
  strong_light:
    family: lamps
    claim: A lamp does not change what the picture shows.
    perturbation: brightness
    ladder: [0.2, 0.4]                       # fraction of full scale
    tags: [night]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write(tmp_path, MINE)


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def names(*arguments: object) -> list[str]:
    return [probe.name for probe in open_battery(*arguments).probes]  # type: ignore[arg-type]


def test_without_a_file_it_is_the_standard_battery() -> None:
    chosen = open_battery()
    assert chosen.probes == select_battery(load_probes(), ["standard"])
    assert (chosen.file, chosen.text, chosen.sha256) == (None, None, None)
    assert names(None, ["hue"], ["identity"]) == ["hue"]


def test_a_file_chooses(mine: Path) -> None:
    chosen = open_battery(mine)
    probes = {probe.name: probe for probe in chosen.probes}
    quick = {p.name: p for p in select_battery(load_probes(), ["quick"], ["occlusion"])}
    assert probes.keys() == {*quick, "hue", "strong_light"}
    assert all(probes[name] == probe for name, probe in quick.items())
    assert probes["hue"].ladder == (0.01, 0.02)
    own = probes["strong_light"]
    assert (own.family, own.perturbation, own.ladder) == ("lamps", "brightness", (0.2, 0.4))
    assert own.claim == "A lamp does not change what the picture shows."
    assert (own.unit, own.place) == ("fraction of full scale", f"{mine}:6")
    assert own.tags == {"night", "full"}
    assert (own.source_text, own.sha256) == (MINE, hashlib.sha256(MINE.encode()).hexdigest())
    assert (chosen.file, chosen.text, chosen.sha256) == (mine, MINE, own.sha256)


def test_select_picks_within_it(mine: Path) -> None:
    assert names(mine, ["strong_light", "hue"]) == ["identity", "hue", "strong_light"]
    assert names(mine, ["lamps"], ["identity"]) == ["strong_light"]
    assert "strong_light" not in names(mine, None, ["lamps"])
    with pytest.raises(ProbeError, match="matches 'haze'"):
        names(mine, ["haze"])


def test_the_pace_of_the_file_stays(mine: Path) -> None:
    (_, noise) = open_battery(mine, ["gaussian_noise"]).probes
    assert noise.ladder == noise.quick_ladder


def test_what_is_not_given_is_standard(tmp_path: Path) -> None:
    standard = [probe.name for probe in select_battery(load_probes(), ["standard"])]
    assert names(write(tmp_path, "ignore: [geometric]")) == [
        probe.name for probe in select_battery(load_probes(), ["standard"], ["geometric"])
    ]
    own = write(tmp_path, MINE[MINE.index("probes:") :])
    assert names(own) == [*standard, "strong_light"]
    assert names(write(tmp_path, "select: []\n" + MINE[MINE.index("probes:") :])) == [
        "identity",
        "strong_light",
    ]


def test_a_ladder_of_ones_own_is_run_at_any_pace(tmp_path: Path) -> None:
    file = write(tmp_path, "select: [quick]\nladders:\n  gaussian_noise: [0.01, 0.02, 0.03]\n")
    (noise,) = [p for p in open_battery(file).probes if p.name == "gaussian_noise"]
    assert noise.ladder == (0.01, 0.02, 0.03)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("select:", "selct:", 1, r"unknown key 'selct' \(did you mean 'select'\?\)"),
        ("[quick, hue]", "[quick, huee]", 1, r"matches 'huee' \(did you mean 'hue'\?\)"),
        ("[quick, hue]", "\n  - quick\n  - huee", 3, "matches 'huee'"),
        ("[quick, hue]", "quick", 1, "valid tuple"),
        ("[occlusion]", "[oclusion]", 2, r"did you mean 'occlusion'\?"),
        ("  hue:", "  huee:", 4, r"no probe is called 'huee' \(did you mean 'hue'\?\)"),
        ("[0.01, 0.02]", "[0.02, 0.01]", 4, "hue: ladder .* must rise strictly"),
        ("[0.01, 0.02]", "[0.02, 7]", 4, "hue: ladder .* goes beyond the largest strength"),
        ("[0.01, 0.02]", "[0.01, x]", 4, "valid number, got 'x'"),
        ("    family: lamps\n", "", 6, "missing key 'family'"),
        ("family: lamps", "family: identity", 6, "the noise floor's alone"),
        ("claim:", "clam:", 8, r"unknown key 'clam' \(did you mean 'claim'\?\)"),
        ("brightness", "brihtness", 9, r"did you mean 'brightness'\?"),
        ("[0.2, 0.4]", "[0.2, 4]", 10, "largest strength"),
        ("strong_light", "hue", 6, "probe 'hue' is already given by .*photometric.yaml"),
        ("strong_light", "noise", 6, "already means the family of"),
    ],
)
def test_a_mistake_names_its_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    assert old in MINE
    file = write(tmp_path, MINE.replace(old, new, 1))
    with pytest.raises(ProbeError, match=rf"mine\.yaml:{line}: .*{message}"):
        open_battery(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"mine\.yaml: chooses nothing; give one of the keys select, ignore, ladders, probes"),
        ("select: []", r"mine\.yaml: the battery is empty"),
        ("select: [hue]\nignore: [hue]", r"mine\.yaml: the battery is empty"),
        ("[a, b]", r"mine\.yaml:1: must hold a mapping"),
    ],
)
def test_an_empty_choice_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=message):
        open_battery(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r"none\.yaml: cannot be read"):
        open_battery(tmp_path / "none.yaml")


def test_a_scan_records_it(cli: Run, tiny: tuple[str, ...], mine: Path, tmp_path: Path) -> None:
    ended = cli(*tiny[:-4], "--device", "cpu", "--battery", "mine.yaml", "--out", "all")
    assert (ended.code, ended.stderr) == (0, "")
    written = json.loads((tmp_path / "all" / "manifest.json").read_text(encoding="utf-8"))
    kept, _ = applicable(open_battery(mine).probes, 3, side=32)
    assert [probe["name"] for probe in written["battery"]] == [probe.name for probe in kept]
    assert written["battery_file"] == {
        "path": "mine.yaml",
        "sha256": hashlib.sha256(MINE.encode()).hexdigest(),
        "text": MINE,
    }
    assert written["settings"]["battery"] == {"value": "mine.yaml", "origin": "flag"}
    assert "strong_light" in ended.stdout

    ended = cli(*tiny, "--battery", "mine.yaml", "--select", "lamps", "--out", "some")
    assert ended.code == 0
    written = json.loads((tmp_path / "some" / "manifest.json").read_text(encoding="utf-8"))
    chosen = ["identity", "brightness", "strong_light"]
    assert [probe["name"] for probe in written["battery"]] == chosen


def test_a_scan_without_one_says_so(audited: Path) -> None:
    written = json.loads((audited / "manifest.json").read_text(encoding="utf-8"))
    assert written["battery_file"] is None


def test_a_mistake_ends_a_scan_before_the_model_is_opened(cli: Run, tmp_path: Path) -> None:
    write(tmp_path, "selct: [quick]")
    ended = cli("scan", "no_such_model", "--battery", "mine.yaml")
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == (
        "semaudit: error: mine.yaml:1: unknown key 'selct' (did you mean 'select'?)\n"
    )
