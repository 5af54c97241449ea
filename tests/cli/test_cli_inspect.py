"""`semaudit inspect`: what it opens again, prints and writes, what it refuses, how it ends."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shared import ARCH, Ended, Run

import semaudit
from semaudit import models
from semaudit.images import open_folder

pytest.importorskip("matplotlib")

FACTORY = "import pathlib\npathlib.Path('ran').touch()\ndef make():\n    raise SystemExit\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, pictures: Path) -> Path:
    """An audit that the command line made; not to be changed."""
    from semaudit.audit import run
    from semaudit.settings import resolve

    out = tmp_path_factory.mktemp("made") / "audit"
    flags = {"model": str(checkpoint), "data": pictures, "arch": ARCH, "img_size": 32}
    flags |= {
        "select": ("brightness", "gaussian_noise", "worst_linf"),
        "device": "cpu",
        "gradients": False,
    }
    resolved = resolve({**flags, "out": out}, environment={}, folder=out.parent)
    run(flags["model"], flags["data"], resolved, lambda _: None)
    return out


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def change(audit: Path, file: str, edit: Any) -> None:
    """Edit a JSON file of an audit in place."""
    document = json.loads((audit / file).read_text(encoding="utf-8"))
    edit(document)
    (audit / file).write_text(json.dumps(document), encoding="utf-8")


def setting(name: str, value: object) -> Any:
    def edit(document: dict[str, Any]) -> None:
        document["settings"][name]["value"] = value

    return edit


def refused(ended: Ended, code: int, *said: str) -> None:
    assert (ended.code, ended.stdout) == (code, "")
    for words in said:
        assert words in ended.stderr


def test_the_worst_three(cli: Run, copy: Path) -> None:
    ended = cli("inspect", str(copy))
    assert (ended.code, ended.stderr) == (0, "")
    report = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    worst = [each["image"] for each in report["worst"][:3]]
    document = json.loads((copy / "cases" / "cases.json").read_text(encoding="utf-8"))
    assert [case["image"] for case in document["cases"]] == worst
    assert document["warnings"] == []
    files = {case["file"] for case in document["cases"]}
    assert {path.name for path in (copy / "cases").iterdir()} == {*files, "cases.json"}
    for case in document["cases"]:
        with Image.open(copy / "cases" / case["file"]) as picture:
            assert picture.format == "PNG"
            assert np.asarray(picture).std() > 10
        if case["flips"]:
            low, high = case["before"]["strength"], case["after"]["strength"]
            assert high - low <= 1e-3 * high
            assert case["before"]["decided"] != case["after"]["decided"]
        assert 2 <= len(case["sweep"]["classes"]) <= 4
    for said in (*worst, "clean answer", "just before", "gradient turn", "RMS", "cases.json"):
        assert said in ended.stdout


def test_the_onsets_are_the_audit_s(cli: Run, made: Path, tmp_path: Path) -> None:
    import pandas as pd

    ended = cli("inspect", str(made), "--worst", "5", "--probe", "brightness", "--out", "x", "-q")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    document = json.loads((tmp_path / "x" / "cases.json").read_text(encoding="utf-8"))
    paths = pd.read_parquet(made / "paths.parquet").astype({"probe": str, "image": str})
    onsets = paths[paths["probe"] == "brightness"].set_index("image")["onset"]
    assert len(document["cases"]) == 5
    assert any(case["flips"] for case in document["cases"])
    for case in document["cases"]:
        onset = onsets[case["image"]]
        if np.isnan(onset):
            assert case["onset_of_the_scan"] is None
            continue
        assert case["flips"]
        assert case["onset_of_the_scan"] == onset
        step = 1e-3 * case["probe"]["ladder"][-1]
        assert onset - step <= case["onset"] <= onset * (1 + 1e-5)


def test_one_picture_and_a_searched_probe(cli: Run, made: Path, tmp_path: Path) -> None:
    wanted = json.loads((made / "report.json").read_text(encoding="utf-8"))["worst"][1]["image"]
    ended = cli(
        "inspect", str(made), "--picture", wanted, "--probe", "worst_linf", "--out", "deep/down"
    )
    assert (ended.code, ended.stderr) == (0, "")
    assert "adversarial, looked for" in ended.stdout
    shown = " ".join(ended.stdout.split())
    assert "along the straight way to the change found at radius 0.00" in shown
    assert "radii of the search" in shown
    assert "of a ladder" not in shown
    assert "warning" not in ended.stdout
    assert "\n2. " not in ended.stdout
    document = json.loads((tmp_path / "deep/down/cases.json").read_text(encoding="utf-8"))
    (case,) = document["cases"]
    assert (case["image"], case["probe"]["searched"]) == (wanted, True)
    assert case["file"].startswith(wanted.replace("/", "_"))
    assert not (made / "cases").exists()


def test_an_unknown_picture_probe_or_number(cli: Run, made: Path) -> None:
    audit = str(made)
    refused(cli("inspect", audit, "--picture", "a/0.pn"), 2, "did you mean 'a/0.png'")
    refused(cli("inspect", audit, "--picture", "../../x"), 2, "no picture of that id")
    refused(cli("inspect", audit, "--probe", "brightnes"), 2, "did you mean 'brightness'")
    refused(cli("inspect", audit, "--probe", "identity"), 2, "ran no probe of that name")
    family = cli("inspect", audit, "--probe", "noise")
    refused(family, 2, "--probe noise: 'noise' is a family", "one of its probes: gaussian_noise")
    refused(cli("inspect", audit, "--picture", "a/0.png", "--worst", "1"), 2, "give one of them")
    assert cli("inspect", audit, "--worst", "0").code == 2
    refused(cli("inspect", audit, "--worst", "11"), 2, "a report names its 10 worst")


def test_no_such_audit(cli: Run, tmp_path: Path) -> None:
    refused(cli("inspect", "nowhere"), 3, "there is no folder nowhere: name that of an audit")
    (tmp_path / "report.json").write_text("{}")
    refused(cli("inspect", f"{tmp_path / 'report.json'}"), 3, "report.json is a file")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("report.json", b"{", "is not a semaudit report"),
        ("manifest.json", b"{", "is damaged"),
        ("manifest.json", b"\xff", "not UTF-8"),
        ("manifest.json", b"[" * 100_000, "is damaged"),
        ("manifest.json", b'{"settings": {"model": 3}, "plugins": []}', "is damaged"),
        ("manifest.json", b'{"settings": {"x": {"value": 1}}, "plugins": []}', "another semaudit"),
        ("manifest.json", None, "cannot be read"),
        ("samples.parquet", None, "is missing or damaged"),
        ("images.parquet", b"PAR1", "is missing or damaged"),
    ],
)
def test_a_damaged_audit(file: str, content: bytes | None, said: str, cli: Run, copy: Path) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    refused(cli("inspect", str(copy)), 3, said, str(copy / file))
    assert not (copy / "cases").exists()


def test_a_damaged_ladder(cli: Run, copy: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        for probe in document["battery"]:
            probe["ladder"] = [1e9 * each for each in probe["ladder"]]

    change(copy, "report.json", edit)
    refused(cli("inspect", str(copy)), 3, "is damaged: ladder")


@pytest.mark.parametrize("name", ["model", "arch"])
def test_a_factory_has_to_be_given_again(name: str, cli: Run, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(FACTORY)
    change(copy, "manifest.json", setting(name, "evil.py:make"))
    ended = cli("inspect", str(copy))
    refused(ended, 2, "which runs code", f"give it again with --{name} evil.py:make")
    assert not (tmp_path / "ran").exists()


def test_a_plugin_is_not_run_unless_given_again(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    plugin = tmp_path / "fog.py"
    plugin.write_text(
        "import pathlib\n"
        "from semaudit.perturbations import perturbation\n"
        "pathlib.Path('ran').touch()\n"
        "@perturbation(family='mist', ladder=(0.2, 0.4))\n"
        "def fog(images, strength, draw):\n"
        "    'Blend toward white.'\n"
        "    return images.lerp(images.new_ones(images.shape), strength)\n"
    )
    model = (str(checkpoint), "--arch", ARCH, "--img-size", "32", "--data", str(pictures))
    scan = ("scan", *model, "--select", "fog", "--plugin", "fog.py", "--device", "cpu", "-q")
    assert cli(*scan, "--no-gradients", "--out", "audit").code == 0
    from semaudit.perturbations import registry

    del registry._registry["fog"]
    (tmp_path / "ran").unlink()
    refused(cli("inspect", "audit"), 2, "needs the perturbation 'fog'", "--plugin fog.py")
    assert not (tmp_path / "ran").exists()
    given = cli("inspect", "audit", "--worst", "1", "--plugin", "fog.py")
    assert (given.code, given.stderr) == (0, "")
    assert "fog (mist)" in given.stdout
    registry._registry.pop("fog")
    plugin.write_text(plugin.read_text().replace("new_ones", "new_zeros"))
    changed = cli("inspect", "audit", "--worst", "1", "--plugin", "fog.py")
    assert changed.code == 0
    assert "has changed since the audit" in changed.stdout
    assert "shifts by" in changed.stdout


def test_unsafe_load_is_not_taken_from_the_manifest(cli: Run, copy: Path, tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(3072, 4)), tmp_path / "whole.pt")

    def edit(document: dict[str, Any]) -> None:
        for name, value in (("model", "whole.pt"), ("arch", None), ("unsafe_load", True)):
            document["settings"][name]["value"] = value

    change(copy, "manifest.json", edit)
    ended = cli("inspect", str(copy))
    assert ended.code in (2, 3)
    assert "has to be given again: --unsafe-load" in ended.stderr.replace("\n", " ")


def test_other_weights(cli: Run, made: Path, dull_checkpoint: Path) -> None:
    ended = cli("inspect", str(made), "--model", str(dull_checkpoint), "--arch", "test_resnet")
    refused(ended, 3)
    assert "other weights than" in ended.stderr


def test_moved_files(
    cli: Run, copy: Path, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    change(copy, "manifest.json", setting("data", "gone/pictures"))
    refused(cli("inspect", str(copy)), 3, "are not at gone/pictures", "--data")
    change(copy, "manifest.json", setting("model", "gone.pt"))
    given = ("--data", str(pictures), "--worst", "1")
    refused(cli("inspect", str(copy), *given), 3, "--model says where gone.pt is now")
    assert cli("inspect", str(copy), *given, "--model", str(checkpoint)).code == 0


def test_other_pictures(cli: Run, made: Path, pictures: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pictures, tmp_path / "other")
    for file in other.rglob("*.png"):
        Image.new("RGB", (40, 40), (10, 200, 10)).save(file)
    ended = cli("inspect", str(made), "--data", str(other), "--worst", "1", "--out", "x")
    assert ended.code == 0
    assert "warning: " in ended.stdout
    assert "in the audit: another model with the same weights, another device" in " ".join(
        ended.stdout.split()
    )
    for file in other.rglob("*.png"):
        file.rename(file.with_name(f"new{file.name}"))
    refused(cli("inspect", str(made), "--data", str(other)), 3, "is not among those")


def test_an_audit_of_what_was_in_memory_names_no_files(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    size = models.PreprocessingOverrides(img_size=32)
    model = models.load(checkpoint, arch=ARCH, overrides=size)
    source = open_folder(pictures, model.preprocessing, model.class_names, model.num_classes)
    audited = tmp_path / "audit"
    semaudit.scan(model, source, select="brightness", device="cpu", out=audited)
    refused(cli("inspect", str(audited)), 2, "Name them with --data", "inspecting.break_of")
    data = ("--data", str(pictures))
    refused(cli("inspect", str(audited), *data), 2, "Name it with --model", "break_of")
    named = ("--model", str(checkpoint), "--arch", ARCH)
    ended = cli("inspect", str(audited), *data, *named, "--worst", "1", "--out", "x")
    assert ended.code == 0, ended.stderr


def test_hostile_ids(cli: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["[red]x[link] $\\frac$", "x..-..-etc", "\u202eevil\x1b[31m", "ü" * 80]
    for k, name in enumerate(names):
        rng = np.random.default_rng(k)
        pixels = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 40)).save(folder / f"{name}.png")
    lines = [f"in/{name}.png" for name in names]
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(f'"{line}"' for line in lines) + "\n")
    model = (str(checkpoint), "--arch", ARCH, "--img-size", "32", "--data", "in")
    scan = ("scan", *model, "--select", "brightness", "--device", "cpu", "-q", "--no-gradients")
    assert cli(*scan, "--out", "audit").code == 0
    ended = cli("inspect", "audit", "--worst", "4")
    assert (ended.code, ended.stderr) == (0, "")
    assert "[red]x[link]" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert "\u202e" not in ended.stdout
    files = list((tmp_path / "audit/cases").iterdir())
    assert len(files) == 5
    assert all(file.name.isascii() and not file.name.startswith(".") for file in files)


def test_a_scan_may_replace_an_audit_with_cases(
    cli: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    scan = (*tiny, "--out", "audit", "-q", "--no-gradients")
    assert cli(*scan).code == 0
    assert cli("inspect", "audit", "--worst", "1", "-q").code == 0
    assert cli(*scan).code == 0
    assert not (tmp_path / "audit" / "cases").exists()
    (tmp_path / "audit" / "cases").mkdir()
    (tmp_path / "audit" / "cases" / "notes.txt").touch()
    refused(cli(*scan), 2, "holds 'cases'")


def test_a_folder_that_cannot_be_written(cli: Run, made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(cli("inspect", str(made), "--out", "file"), 2, "is a file; name a folder")
    refused(cli("inspect", str(made), "--out", "file/deep"), 2, "is a file; name a folder")


def test_nothing_half_written_is_left(
    cli: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from semaudit.inspecting import files

    drawn = files.draw
    done: list[Path] = []

    def full_disk(case: Any, path: Path) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(path)
        drawn(case, path)

    monkeypatch.setattr(files, "draw", full_disk)
    ended = cli("inspect", str(made), "--out", "deep/x")
    refused(ended, 3, "No space left")
    assert done
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_asked_for_before_the_work(
    cli: Run, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else whole(name)
    )
    refused(cli("inspect", str(made)), 2, "semaudit[plots]")


def test_it_repeats_why_an_audit_is_not_to_be_trusted(cli: Run, copy: Path) -> None:
    doubt = {"name": "rounding", "meaning": "a stage rounds", "evidence": "3 of 8 [pictures]"}
    change(copy, "report.json", lambda document: document["doubts"].append(doubt))
    ended = cli("inspect", str(copy), "--worst", "1")
    assert (ended.code, ended.stderr) == (0, "")
    assert "untrustworthy: rounding: a stage rounds (3 of 8 [pictures])" in ended.stdout
