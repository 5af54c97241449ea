"""`semaudit probes calibrate`: the table, the file, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from shared import Run

from semaudit.calibration.record import read

FEW = ("probes", "calibrate", "--size", "32", "--num-samples", "4")
"""As small as can be: every strength that is tried changes every picture."""

BROKEN = '''\
from semaudit import perturbation


@perturbation(family="mine", ladder=(0.1, 0.2))
def broken(images, strength, draw):
    """Fails."""
    raise KeyError("nothing here")
'''


def document(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def test_the_file_and_the_table(cli: Run, pictures: Path, tmp_path: Path) -> None:
    words = (*FEW, "--data", str(pictures), "--seed", "3", "-o", "c.json")
    ended = cli(*words, "--select", "gaussian_noise,rotation", "--select", "brightness")
    assert (ended.code, ended.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"c.json"}
    found = document(tmp_path / "c.json")
    about = {key: found[key] for key in ("data", "pictures", "size", "seed")}
    assert about == {"data": pictures.name, "pictures": 4, "size": [32, 32], "seed": 3}
    assert set(found["probes"]) == {"brightness", "gaussian_noise", "rotation"}
    noise, rotation = found["probes"]["gaussian_noise"], found["probes"]["rotation"]
    assert (noise["by"], rotation["by"]) == ("ssim", "displacement")
    assert list(noise["reached"]) == ["0.98", "0.95", "0.9", "0.8"]
    alike = [at["ssim"] for at in noise["ladder"]]
    assert alike == sorted(alike, reverse=True)
    assert noise["milliseconds"] > 0
    # What is written is read back the same.
    read_back = read(tmp_path / "c.json").probes["gaussian_noise"]
    assert [at.ssim for at in read_back.ladder] == alike
    table = ended.stdout
    for probe in found["probes"].values():
        assert ", ".join(f"{each:g}" for each in probe["proposed"]) in table
    assert f"{rotation['ladder'][0]['displacement']:.4f}" in table
    assert "4 pictures of 32 x 32, seed 3" in table


def test_the_same_pictures_give_the_same_figures(cli: Run, pictures: Path, tmp_path: Path) -> None:
    def figures(data: Path, *more: str) -> dict[str, Any]:
        words = ("--data", str(data), "--select", "speckle_noise", "-o", "c.json", "-q", *more)
        assert cli(*FEW, *words).code == 0
        found = document(tmp_path / "c.json")
        del found["probes"]["speckle_noise"]["milliseconds"]
        return found

    first = figures(pictures)
    assert figures(pictures) == first
    assert figures(shutil.copytree(pictures, tmp_path / "copy"), "--name", pictures.name) == first
    assert figures(pictures, "--seed", "1") != first


def test_a_name_and_the_present_folder(
    cli: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*FEW, "--select", "contrast", "-q", "-o", str(tmp_path / "c.json"))
    monkeypatch.chdir(pictures)
    assert cli(*words, "--data", ".").code == 0
    assert document(tmp_path / "c.json")["data"] == pictures.name
    assert cli(*words, "--data", ".", "--name", "four colours").code == 0
    assert document(tmp_path / "c.json")["data"] == "four colours"


def test_without_data_a_few_photographs(cli: Run) -> None:
    ended = cli(*FEW, "--select", "contrast")
    assert (ended.code, ended.stderr) == (0, "")
    assert "4 pictures of 32 x 32" in ended.stdout


def test_quiet_prints_nothing(cli: Run, pictures: Path, tmp_path: Path) -> None:
    ended = cli(*FEW, "--data", str(pictures), "--select", "contrast", "-q", "-o", "c.json")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "c.json").is_file()


def test_a_film_is_measured_where_it_is_chosen(cli: Run, pictures: Path) -> None:
    ended = cli(*FEW, "--data", str(pictures), "--num-samples", "1", "--select", "turn")
    assert ended.code == 0
    assert "1 picture of 32 x 32" in ended.stdout


def test_what_means_nothing_for_the_pictures_is_left_out(cli: Run, tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "grey.png")
    words = ("--data", str(tmp_path / "grey.png"), "-o", "c.json")
    ended = cli(*FEW, *words, "--select", "hue,contrast,pixel_shift")
    assert (ended.code, ended.stderr) == (0, "")
    assert set(document(tmp_path / "c.json")["probes"]) == {"contrast"}
    said = " ".join(ended.stdout.split())
    assert "note: left out, for they mean nothing without colour" in said
    assert "note: left out, for they mean nothing below 64 pixels a side (32 here)" in said
    ended = cli(*FEW, *words, "--select", "hue")
    assert (ended.code, ended.stdout) == (2, "")
    assert "the battery is empty" in ended.stderr


def test_a_probe_of_a_plugin_that_fails_is_named(cli: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    words = ("--data", str(pictures), "--plugin", "mine.py", "--select", "broken", "-o", "c.json")
    ended = cli(*FEW, *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert "'broken'" in ended.stderr
    assert "KeyError: 'nothing here'" in ended.stderr
    assert not (tmp_path / "c.json").exists()


def test_pictures_that_are_not_there(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for data, said in (("nowhere", "nowhere"), ("empty", "no pictures in empty")):
        ended = cli(*FEW, "--data", data, "-o", "c.json")
        assert (ended.code, ended.stdout) == (3, "")
        assert said in ended.stderr
    assert not (tmp_path / "c.json").exists()


def test_pictures_that_cannot_be_read(cli: Run, pictures: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"no picture")
    ended = cli(*FEW, "--data", "data", "--select", "contrast")
    assert (ended.code, ended.stdout) == (3, "")
    assert "none of the pictures can be read: data/a.png: not a picture" in ended.stderr
    shutil.copy(pictures / "a" / "0.png", data / "b.png")
    ended = cli(*FEW, "--data", "data", "--select", "contrast")
    assert ended.code == 0
    assert "1 picture of" in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o no/c.json", "-o no/c.json: there is no folder no"),
        ("-o .", "is a folder; name a file"),
        ("--select contrst", "(did you mean 'contrast'?)"),
        ("--select identity", "nothing is chosen but the noise floor"),
        ("--num-samples 0", "--num-samples"),
        ("--size 0", "--size"),
        ("--size 4", "--size"),
        ("--size 100000", "--size"),
        ("--plugin no.py", "no.py"),
        ("--label-pattern ( --data .", "is not a regular expression"),
        ("--label-pattern (x)", "need --data"),
    ],
)
def test_a_wrong_word_is_2(words: str, said: str, cli: Run, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    ended = cli(*FEW, *words.split())
    assert (ended.code, ended.stdout) == (2, "")
    assert said in " ".join(ended.stderr.split())
