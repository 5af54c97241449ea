"""`semaudit verify` and `semaudit reproduce`: what they find, refuse and how they end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shared import ARCH, REPO, Run, paint

import semaudit

DATA = REPO / "tests" / "data"
PAIRED = DATA / "baseline_audit"


@pytest.fixture
def copy(audited: Path, tmp_path: Path) -> Path:
    return shutil.copytree(audited, tmp_path / "copy")


def _edit(path: Path, **changes: object) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | changes), encoding="utf-8")


def test_an_audit_is_as_it_was_written(audited: Path, cli: Run) -> None:
    ended = cli("verify", str(audited))
    assert ended.code == 0, ended
    assert "nothing vouches for manifest.json itself" in ended.stdout.splitlines()[-1]
    found = json.loads(cli("verify", str(audited), "--format", "json").stdout)
    assert {"report.json", "report.md", "samples.parquet"} <= set(found["same"])
    assert found["figures"] > 100
    assert found["verified"]


def test_the_manifest_is_held_against_the_hash_that_was_kept(copy: Path, cli: Run) -> None:
    found = json.loads(cli("verify", str(copy), "--format", "json").stdout)
    kept = ("--manifest-sha256", found["manifest_sha256"].upper())
    ended = cli("verify", str(copy), *kept)
    assert (ended.code, ended.stdout.splitlines()[-1]) == (0, "The audit is as it was written.")
    _edit(copy / "manifest.json", seed=1)
    assert cli("verify", str(copy)).code == 0
    ended = cli("verify", str(copy), *kept)
    other = json.loads(cli("verify", str(copy), "--format", "json").stdout)["manifest_sha256"]
    assert ended.code == 1
    assert f"SHA-256 {other}, and the one that was kept is {found['manifest_sha256']}" in (
        ended.stdout
    )
    ended = cli("verify", str(copy), "--manifest-sha256", "abc")
    assert (ended.code, "64 hexadecimal digits" in ended.stderr) == (2, True)


def test_a_changed_a_missing_and_an_added_file_are_named(copy: Path, cli: Run) -> None:
    (copy / "report.md").unlink()
    (copy / "images.parquet").write_bytes(b"PAR1")
    (copy / "notes.txt").write_text("mine", encoding="utf-8")
    ended = cli("verify", str(copy))
    assert ended.code == 1
    for said in ("changed: images.parquet", "missing: report.md", "added: notes.txt"):
        assert said in ended.stdout
    assert "NOT as it was written" in ended.stdout


def test_something_added_breaks_nothing(copy: Path, cli: Run) -> None:
    (copy / "cases").mkdir()
    (copy / "cases" / "a\x1b[2Jb.png").write_bytes(b"")
    ended = cli("verify", str(copy))
    assert ended.code == 0
    assert "\x1b" not in ended.stdout


def test_a_report_that_does_not_follow_from_the_tables(copy: Path, cli: Run) -> None:
    """Even where whoever edited it put the hash right."""
    from semaudit.files import file_sha256

    report = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    each = next(e for e in report["estimates"] if e["metric"] == "flip_rate")
    each["value"] = each["low"] = 0.0
    (copy / "report.json").write_text(json.dumps(report), encoding="utf-8")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["report.json"] = file_sha256(copy / "report.json")
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    ended = cli("verify", str(copy))
    assert ended.code == 1
    assert "report.json says flip_rate." in ended.stdout
    assert "figures of report.json are not what the tables say" in ended.stdout


def test_one_figure_that_does_not_follow(copy: Path, cli: Run) -> None:
    report = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    report["score"]["value"] -= 5
    _edit(copy / "report.json", score=report["score"])
    assert "1 figure of report.json is not what" in cli("verify", str(copy)).stdout


def test_an_old_audit_has_no_hashes(copy: Path, cli: Run) -> None:
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    ended = cli("verify", str(copy))
    assert ended.code == 3
    assert "no hashes on record" in ended.stdout


@pytest.mark.parametrize("files", [[], {"report.json": 3}, {"report.json": "abc"}])
def test_damaged_hashes(files: object, copy: Path, cli: Run) -> None:
    _edit(copy / "manifest.json", files=files)
    ended = cli("verify", str(copy))
    assert ended.code == 3
    assert "holds no hashes" in ended.stderr


@pytest.mark.parametrize("number", [-1, 10_000])
def test_an_old_report_of_classes_that_its_model_lacks(number: int, copy: Path, cli: Run) -> None:
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    del manifest["model"]["class_names"]
    _edit(copy / "manifest.json", model=manifest["model"])
    worst = json.loads((copy / "report.json").read_text(encoding="utf-8"))["worst"]
    _edit(copy / "report.json", worst=[{**worst[0], "to_class": number}])
    ended = cli("verify", str(copy))
    assert (ended.code, "speaks of classes that the model lacks" in ended.stdout) == (1, True)


def test_no_audit(tmp_path: Path, cli: Run) -> None:
    assert cli("verify", "nowhere").code == 3
    ended = cli("verify", str(tmp_path))
    assert (ended.code, "is no audit: it has no report.json" in ended.stderr) == (3, True)
    assert cli("verify", "nowhere", "--format", "xml").code == 2


# Verdicts, and what else a report may claim with its figures left true.


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kept audit that was held against a baseline, where its manifest says."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "baseline.semaudit", tmp_path)
    return Path(shutil.copytree(PAIRED, tmp_path / "baseline_audit"))


def _vouched(audit: Path) -> None:
    """Put the hashes in the manifest right, as whoever cheats would."""
    from semaudit.verifying.hashes import hashes_of

    _edit(audit / "manifest.json", files=hashes_of(audit))


def _cheat(audit: Path, change: Callable[[Any], object], file: str = "report.json") -> None:
    document = json.loads((audit / file).read_text(encoding="utf-8"))
    change(document)
    (audit / file).write_text(json.dumps(document), encoding="utf-8")
    _vouched(audit)


def _say_passed(report: Any) -> None:
    for each in report["verdicts"]:
        each["outcome"] = "pass"


def test_a_verdict_that_was_edited_is_found(held: Path, cli: Run) -> None:
    _cheat(held, _say_passed)
    ended = cli("verify", str(held))
    assert ended.code == 1
    said = "report.json says flip_rate[photometric]<=0.05: pass, and the tables fail"
    assert said in ended.stdout
    assert "by report.json the exit code was 0, and by the tables 1" in ended.stdout
    assert "NOT as it was written" in ended.stdout
    found = json.loads(cli("verify", str(held), "--format", "json").stdout)
    assert (found["verified"], found["exit_code_of_scan"], found["gates"]) == (False, 1, 5)
    assert said in found["claims"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["verdicts"].pop(), "do not say the same of the limits"),
        (lambda r: r["verdicts"].clear(), "do not say the same of the limits"),
        (lambda r: r["verdicts"][4].update(gate="flip_rate[photometric]<=0.9"), "of the limits"),
        (lambda r: r["verdicts"][4].update(high=0.04, value=0.03), "high of flip_rate[photom"),
        (lambda r: r["verdicts"][0]["against"].update(now=0.1), "now of flip_rate<=baseline+0.4"),
        (lambda r: r["verdicts"][0].update(n=10_000), "n of flip_rate<=baseline+0.4"),
        (lambda r: r.update(degenerate="the output is the same"), "found of it (degenerate)"),
        (lambda r: r.update(warnings=[]), "found of it (warnings)"),
        (lambda r: r["model"].update(name="another"), "the model's name"),
        (lambda r: r["data"].update(source="more pictures"), "the pictures"),
        (lambda r: r.update(seed=1), "seed: 1 and 0"),
        (lambda r: r["worst"].pop(0), "tells the worst pictures otherwise"),
        (lambda r: r["worst"][0].update(image="harmless.png"), "the worst pictures otherwise"),
        (lambda r: r["class_flips"].pop(0), "tells the commonest flips otherwise"),
        (
            lambda r: r["estimates"].insert(0, {**r["estimates"][0], "value": 0.0}),
            "tells the estimates otherwise",
        ),
        (lambda r: r["estimates"][0].update(n=10_000), "tells the estimates otherwise"),
        (lambda r: r["clean"].update(distinct_classes=5000), "tells the estimates otherwise"),
        (lambda r: r["curves"][0].update(family="noise"), "tells the estimates otherwise"),
        (lambda r: r["baseline"].update(weights_sha256="ab"), "of the baseline another weights"),
        (lambda r: r.update(baseline=None), "whether there was a baseline"),
        (
            lambda r: r["baseline"]["changed"][0]["flips"]["new"].update(value=0.0, low=0.0),
            "report.json says new_flips",
        ),
    ],
)
def test_what_a_report_claims_otherwise_is_found(
    change: Callable[[Any], object], said: str, held: Path, cli: Run
) -> None:
    assert cli("verify", str(held)).code == 0
    _cheat(held, change)
    ended = cli("verify", str(held))
    assert ended.code == 1
    assert said in ended.stdout


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(gates_fail=0, gates_pass=5),
        lambda m: m.pop("gates_fail"),
        lambda m: m.update(flip_rate=0.0),
    ],
)
def test_metrics_json_is_held_against_the_report(
    change: Callable[[Any], object], held: Path, cli: Run
) -> None:
    _cheat(held, change, "metrics.json")
    ended = cli("verify", str(held))
    assert (ended.code, "metrics.json" in ended.stdout) == (1, True)


def test_without_its_baseline_the_verdicts_cannot_be_told(held: Path, cli: Run) -> None:
    moved = Path("baseline.semaudit").rename("moved.semaudit")
    ended = cli("verify", str(held))
    assert ended.code == 3
    assert "the baseline baseline.semaudit is not there: say with --baseline" in ended.stdout
    assert "cannot be told" in ended.stdout.splitlines()[-1]
    assert cli("verify", str(held), "--baseline", str(moved)).code == 0
    # Nor is it hidden there that the verdicts were edited.
    _cheat(held, lambda report: report["verdicts"].clear())
    assert cli("verify", str(held)).code == 1


def test_another_baseline_than_it_was_judged_against(held: Path, audited: Path, cli: Run) -> None:
    cli("baseline", "save", str(audited), "-o", "baseline.semaudit", "-q")
    ended = cli("verify", str(held))
    assert ended.code == 3
    assert "is not the one that the audit was judged against (SHA-256 " in ended.stdout
    ended = cli("verify", str(audited), "--baseline", "baseline.semaudit")
    assert (ended.code, "was judged against no baseline" in ended.stderr) == (2, True)


def test_a_degenerate_model_that_was_made_to_look_sound(
    dull_checkpoint: Path, pictures: Path, tmp_path: Path, cli: Run
) -> None:
    out = tmp_path / "dull"
    words = ("--img-size", "32", "--arch", "test_resnet", "--select", "brightness")
    limit = ("--fail-on", "flip_rate<=0.9", "--device", "cpu", "--no-gradients")
    scan = ("scan", str(dull_checkpoint), "--data", str(pictures), *words, *limit)
    assert cli(*scan, "--out", str(out)).code == 3
    ended = cli("verify", str(out))
    assert (ended.code, "ended with exit code 3" in ended.stdout) == (0, True)
    _cheat(out, lambda report: report.update(degenerate=None))
    ended = cli("verify", str(out))
    assert (ended.code, "found of it (degenerate)" in ended.stdout) == (1, True)


# A scan again.


def test_a_scan_comes_back_to_the_last_bit(audited: Path, cli: Run) -> None:
    ended = cli("reproduce", str(audited))
    assert ended.code == 0, ended
    assert "came back to the last bit" in ended.stdout
    assert cli("verify", str(audited)).code == 0


def test_other_figures_are_told_with_the_largest_difference(copy: Path, cli: Run) -> None:
    report = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    report["score"]["value"] -= 5
    (copy / "report.json").write_text(json.dumps(report), encoding="utf-8")
    ended = cli("reproduce", str(copy), "--format", "json")
    found = json.loads(ended.stdout)
    assert (ended.code, found["outcome"], found["lost"]) == (1, "different", 1)
    assert found["differing"][0]["figure"] == "score"
    lax = cli("reproduce", str(copy), "--tolerance", "0.1")
    assert lax.code == 0
    assert "the others within 10 %" in lax.stdout


def test_forged_tables_and_a_verdict_that_was_taken_out(copy: Path, cli: Run) -> None:
    table = pq.read_table(copy / "samples.parquet")
    place = table.column_names.index("flip")
    ones = pa.array(np.ones(table.num_rows), table.schema.field("flip").type)
    pq.write_table(table.set_column(place, "flip", ones), copy / "samples.parquet")
    ended = cli("reproduce", str(copy))
    assert (ended.code, "own tables do not give its figures" in ended.stdout) == (1, True)


def test_a_verdict_that_was_taken_out_or_edited_does_not_come_back(
    tmp_path: Path, checkpoint: Path, pictures: Path, cli: Run
) -> None:
    out = tmp_path / "audit"
    words = ("--arch", ARCH, "--img-size", "32", "--select", "brightness", "--device", "cpu")
    limits = ("--fail-on", "shift<=1e-6", "--fail-on", "score>=20")
    assert (
        cli(
            "scan", str(checkpoint), "--data", str(pictures), *words, *limits, "--out", str(out)
        ).code
        == 1
    )
    whole = (out / "report.json").read_text(encoding="utf-8")
    verdicts = json.loads(whole)["verdicts"]
    kept = [each for each in verdicts if each["outcome"] != "fail"]
    assert len(kept) == 1
    _edit(out / "report.json", verdicts=kept)
    ended = cli("reproduce", str(out))
    assert (ended.code, "shift<=1e-6" in ended.stdout) == (1, True)
    (out / "report.json").write_text(whole, encoding="utf-8")
    _edit(out / "report.json", verdicts=[{**each, "value": 0.123, "n": 9} for each in verdicts])
    ended = cli("reproduce", str(out))
    assert (ended.code, "score>=20, value" in ended.stdout) == (1, True)


@pytest.mark.parametrize("tolerance", ["-0.1", "nan", "inf", "0.11", "1"])
def test_a_tolerance_under_which_anything_comes_back_is_refused(
    tolerance: str, audited: Path, cli: Run
) -> None:
    ended = cli("reproduce", str(audited), f"--tolerance={tolerance}")
    assert (ended.code, ended.stdout) == (2, "")
    assert "a number from 0 (to the last bit) to 0.1" in ended.stderr


def test_what_is_shown_of_pictures_has_to_come_back(copy: Path, cli: Run) -> None:
    def change(report: Any) -> None:
        report["worst"][0]["image"] = "harmless.png"
        report["worst"][1]["probe"] = "jpeg"
        report["worst"][1]["to_name"] = "e"
        report["class_flips"].pop(0)

    _cheat(copy, change)
    ended = cli("reproduce", str(copy), "--format", "json")
    found = json.loads(ended.stdout)
    assert (ended.code, found["outcome"], found["lost"]) == (1, "different", 0)
    said = "\n".join(found["shown"])
    assert "'harmless.png' is among the worst pictures of one of the two scans only" in said
    assert "is worst in another cell" in said
    assert "are among the commonest of one of the two scans only" in said
    ended = cli("reproduce", str(copy))
    assert ended.stdout.splitlines()[-1].startswith("NOT reproduced: 0 of ")


def test_kept_pictures_a_baseline_and_a_plugin_that_only_measures(
    tiny: tuple[str, ...], tmp_path: Path, cli: Run, process: Run
) -> None:
    (tmp_path / "mine.py").write_text(MEASURING)
    scan = (*tiny, "--no-gradients")
    assert cli(*scan, "--out", "before").code == 0
    more = ("--plugin", "mine.py", "--keep-pictures", "2", "--baseline", "before")
    limits = ("--fail-on", "flip_rate<=baseline+0.9", "--fail-on", "sameness>=0.1")
    assert cli(*scan, *more, *limits, "--out", "now").code == 0
    assert cli("verify", "now").code == 0

    ended = cli("reproduce", "now")
    assert (ended.code, "--plugin" in ended.stderr) == (2, True)
    ended = cli("reproduce", "now", "--plugin", "mine.py")
    assert (ended.code, "came back to the last bit" in ended.stdout) == (0, True)

    # In processes of their own: a metric is registered once.
    (tmp_path / "mine.py").write_text(MEASURING.replace("1 - 0", "1 -  0"))
    ended = process("reproduce", "now", "--plugin", "mine.py")
    assert ended.code == 3
    assert "its metric sameness may do other things" in ended.stderr
    (tmp_path / "mine.py").write_text(MEASURING.replace("sameness", "likeness"))
    ended = process("reproduce", "now", "--plugin", "mine.py")
    assert (ended.code, "no plugin brings the metric sameness" in ended.stderr) == (3, True)
    (tmp_path / "mine.py").write_text(MEASURING)

    kept = tmp_path / "now" / "pictures"
    index = json.loads((kept / "pictures.json").read_text())
    for name, each in index["pictures"][0]["files"].items():
        if name == "clean":
            from semaudit.files import file_sha256

            other = index["pictures"][1]["files"]["difference"]["name"]
            shutil.copy(kept / other, kept / each["name"])
            each["sha256"] = file_sha256(kept / each["name"])
    (kept / "pictures.json").write_text(json.dumps(index))
    ended = cli("reproduce", "now", "--plugin", "mine.py")
    assert (ended.code, "is another picture: " in ended.stdout) == (1, True)

    _edit(tmp_path / "before" / "manifest.json", created="then")
    ended = cli("reproduce", "now", "--plugin", "mine.py")
    assert ended.code == 3
    assert "the baseline before is not the one that the audit was judged against" in ended.stderr


def test_other_weights_and_other_pictures_are_refused(
    audited: Path, dull_checkpoint: Path, tmp_path: Path, cli: Run
) -> None:
    other = paint(_made(tmp_path / "others"), each=4)
    ended = cli("reproduce", str(audited), "--data", str(other))
    assert ended.code == 3
    assert "other pictures: 16 with the fingerprint" in ended.stderr
    other_model = ("--model", str(dull_checkpoint), "--arch", "test_resnet")
    ended = cli("reproduce", str(audited), *other_model)
    assert ended.code == 3
    assert "other weights" in ended.stderr


def test_a_scan_of_what_was_in_memory_has_to_be_named(tmp_path: Path, cli: Run) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    images = torch.rand(4, 3, 16, 16)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    out = tmp_path / "live"
    semaudit.scan(module, images, select="brightness", gradients=False, out=out, device="cpu")
    ended = cli("reproduce", str(out))
    assert ended.code == 2
    assert "--data" in ended.stderr


def test_a_factory_has_to_be_given_again(copy: Path, cli: Run) -> None:
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["settings"]["model"]["value"] = "make.py:make"
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    ended = cli("reproduce", str(copy))
    assert ended.code == 2
    assert "give it again" in ended.stderr


MEASURING = """
from semaudit.metrics import rung_metric

@rung_metric(bounds=(0, 1))
def sameness(rung):
    "1 for all."
    return 1 - 0 * rung.clean.log_probabilities.exp()[:, 0]
"""


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
