"""`semaudit scan`: what it takes, what it prints, what it writes and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import timm
import torch
from shared import ARCH, Run

from semaudit.cli import scan as command
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.settings import Settings

Tiny = tuple[str, ...]
FILES = {
    *("report.json", "report.md", "metrics.json", "manifest.json"),
    *("samples.parquet", "paths.parquet", "images.parquet"),
}
PASS, FAIL, MAYBE = "score>=20", "logit_distance.p95<=1e-9", "flip_rate<=0.09"


def manifest(out: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return loaded


# Pictures.


def test_class_folders(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    ended = cli(*tiny, "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "audit").iterdir()} == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"audit"}
    report = read_report(tmp_path / "audit" / "report.json")
    assert (report.data.pictures, report.data.labelled) == (12, True)
    assert report.clean.accuracy is not None
    assert "clean accuracy" in ended.stdout
    assert "Audit written to audit" in ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name of a folder is text")
def test_a_folder_whose_name_is_no_text(
    cli: Run, tiny: Tiny, pictures: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(pictures, tmp_path / os.fsdecode(b"p\xff"))
    ended = cli(*tiny, "--data", str(data), "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    audit = tmp_path / "audit"
    assert read_report(audit / "report.json").data.source.endswith("p\\udcff")
    assert manifest(audit)["settings"]["data"]["value"] == str(data)  # which opens it again
    for ending in ("md", "html", "xml", "sarif", "csv"):
        assert cli("report", "audit", "-o", f"report.{ending}").code == 0
    assert "p\\udcff" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name of a folder is text")
def test_no_audit_goes_where_tables_cannot(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"p\xff")
    place.mkdir()
    ended = cli(*tiny, "--out", str(place / "a"))
    assert ended.code == 2
    assert "is no UTF-8, as tables need; name another place" in " ".join(ended.stderr.split())
    assert not list(place.iterdir())


def test_a_flat_folder_has_no_labels(cli: Run, tiny: Tiny, pictures: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for picture in pictures.rglob("*.png"):
        shutil.copy(picture, flat / f"{picture.parent.name}_{picture.name}")
    ended = cli(*tiny, "--data", str(flat), "--out", "audit")
    assert ended.code == 0
    report = read_report(tmp_path / "audit" / "report.json")
    assert (report.data.pictures, report.data.labelled) == (12, False)
    assert report.clean.accuracy is None
    assert "clean accuracy" not in ended.stdout
    images = pd.read_parquet(tmp_path / "audit" / "images.parquet")
    assert images["label"].isna().all()
    assert images["correct"].isna().all()

    named = cli(*tiny, "--data", str(flat), "--label-pattern", "([abc])_[01]", "--out", "named")
    assert named.code == 3  # 3 labels for 4 classes without names
    assert "3 of 3 labels match none of the model's 4 classes" in named.stderr
    named = cli(*tiny, "--data", str(flat), "--label-pattern", "(.)_[01]", "--out", "named")
    assert named.code == 0
    report = read_report(tmp_path / "named" / "report.json")
    assert (report.data.pictures, report.data.labelled) == (8, True)
    assert "4 of 12 pictures do not match --label-pattern" in named.stdout


def test_a_sample_is_balanced_and_depends_on_the_seed(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    taken = {}
    for seed in ("0", "1", "2"):
        assert cli(*tiny, "--num-samples", "4", "--seed", seed, "--out", "audit").code == 0
        images = pd.read_parquet(tmp_path / "audit" / "images.parquet")["image"]
        assert [name[0] for name in images] == ["a", "b", "c", "d"]
        taken[seed] = tuple(images)
    assert len(set(taken.values())) > 1


# Printing.


def test_json_is_all_that_is_printed(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    ended = cli(*tiny, "--format", "json", "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == json.loads((tmp_path / "audit" / "report.json").read_text())
    assert ended.stdout.isascii()


def test_markdown(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    ended = cli(*tiny, "--format", "markdown", "--out", "audit", "--fail-on", PASS)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (tmp_path / "audit" / "report.md").read_text(encoding="utf-8")
    assert ended.stdout.startswith("# semaudit: ")
    assert "| pass | score\\>=20 |" in ended.stdout


def test_quiet_prints_verdicts_only(cli: Run, tiny: Tiny) -> None:
    assert cli(*tiny, "--quiet").stdout == ""
    ended = cli(*tiny, "-q", "--fail-on", PASS)
    assert "PASS" in ended.stdout
    assert "Probes, worst first" not in ended.stdout
    found = json.loads(cli(*tiny, "-q", "--fail-on", PASS, "--format", "json").stdout)
    (verdict,) = found["verdicts"]
    assert verdict["outcome"] == "pass"
    assert "| pass |" in cli(*tiny, "-q", "--fail-on", PASS, "--format", "markdown").stdout


def test_hostile_names_stay_text(cli: Run, tiny: Tiny, pictures: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, folder in enumerate(sorted(pictures.iterdir())):
        shutil.copytree(folder, data / f"[red]{number}|<script>`\x1b[31m\n")
    (next(data.iterdir()) / "0.png").rename(next(data.iterdir()) / "|<img>\n`[bold]\x1b[1m.png")
    ended = cli(*tiny, "--data", str(data), "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    assert "[red]0|<script>` [31m" in ended.stdout
    written = (tmp_path / "audit" / "report.md").read_text(encoding="utf-8")
    assert "\\[red\\]0\\|\\<script\\>\\` \\[31m" in written
    assert "<script>" not in written
    # In the data they are what they are.
    assert any("\n" in row.image for row in read_report(tmp_path / "audit" / "report.json").worst)


def test_without_out_nothing_is_left(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    assert cli(*tiny).code == 0
    assert list(tmp_path.iterdir()) == []


# Tables.


def test_the_tables_have_a_row_a_cell_picture_by_picture(audited: Path) -> None:
    report = read_report(audited / "report.json")
    frame = pd.read_parquet(audited / "samples.parquet")
    cells = [
        (probe.name, probe.family, rung + 1, strength)
        for probe in report.battery
        for rung, strength in enumerate(probe.ladder)
    ]
    assert len(frame) == 12 * len(cells)
    images = pd.read_parquet(audited / "images.parquet")["image"]
    expected = [(image, *cell) for image in images for cell in cells]
    keys = frame[["image", "probe", "family", "rung", "strength"]]
    assert list(keys.itertuples(index=False, name=None)) == expected
    paths = pd.read_parquet(audited / "paths.parquet")
    assert len(paths) == 12 * len(report.battery)
    changed = frame["class"] != frame["clean_class"]
    assert (frame["flip"].astype(bool) == changed).all()
    # What is reported is the mean of what is in the table.
    whole = frame[frame["probe"] == "brightness"].groupby("image", observed=True)["shift"].mean()
    estimate = report.estimate("shift", "probe", "brightness")
    assert estimate is not None
    assert estimate.value == pytest.approx(whole.mean(), rel=1e-6)
    flipped = frame[changed & (frame["family"] != "identity")]
    found = paths.dropna(subset="onset")[["image", "probe"]]
    assert set(found.itertuples(index=False, name=None)) == set(
        flipped[["image", "probe"]].itertuples(index=False, name=None)
    )


# Exit codes.


@pytest.mark.parametrize(
    ("gates", "flags", "code"),
    [
        ([PASS], [], 0),
        ([FAIL], [], 1),
        ([PASS, FAIL, MAYBE], [], 1),
        ([PASS, MAYBE], [], 4),
        ([PASS, MAYBE], ["--accept-inconclusive"], 0),
        ([FAIL, MAYBE], ["--accept-inconclusive"], 1),
        ([FAIL, MAYBE], ["--exit-zero"], 0),
    ],
)
def test_the_verdicts_make_the_exit_code(
    gates: list[str], flags: list[str], code: int, cli: Run, tiny: Tiny, tmp_path: Path
) -> None:
    limits = [word for gate in gates for word in ("--fail-on", gate)]
    ended = cli(*tiny, "--select", "quick", *limits, *flags, "--out", "audit")
    assert (ended.code, ended.stderr) == (code, "")
    verdicts = read_report(tmp_path / "audit" / "report.json").verdicts
    assert [verdict.gate for verdict in verdicts] == gates
    assert ended.stdout.splitlines()[-1].startswith("Continuity score ")


@pytest.mark.parametrize("flag", ["--exit-zero", "--accept-inconclusive"])
def test_a_degenerate_model_does_not_pass_its_gates(
    flag: str, cli: Run, dull_checkpoint: Path, pictures: Path
) -> None:
    arguments = ("--arch", "test_resnet", "--img-size", "32", "--data", str(pictures))
    scan = ("scan", str(dull_checkpoint), *arguments, "--select", "brightness")
    assert cli(*scan).code == 0
    ended = cli(*scan, "--fail-on", PASS, flag)
    assert ended.code == 3
    assert "degenerate model" in ended.stdout
    assert "cannot be judged" in ended.stdout
    assert "INCONCLUSIVE" in ended.stdout


def test_exit_zero_does_not_hide_what_went_wrong(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    assert cli(*tiny, "--exit-zero", "--fail-on", "nonsense").code == 2
    assert cli(*tiny, "--exit-zero", "--data", str(tmp_path / "nowhere")).code == 3


def test_a_mistake_of_ours_does_not_look_like_a_verdict(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from semaudit.cli import main

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("semaudit.audit.run", broken)
    monkeypatch.setattr(sys, "argv", ["semaudit", *tiny])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "ZeroDivisionError: oops" in said
    assert said.rstrip().endswith("a mistake in semaudit; please report it with the lines above")


# Settings.

EVERY_FLAG = {
    "label_pattern": ("--label-pattern", r"^([a-d])/", r"^([a-d])/"),
    "ignore_labels": ("--ignore-labels", None, True),
    "num_samples": ("--num-samples", "9", 9),
    "max_unreadable": ("--max-unreadable", "0.2", 0.2),
    "trust_inputs": ("--trust-inputs", None, True),
    "compare_preprocessing": ("--compare-preprocessing", None, True),
    "background": ("--background", "#808080", [128, 128, 128]),
    "arch": ("--arch", ARCH, ARCH),
    "pretrained": ("--pretrained", None, True),
    "model_kwargs": ("--model-kwargs", "drop_rate=0.1", {"drop_rate": 0.1}),
    "unsafe_load": ("--unsafe-load", None, True),
    "activation": ("--activation", "softmax", "softmax"),
    "outputs": ("--outputs", "logits", "logits"),
    "num_classes": ("--num-classes", "4", 4),
    "in_chans": ("--in-chans", "3", 3),
    "img_size": ("--img-size", "32", 32),
    "crop_pct": ("--crop-pct", "0.9", 0.9),
    "crop_mode": ("--crop-mode", "center", "center"),
    "interpolation": ("--interpolation", "bilinear", "bilinear"),
    "mean": ("--mean", "0.5,0.5,0.5", [0.5, 0.5, 0.5]),
    "std": ("--std", "0.25,0.25,0.25", [0.25, 0.25, 0.25]),
    "batch_size": ("-b", "5", 5),
    "device": ("--device", "cpu", "cpu"),
    "amp_dtype": ("--amp-dtype", "bfloat16", "bfloat16"),
    "channels_last": ("--no-channels-last", None, False),
    "torchcompile": ("--torchcompile", None, True),
    "workers": ("-j", "0", 0),
    "seed": ("--seed", "7", 7),
    "select": ("--select", "noise", ["noise"]),
    "ignore": ("--ignore", "speckle_noise", ["speckle_noise"]),
    "at_ssim": ("--at-ssim", "0.9", 0.9),
    "taxonomy": ("--taxonomy", "head", "head"),
    "gradients": ("--gradients", None, True),
    "gradient_samples": ("--gradient-samples", "3", 3),
    "worst_case": ("--worst-case", None, True),
    "worst_objective": ("--worst-objective", "margin", "margin"),
    "fail_on": ("--fail-on", MAYBE, [MAYBE]),
    "accept_inconclusive": ("--accept-inconclusive", None, True),
    "exit_zero": ("--exit-zero", None, True),
    "out": ("--out", "audit", "audit"),
    "keep_pictures": ("--keep-pictures", "2", 2),
    "format": ("--format", "json", "json"),
    "quiet": ("--quiet", None, True),
}


def test_every_flag_lands_in_the_manifest(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    words = [w for flag, value, _ in EVERY_FLAG.values() for w in (flag, value) if w is not None]
    ended = cli("scan", str(checkpoint), "--data", str(pictures), *words)
    assert (ended.code, ended.stderr) == (0, "")
    assert compiled
    expected = {name: value for name, (_, _, value) in EVERY_FLAG.items()}
    expected |= {"model": str(checkpoint), "data": str(pictures)}
    # --input-size and --img-size say the same; the others do not go with these pictures.
    elsewhere = {"input_size", "battery", "plugin", "use_ema", "class_map"}
    elsewhere |= {"dataset", "split", "path_column", "label_column", "baseline"}
    assert expected.keys() | elsewhere == Settings.model_fields.keys()
    settings = manifest(tmp_path / "audit")["settings"]
    assert {name: settings[name]["value"] for name in expected} == expected
    assert {name: settings[name]["origin"] for name in expected} == dict.fromkeys(expected, "flag")
    model = manifest(tmp_path / "audit")["model"]["preprocessing"]
    assert (model["crop_pct"], model["mean"], model["std"]) == (0.9, [0.5] * 3, [0.25] * 3)
    runtime = manifest(tmp_path / "audit")["runtime"]
    assert (runtime["amp_dtype"], runtime["channels_last"], runtime["batch_size"]) == (
        *("bfloat16", False),
        5,
    )


def test_input_size_is_accepted(cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    words = ("--arch", ARCH, "--input-size", "3,32,32", "--select", "identity", "--out", "audit")
    ended = cli("scan", str(checkpoint), "--data", str(pictures), *words)
    assert (ended.code, ended.stderr) == (0, "")
    found = manifest(tmp_path / "audit")["settings"]["input_size"]
    assert found == {"value": [3, 32, 32], "origin": "flag"}


def test_every_setting_has_a_flag_and_every_flag_a_setting() -> None:
    flags = set(command.scan.__annotations__) - {"ctx", "return", "config", "write"}
    assert flags == set(Settings.model_fields)


def test_flag_over_environment_over_file(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "semaudit.yaml").write_text(
        f"model: {checkpoint}\ndata: {pictures}\narch: {ARCH}\nimg_size: 32\n"
        "select: brightness\nseed: 1\nout: from_file\nfail_on: [score>=20]\nworkers: 0\n"
    )
    monkeypatch.setenv("SEMAUDIT_SEED", "2")
    monkeypatch.setenv("SEMAUDIT_OUT", "from_environment")
    ended = cli("scan", "--seed", "3")
    assert (ended.code, ended.stderr) == (0, "")
    settings = manifest(tmp_path / "from_environment")["settings"]
    assert settings["seed"] == {"value": 3, "origin": "flag"}
    assert settings["out"] == {
        "value": "from_environment",
        "origin": "environment SEMAUDIT_OUT",
    }
    assert settings["fail_on"] == {"value": ["score>=20"], "origin": "semaudit.yaml:8"}
    assert settings["quiet"] == {"value": False, "origin": "default"}
    assert manifest(tmp_path / "from_environment")["settings"]["model"]["origin"] == (
        "semaudit.yaml:1"
    )


def test_a_named_configuration(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "ci.toml").write_text('[tool.semaudit]\nseed = 5\nout = "audit"\n')
    ended = cli(*tiny, "--config", "ci.toml")
    assert (ended.code, ended.stderr) == (0, "")
    assert manifest(tmp_path / "audit")["settings"]["seed"] == {
        "value": 5,
        "origin": "ci.toml:2",
    }


# Folders.


def test_an_earlier_audit_is_replaced_whole(cli: Run, tiny: Tiny, tmp_path: Path) -> None:
    assert cli(*tiny, "--out", "audit").code == 0
    assert cli(*tiny, "--out", "audit", "--seed", "1").code == 0
    assert {path.name for path in (tmp_path / "audit").iterdir()} == FILES
    assert read_report(tmp_path / "audit" / "report.json").seed == 1
    assert {path.name for path in tmp_path.iterdir()} == {"audit"}


def test_a_failing_scan_leaves_the_earlier_audit(
    cli: Run, tiny: Tiny, pictures: Path, tmp_path: Path
) -> None:
    assert cli(*tiny, "--out", "audit").code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()}
    # The last picture is damaged: the scan fails when all others are measured.
    data = shutil.copytree(pictures, tmp_path / "data")
    (data / "d" / "2.png").write_bytes(b"no picture")
    ended = cli(*tiny, "--data", str(data), "--out", "audit", "-b", "4")
    assert ended.code == 3
    assert str(data / "d" / "2.png") in ended.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "audit").iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"audit", "data"}


def test_the_report_is_a_document(audited: Path) -> None:
    report = read_report(audited / "report.json")
    assert isinstance(report, Report)
    rows = 12 * sum(len(probe.ladder) for probe in report.battery)
    assert pq.ParquetFile(audited / "samples.parquet").metadata.num_rows == rows


def test_what_weights_do_not_tell_is_guessed_but_never_under_a_limit(
    cli: Run, pictures: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    state = timm.create_model("resnet18", num_classes=4).state_dict()
    torch.save(state, tmp_path / "r.pt")
    words = ("scan", str(tmp_path / "r.pt"), "--data", str(pictures), "--select", "identity")
    guess = "note: architecture resnet18 is a guess: the tensors fit resnetblur18 too"
    for more in ((), ("--ignore-labels",)):  # random weights fit no labels
        ended = cli(*words, "--img-size", "32", *more)
        assert guess in " ".join(ended.stdout.split())
    ended = cli(*words, "--img-size", "32", "--fail-on", "accuracy>=0.1")
    assert (ended.code, "fits 2 architectures" in ended.stderr) == (2, True)
    assert "labelled pictures do not tell the architectures apart" in ended.stderr
    out = tmp_path / "audit"
    assert cli(*words, "--img-size", "32", "--ignore-labels", "--out", str(out)).code == 0
    # Nor afterwards.
    ended = cli("gate", str(out), "--fail-on", "flip_rate<=0.99")
    assert (ended.code, "was guessed" in ended.stderr) == (2, True)
