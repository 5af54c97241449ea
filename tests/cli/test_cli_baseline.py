"""`--baseline` of scan and gate, and `semaudit baseline`: exit codes, messages, files."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from made import made
from shared import ARCH, Run, importing, paint

import semaudit
from semaudit.report.file import read_report

HELD = "flip_rate<=baseline+0.9"


def limits(*gates: str) -> list[str]:
    return [word for gate in gates for word in ("--fail-on", gate)]


@pytest.fixture(scope="session")
def tiny_audit(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, pictures: Path) -> Path:
    """The audit of the quickest scan; not to be changed."""
    out = tmp_path_factory.mktemp("tiny") / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu"}
    semaudit.scan(checkpoint, pictures, out=out, **settings)
    return out


@pytest.fixture
def file(cli: Run, audited: Path, tmp_path: Path) -> Path:
    """A baseline's file of the quick audit."""
    assert cli("baseline", "save", str(audited), "-q", "-o", str(tmp_path / "b")).code == 0
    return tmp_path / "b"


# A scan.


def test_a_scan_is_held_against_a_baseline(
    cli: Run, tiny: tuple[str, ...], tiny_audit: Path, tmp_path: Path
) -> None:
    held = ("--baseline", str(tiny_audit), *limits(HELD, "new_flips<=0.9"), "--out", "audit")
    ended = cli(*tiny, *held)
    assert (ended.code, ended.stderr) == (0, "")
    assert "Since the baseline" in ended.stdout
    report = read_report(tmp_path / "audit" / "report.json")
    assert report.baseline is not None
    assert report.baseline.source == str(tiny_audit)
    assert report.baseline.notes == ["both audits are of the same weights"]
    assert {each.value for each in report.verdicts} == {0.0}
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text("utf-8"))
    assert manifest["settings"]["baseline"] == {"value": str(tiny_audit), "origin": "flag"}
    assert "## Since the baseline" in (tmp_path / "audit" / "report.md").read_text("utf-8")
    # Judged again it is the same, and so it is against the file.
    cli("baseline", "save", str(tiny_audit), "-o", "b", "-q")
    for baseline in (str(tiny_audit), "b"):
        again = cli("gate", "audit", "--baseline", baseline, "--format", "json")
        found = json.loads(again.stdout)
        assert found["verdicts"] == [v.model_dump(mode="json") for v in report.verdicts]
        assert report.baseline is not None
        assert found["baseline"] == report.baseline.model_dump(mode="json") | {"source": baseline}


def test_the_setting_may_be_in_a_file_or_the_environment(
    cli: Run, audited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "semaudit.yaml").write_text(f"fail_on: [{HELD}]\nbaseline: {audited}\n")
    assert cli("gate", str(audited)).code == 0
    (tmp_path / "semaudit.yaml").write_text(f"fail_on: [{HELD}]\n")
    assert cli("gate", str(audited)).code == 2
    monkeypatch.setenv("SEMAUDIT_BASELINE", str(audited))
    assert cli("gate", str(audited)).code == 0


NO_MODEL = ("scan", "no-such-model.pt", "--data", "nowhere")


@pytest.mark.parametrize("limit", [HELD, "new_flips<=0.01", "negative_flips<=0.01"])
def test_a_limit_without_a_baseline_is_refused_before_anything(limit: str, cli: Run) -> None:
    ended = cli(*NO_MODEL, "--fail-on", limit)
    assert ended.code == 2
    assert f"{limit!r} needs a baseline" in ended.stderr
    assert "--baseline" in ended.stderr


def test_what_the_baseline_cannot_serve_is_refused_before_the_model(
    cli: Run, file: Path, audited: Path, tmp_path: Path
) -> None:
    ended = cli(*NO_MODEL, "--baseline", str(file), "--fail-on", "top5_distance<=baseline")
    assert ended.code == 2
    assert f"the baseline {file} does not hold top5_distance" in ended.stderr
    for path, said in (
        ("nowhere", "there is no audit nowhere"),
        (str(audited / "report.json"), "is no baseline, or is damaged"),
    ):
        ended = cli(*NO_MODEL, "--baseline", path, "--fail-on", HELD)
        assert (ended.code, said in ended.stderr) == (3, True)
    smoke = made(tmp_path / "smoke", 12)
    report = json.loads((smoke / "report.json").read_text("utf-8"))
    report["data"]["smoke_test"] = True
    (smoke / "report.json").write_text(json.dumps(report), "utf-8")
    for words in (NO_MODEL, ("gate", str(audited))):
        ended = cli(*words, "--baseline", str(smoke), "--fail-on", HELD)
        assert ended.code == 2
        assert f"the baseline {smoke} is a smoke test" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--seed", "3"), "  seed: 3 and 0\n"),
        (("--select", "contrast"), "probes: 2 and 1, of which 1 ('contrast') only in this scan"),
        (("--num-samples", "8"), "pictures: 8 and 12"),
    ],
)
def test_what_shows_at_once_is_refused_before_measuring(
    flags: tuple[str, ...], said: str, cli: Run, tiny: tuple[str, ...], tiny_audit: Path
) -> None:
    ended = cli(*tiny, *flags, "--baseline", str(tiny_audit), "--fail-on", HELD, "--out", "audit")
    assert ended.code == 3
    assert f"this scan and {tiny_audit} cannot be compared, for these differ:" in ended.stderr
    assert said in ended.stderr
    assert not Path("audit").exists()


def test_the_first_foreign_picture_ends_a_scan(
    cli: Run, tiny: tuple[str, ...], tiny_audit: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    more = paint(tmp_path / "more", each=4)
    words = [str(more) if word == tiny[tiny.index("--data") + 1] else word for word in tiny]
    ended = cli(*words, "--baseline", str(tiny_audit), "--out", "audit")
    assert ended.code == 3
    assert "pictures, of which " in ended.stderr
    assert "'a/3.png'" in ended.stderr
    assert "are only in this scan" in ended.stderr
    assert not Path("audit").exists()


def test_changed_pictures_of_the_same_names_are_found(
    cli: Run, tiny: tuple[str, ...], tiny_audit: Path, pictures: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(pictures, tmp_path / "other"))
    shutil.copy(other / "a" / "0.png", other / "a" / "1.png")
    words = [str(other) if word == str(pictures) else word for word in tiny]
    ended = cli(*words, "--baseline", str(tiny_audit), *limits(HELD), "--out", "audit")
    assert ended.code == 3
    assert "contents of the pictures, which have the same names" in ended.stderr
    assert not Path("audit").exists()


# A gate.


def test_a_gate_prints_what_changed(cli: Run, audited: Path, file: Path) -> None:
    words = ("gate", str(audited), "--baseline", str(file), *limits(HELD))
    ended = cli(*words)
    assert (ended.code, ended.stderr) == (0, "")
    assert "Since the baseline" in ended.stdout
    assert "in the baseline" in ended.stdout
    shown = cli(*words, "--format", "markdown").stdout
    assert "## Since the baseline" in shown
    assert "flip\\_rate\\<=baseline+0.9" in shown
    (verdict,) = json.loads(cli(*words, "--format", "json").stdout)["verdicts"]
    assert verdict["against"]["factor"] == 1


@pytest.mark.parametrize(
    ("limit", "flags", "code"),
    [
        (HELD, [], 0),
        ("flip_rate<=baseline", [], 4),
        ("flip_rate<=baseline", ["--accept-inconclusive"], 0),
        ("flip_rate<=baseline-0.9", [], 1),
        ("flip_rate<=baseline-0.9", ["--exit-zero"], 0),
        ("accuracy>=baseline*0.001", [], 0),
        ("new_flips[nois]<=0.1", [], 2),
        ("shift.p95<=baseline", [], 2),
        ("flip_rate<=baseline+1", [], 2),
    ],
)
def test_exit_codes(
    limit: str, flags: list[str], code: int, cli: Run, audited: Path, tmp_path: Path
) -> None:
    ended = cli("gate", str(audited), "--baseline", str(audited), "--fail-on", limit, *flags)
    assert ended.code == code
    assert (ended.stderr == "") == (code != 2)


def test_a_gate_on_another_audit_says_what_differs(
    cli: Run, audited: Path, tiny_audit: Path
) -> None:
    ended = cli("gate", str(audited), "--baseline", str(tiny_audit), *limits(HELD))
    assert ended.code == 3
    assert f"{audited} and {tiny_audit} cannot be compared, for these differ:\n" in ended.stderr
    assert "probes: " in ended.stderr
    assert ended.stdout == ""


def test_limits_of_the_audit_itself_ask_for_the_baseline_again(
    cli: Run, tiny: tuple[str, ...], tiny_audit: Path
) -> None:
    cli(*tiny, "--baseline", str(tiny_audit), *limits(HELD), "--out", "audit")
    ended = cli("gate", "audit")
    assert ended.code == 2
    assert "needs a baseline" in ended.stderr


def test_a_gate_against_a_file_needs_no_torch_and_is_quick(
    process: Run, cli: Run, tmp_path: Path
) -> None:
    now, then = (made(tmp_path / name, 1000, seed=k) for k, name in enumerate(("now", "then")))
    cli("baseline", "save", str(then), "-o", str(tmp_path / "b"), "-q")
    words = ("gate", str(now), "--baseline", str(tmp_path / "b"), *limits(HELD, "new_flips<=0.9"))
    started = time.perf_counter()
    ended = importing(process, words, ("torch", "timm", "pandas"))
    print(f"{time.perf_counter() - started:.2f} s")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "imported:"


# `semaudit baseline`.


def test_save_says_what_the_file_serves(cli: Run, audited: Path, tmp_path: Path) -> None:
    ended = cli("baseline", "save", str(audited))
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("baseline.semaudit: ")
    assert " kB; 12 pictures under 8 probes; serves limits on accuracy," in ended.stdout
    assert "new_flips" in ended.stdout
    assert (tmp_path / "baseline.semaudit").stat().st_size < 100_000
    assert cli("baseline", "save", str(audited), "-q").stdout == ""


def test_show_says_what_it_is_of(cli: Run, audited: Path, file: Path) -> None:
    ended = cli("baseline", "show", str(file))
    assert (ended.code, ended.stderr) == (0, "")
    for said in ("12, labelled", "serves limits on", "negative_flips"):
        assert said in ended.stdout
    described = json.loads(cli("baseline", "show", str(file), "--format", "json").stdout)
    assert described["pictures"] == 12
    assert "logit_distance" not in described["metrics"]
    folder = json.loads(cli("baseline", "show", str(audited), "--format", "json").stdout)
    assert set(described["metrics"]) < set(folder["metrics"])
    assert folder["fingerprint"] == described["fingerprint"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("save", "nowhere"), 3, "there is no audit nowhere: no such file or folder"),
        (("save", "AUDIT", "-o", "nowhere/b"), 2, "there is no folder nowhere"),
        (("save", "AUDIT", "-o", "."), 2, "is a folder; name a file"),
        (("save", "AUDIT", "--metric", "shfit"), 2, "did you mean 'shift'"),
        (("show", "nowhere"), 3, "there is no audit nowhere"),
        (("show", "AUDIT", "--format", "jsn"), 2, "did you mean 'json'"),
        (("save",), 2, ""),
        (("nope",), 2, ""),
    ],
)
def test_mistakes(
    words: tuple[str, ...], code: int, said: str, cli: Run, audited: Path, tmp_path: Path
) -> None:
    ended = cli("baseline", *(str(audited) if word == "AUDIT" else word for word in words))
    assert ended.code == code
    assert said in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_degenerate_model_is_no_baseline(
    cli: Run, dull_checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = {"arch": "test_resnet", "img_size": 32, "select": "brightness", "device": "cpu"}
    semaudit.scan(dull_checkpoint, pictures, out=tmp_path / "dull", **settings)
    ended = cli("baseline", "save", "dull")
    assert ended.code == 2
    assert "the baseline dull is of a degenerate model" in ended.stderr
    assert not (tmp_path / "baseline.semaudit").exists()
