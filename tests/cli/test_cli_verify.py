"""`semaudit verify` and `semaudit reproduce`: what they find, refuse and how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from shared import Run, paint

import semaudit


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


def test_no_audit(tmp_path: Path, cli: Run) -> None:
    assert cli("verify", "nowhere").code == 3
    ended = cli("verify", str(tmp_path))
    assert (ended.code, "is no audit: it has no report.json" in ended.stderr) == (3, True)
    assert cli("verify", "nowhere", "--format", "xml").code == 2


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
    lax = cli("reproduce", str(copy), "--tolerance", "0.5")
    assert lax.code == 0
    assert "the others within 50 %" in lax.stdout


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


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
