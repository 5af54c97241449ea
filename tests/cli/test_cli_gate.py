"""`semaudit gate`: judges a finished audit again, without model, pictures or torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from shared import ARCH, Run, importing
from torch import nn

import semaudit
import semaudit.gradients
from semaudit.gates.shipped import SHIPPED, as_metrics
from semaudit.metrics.registry import GATEABLE, from_module
from semaudit.report.file import read_report

GATES = ["score>=20", "logit_distance.p95<=1e-9", "flip_rate[photometric@1]<=0.2", "shift.max<=0.9"]


def limits(*gates: str) -> list[str]:
    return [word for gate in gates for word in ("--fail-on", gate)]


@pytest.fixture
def copy(audited: Path, tmp_path: Path) -> Path:
    """An audit to be damaged."""
    return shutil.copytree(audited, tmp_path / "copy")


def test_the_verdicts_are_the_scan_s(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "quick", "device": "cpu"}
    audit = semaudit.scan(checkpoint, pictures, fail_on=GATES, out=out, **settings)
    assert len({verdict.outcome for verdict in audit.verdicts}) == 3
    ended = cli("gate", str(out), *limits(*GATES), "--format", "json")
    assert (ended.code, ended.stderr) == (1, "")
    expected = [v.model_dump(mode="json") for v in audit.verdicts]
    assert json.loads(ended.stdout) == {"verdicts": expected, "baseline": None}
    before = (out / "report.json").read_bytes()
    assert cli("gate", str(out), *limits("score>=20")).code == 0
    assert (out / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("gate", "flags", "code"),
    [
        ("score>=20", [], 0),
        ("logit_distance.p95<=1e-9", [], 1),
        ("logit_distance.p95<=1e-9", ["--exit-zero"], 0),
        ("flip_rate<=0.09", [], 4),
        ("flip_rate<=0.09", ["--accept-inconclusive"], 0),
        ("flip_rate<=0.09", ["--exit-zero"], 0),
    ],
)
def test_exit_codes(gate: str, flags: list[str], code: int, cli: Run, audited: Path) -> None:
    ended = cli("gate", str(audited), "--fail-on", gate, *flags)
    assert (ended.code, ended.stderr) == (code, "")


def test_the_table_and_markdown(cli: Run, audited: Path) -> None:
    assert "PASS" in cli("gate", str(audited), *limits("score>=20")).stdout
    shown = cli("gate", str(audited), *limits("score>=20"), "--format", "markdown").stdout
    assert "| pass | score\\>=20 |" in shown


def test_quiet_prints_what_does_not_pass_and_nothing_else(
    cli: Run, audited: Path, tmp_path: Path
) -> None:
    passed, failed, open_ = "score>=20", "logit_distance.p95<=1e-9", "flip_rate<=0.09"

    def quiet(*gates: str, flags: tuple[str, ...] = ()) -> tuple[int, str, str]:
        ended = cli("gate", str(audited), *limits(*gates), "-q", *flags)
        return ended.code, ended.stdout, ended.stderr

    assert quiet(passed) == (0, "", "")
    assert quiet(passed, flags=("--format", "markdown")) == (0, "", "")
    code, shown, said = quiet(passed, failed)
    assert (code, said) == (1, "")
    assert "FAIL" in shown
    assert failed in shown
    assert passed not in shown
    code, shown, _ = quiet(passed, open_)
    assert (code, open_ in shown, passed in shown) == (4, True, False)
    assert quiet(open_, flags=("--accept-inconclusive",)) == (0, "", "")
    # Exit code 0 for the asking hides no failure.
    code, shown, _ = quiet(failed, flags=("--exit-zero",))
    assert (code, "FAIL" in shown) == (0, True)
    # What a program reads is whole.
    _, shown, _ = quiet(passed, failed, flags=("--format", "json"))
    assert [each["gate"] for each in json.loads(shown)["verdicts"]] == [passed, failed]


def test_limits_come_from_the_settings_too(cli: Run, audited: Path, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("fail_on: [score>=20]\n")
    assert cli("gate", str(audited)).code == 0
    (tmp_path / "strict.yaml").write_text("fail_on: [score>=99.999]\n")
    assert cli("gate", str(audited), "--config", "strict.yaml").code == 1


def test_a_degenerate_model_cannot_be_judged(
    cli: Run, dull_checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = {"arch": "test_resnet", "img_size": 32, "select": "brightness", "device": "cpu"}
    semaudit.scan(dull_checkpoint, pictures, out=tmp_path / "audit", **settings)
    for flag in ([], ["--exit-zero"], ["--accept-inconclusive"]):
        assert cli("gate", str(tmp_path / "audit"), *limits("score>=20"), *flag).code == 3


def test_no_limit_is_a_mistake(cli: Run, audited: Path) -> None:
    ended = cli("gate", str(audited))
    assert ended.code == 2
    assert "there is no limit to judge" in ended.stderr
    assert f"{audited} was made with none: give --fail-on" in ended.stderr


def test_limits_that_are_left_out_are_named(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    """Neither a file nor a flag puts a limit out of force in silence."""
    out = tmp_path / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu"}
    semaudit.scan(checkpoint, pictures, fail_on=GATES[:2], out=out, **settings)
    (tmp_path / "semaudit.yaml").write_text("fail_on: [score>=20, score>=10]\n", encoding="utf-8")
    ended = cli("gate", str(out), "--quiet")
    assert (ended.code, ended.stdout.strip()) == (0, "")
    assert "note: judged by the limits of semaudit.yaml:1" in ended.stderr
    assert ended.stderr.endswith("not judged: logit_distance.p95<=1e-9\n")
    ended = cli("gate", str(out), *limits("score>=20"))
    assert ended.stderr == (
        "note: --fail-on replaces the limits of semaudit.yaml:1; not judged: score>=10\n"
    )
    scanned = ("--arch", ARCH, "--img-size", "32", "--select", "brightness", "--device", "cpu")
    ended = cli("scan", str(checkpoint), "--data", str(pictures), *scanned, *limits("score>=20"))
    assert (ended.code, "not judged: score>=10\n" in ended.stderr) == (0, True)


@pytest.mark.parametrize("limit", ["accuracy<=0.9", "score<=90", "flip_rate>=0.1", "shift>=0.1"])
def test_a_limit_that_better_models_break_is_told(limit: str, cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text(f"fail_on: ['{limit}']\n", encoding="utf-8")
    ended = cli("config")
    assert ended.code == 0
    assert f"note: {limit!r} is broken by better models" in ended.stderr
    (tmp_path / "semaudit.yaml").write_text("fail_on: [accuracy>=0.9]\n", encoding="utf-8")
    assert cli("config").stderr == ""


def test_a_failed_gate_names_the_probes_that_break_it(cli: Run, audited: Path) -> None:
    ended = cli("gate", str(audited), *limits("shift<=1e-6"))
    assert ended.code == 1
    assert "shift<=1e-6 is broken by " in ended.stdout


def test_a_shipped_probe_that_was_not_run_is_no_typing_mistake(cli: Run, audited: Path) -> None:
    said = cli("gate", str(audited), *limits("flip_rate[motion_blur]<=0.1")).stderr
    assert "is called 'motion_blur'; --select adds probes" in said
    said = cli("gate", str(audited), *limits("flip_rate[brigthness]<=0.1")).stderr
    assert "did you mean 'brightness'" in said


def test_a_file_that_is_no_audit(cli: Run, checkpoint: Path) -> None:
    for command in (["report"], ["gate", "--fail-on", "shift<=0.1"], ["init", "--from"]):
        ended = cli(*command, str(checkpoint))
        assert ended.code == 3
        assert "name the folder that --out of a scan wrote" in ended.stderr


def test_without_limits_the_audit_s_own_are_judged(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu"}
    audit = semaudit.scan(checkpoint, pictures, fail_on=GATES[:2], out=out, **settings)
    ended = cli("gate", str(out), "--format", "json")
    expected = [v.model_dump(mode="json") for v in audit.verdicts]
    assert json.loads(ended.stdout) == {"verdicts": expected, "baseline": None}
    assert ended.code == 1
    assert ended.stderr == f"judged by the limits that {out} was made with\n"
    ended = cli("gate", str(out), *limits("score>=20"))
    assert (ended.code, ended.stderr) == (0, "")
    report = json.loads((out / "report.json").read_text())
    report["verdicts"][0]["gate"] = "x<="
    (out / "report.json").write_text(json.dumps(report))
    ended = cli("gate", str(out))
    assert (ended.code, "is damaged" in ended.stderr) == (3, True)


def test_flips_of_an_embedding(cli: Run, tmp_path: Path) -> None:
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    settings = {"activation": "none", "select": "brightness", "device": "cpu"}
    semaudit.scan(model, images, out=tmp_path / "audit", **settings)
    ended = cli("gate", str(tmp_path / "audit"), *limits("flip_rate<=0.1"))
    assert ended.code == 2
    assert (
        "'flip_rate<=0.1' does not apply: flip_rate is not measured of an embeddi" in ended.stderr
    )
    assert "limit one of concentration, feature_distance, " in ended.stderr
    assert cli("gate", str(tmp_path / "audit"), *limits("shift<=0.999")).code == 0


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("flip_rat<=0.1", "did you mean 'flip_rate'"),
        ("flip_rate[brightnes]<=0.1", "did you mean 'brightness'"),
        ("flip_rate<=2", "idle limit"),
        ("flip_rate", "cannot read the limit"),
    ],
)
def test_a_gate_that_says_nothing(gate: str, said: str, cli: Run, audited: Path) -> None:
    ended = cli("gate", str(audited), "--fail-on", gate)
    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_accuracy_of_unlabelled_pictures(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = {"arch": ARCH, "img_size": 32, "select": "identity", "device": "cpu"}
    semaudit.scan(checkpoint, pictures, ignore_labels=True, out=tmp_path / "audit", **settings)
    ended = cli("gate", str(tmp_path / "audit"), "--fail-on", "accuracy>=0.5")
    assert ended.code == 2
    assert "the pictures have no labels" in ended.stderr


def test_no_such_audit(cli: Run, tmp_path: Path) -> None:
    ended = cli("gate", str(tmp_path / "nowhere"), *limits("score>=20"))
    assert (ended.code, ended.stdout) == (3, "")
    assert "No such file" in ended.stderr


def test_a_report_in_place_of_the_audit(cli: Run, audited: Path) -> None:
    ended = cli("gate", str(audited / "report.json"), *limits("score>=20"))
    assert ended.code == 3
    assert "is " in ended.stderr


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("report.json", b"{", "is not a semaudit report"),
        ("report.json", b"\xff", "not UTF-8"),
        ("report.json", b'{"schema_version": 99}', "schema version 99"),
        ("samples.parquet", b"PAR1", "is missing or damaged"),
        ("images.parquet", None, "is missing or damaged"),
        ("paths.parquet", None, "is missing or damaged"),
        ("samples.parquet", None, "is missing or damaged"),
    ],
)
def test_a_damaged_audit(file: str, content: bytes | None, said: str, cli: Run, copy: Path) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    ended = cli("gate", str(copy), *limits("score>=20"), "--exit-zero")
    assert (ended.code, ended.stdout) == (3, "")
    assert said in ended.stderr
    assert str(copy / file) in ended.stderr


@pytest.mark.parametrize(
    ("name", "change", "gate"),
    [
        ("flip_rate", {"upper": 0.3}, "flip_rate<=0.2"),
        ("shift", {"upper": 5}, "shift<=0.9"),
        ("logit_distance", {"upper": 1.0}, "logit_distance<=0.9"),
        ("entropy", {"upper": 1.0}, "entropy<=0.9"),
        ("shift", {"column": "input_linf"}, "shift<=0.9"),
        ("accuracy", {"level": "path", "column": "jump"}, "accuracy<=0.9"),
        ("score", {"lower": 90.0}, "score>=95"),
    ],
)
def test_an_edited_range_is_not_believed(
    name: str, change: dict[str, object], gate: str, cli: Run, copy: Path
) -> None:
    report = json.loads((copy / "report.json").read_text())
    (metric,) = (each for each in report["metrics"] if each["name"] == name)
    metric.update(change)
    (copy / "report.json").write_text(json.dumps(report))
    ended = cli("gate", str(copy), *limits(gate), "--exit-zero")
    assert (ended.code, ended.stdout) == (3, "")
    assert f"says that {name} lies in" in ended.stderr
    assert cli("gate", str(copy), *limits("confidence<=0.999"), "--accept-inconclusive").code < 2


def test_limits_know_the_metrics_that_are_shipped() -> None:
    assert {
        each.name: (each.column, each.level, each.bounds, each.comparable)
        for each in GATEABLE.values()
        if each.needs_gradients
        or each.name in {*from_module("semaudit"), "accuracy", "onset", "score", "noise_floor"}
    } == SHIPPED
    assert {name for name, each in as_metrics().items() if each.needs_gradients} == {
        each.name for each in GATEABLE.values() if each.needs_gradients
    }


def test_tables_of_another_audit(
    cli: Run, copy: Path, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = {"arch": ARCH, "img_size": 32, "select": "quick", "device": "cpu"}
    semaudit.scan(checkpoint, pictures, num_samples=4, out=tmp_path / "other", **settings)
    shutil.copy(tmp_path / "other" / "samples.parquet", copy)
    ended = cli("gate", str(copy), *limits("score>=20"))
    assert ended.code == 3
    cells = sum(len(probe.ladder) for probe in read_report(copy / "report.json").battery)
    assert f"{4 * cells} rows, and {12 * cells} belong to this report" in ended.stderr


def test_no_torch_is_needed(process: Run, audited: Path) -> None:
    words = ("gate", str(audited), *limits("score>=20"))
    heavy = ("torch", "timm", "pandas", "scipy.stats")
    assert importing(process, (*words, "-h"), heavy).stdout.splitlines()[-1] == "imported:"
    ended = importing(process, words, heavy)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "imported:"


def test_the_audit_that_was_judged_is_the_one_on_disk(audited: Path) -> None:
    assert read_report(audited / "report.json").verdicts == []


def test_a_smoke_test_decides_nothing(cli: Run, checkpoint: Path, tmp_path: Path) -> None:
    words = ("scan", str(checkpoint), "--select", "brightness", "--device", "cpu")
    ended = cli(*words, "--img-size", "32", "--out", str(tmp_path / "smoke"))
    assert ended.code == 0
    assert "a smoke test on" in ended.stdout
    ended = cli("gate", str(tmp_path / "smoke"), "--fail-on", "shift<=0.9")
    assert (ended.code, "decides nothing" in ended.stderr) == (2, True)
