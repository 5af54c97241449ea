"""`semaudit init`: valid settings, limits that hold, nothing overwritten; the path to a CI job."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from known_models import ON_CPU, Linear
from shared import ARCH, Run, paint

import semaudit
from semaudit.settings import RUNS_CODE, Settings, resolve
from semaudit.starting import workflow
from semaudit.starting.proposing import propose, readable
from semaudit.starting.workflow import PLACEHOLDER
from semaudit.starting.write import WORKFLOW_FILE
from semaudit.store import IMAGES


@pytest.fixture
def plenty(tmp_path: Path) -> Path:
    """Enough pictures to decide something."""
    (tmp_path / "photos").mkdir()
    return paint(tmp_path / "photos", each=30)


def scan(checkpoint: Path, pictures: Path, cli: Run, *more: str) -> int:
    words = ("--arch", ARCH, "--img-size", "32", "--data", str(pictures), "--device", "cpu")
    ended = cli("scan", str(checkpoint), *words, "--select", "quick", "--no-gradients", *more)
    return ended.code


def test_every_line_is_a_valid_setting(cli: Run, tmp_path: Path) -> None:
    ended = cli("init")
    assert (ended.code, ended.stderr) == (0, "")
    assert "no limit was written: this job cannot fail" in ended.stdout.splitlines()[-1]
    text = (tmp_path / "semaudit.yaml").read_text(encoding="utf-8")
    assert resolve(folder=tmp_path, environment={}).settings == Settings()
    bare = re.sub(r"^# ([a-z_]+: )", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "all.yaml").write_text(bare, encoding="utf-8")
    keys = set(yaml.safe_load(bare))
    assert keys >= set(Settings.model_fields) - set(RUNS_CODE) - {
        *("out", "format", "quiet", "exit_zero")
    }
    settings = resolve(config=tmp_path / "all.yaml", environment={}).settings
    assert settings.fail_on == ("flip_rate<=0.05", "accuracy>=0.7")
    expected = {"model": "model.pt", "data": Path("photos/"), "fail_on": settings.fail_on}
    assert settings == Settings().model_copy(update=expected)


def test_the_workflow_is_one(cli: Run, tmp_path: Path) -> None:
    cli("init")
    text = (tmp_path / ".github/workflows/semaudit.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["audit"]["steps"]
    assert any(step.get("run") == "semaudit scan --out audit" for step in steps)
    assert "${{" not in "".join(step.get("run", "") for step in steps)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (None, PLACEHOLDER),
        ("{", PLACEHOLDER),
        ("[]", PLACEHOLDER),
        ({"url": "https://example.org/me/semaudit", "vcs_info": "git"}, PLACEHOLDER),
        (
            {
                "url": "https://example.org/me/all.git",
                "vcs_info": {"vcs": "git", "commit_id": "0" * 40},
                "subdirectory": "semaudit",
            },
            PLACEHOLDER,
        ),
        ({"url": "file:///home/me/semaudit", "dir_info": {}}, PLACEHOLDER),
        (("https://example.org/me/semaudit.git", "0" * 40), None),
        (("ssh://git@example.org/me/semaudit", "0" * 40), PLACEHOLDER),
        (("https://user:secret@example.org/semaudit", "0" * 40), PLACEHOLDER),
        (("https://example.org/$(touch hacked)", "0" * 40), PLACEHOLDER),
        (("https://example.org/semaudit", '0"; touch hacked'), PLACEHOLDER),
    ],
)
def test_the_workflow_installs_from_where_this_came(
    recorded: object, expected: str | None, cli: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    if isinstance(recorded, tuple):
        vcs = {"vcs": "git", "commit_id": recorded[1]}
        expected = expected or f"git+{recorded[0]}@{recorded[1]}"
        recorded = {"url": recorded[0], "vcs_info": vcs}
    text = recorded if isinstance(recorded, str | None) else json.dumps(recorded)
    found = SimpleNamespace(read_text=lambda name: text)
    monkeypatch.setattr(workflow, "distribution", lambda name: found)
    ended = cli("init")
    written = (tmp_path / WORKFLOW_FILE).read_text(encoding="utf-8")
    runs = [step.get("run") for step in yaml.safe_load(written)["jobs"]["audit"]["steps"]]
    assert f'python -m pip install "{expected}"' in runs
    assert (
        ("TO DO" in written) == ("to do: the workflow" in ended.stdout) == (expected == PLACEHOLDER)
    )


def test_nothing_is_overwritten(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("seed: 1\n", encoding="utf-8")
    ended = cli("init")
    assert ended.code == 2
    assert "--force" in ended.stderr
    assert (tmp_path / "semaudit.yaml").read_text(encoding="utf-8") == "seed: 1\n"
    assert not (tmp_path / ".github").exists()
    assert cli("init", "--force").code == 0
    assert "seed: 1" not in (tmp_path / "semaudit.yaml").read_text(encoding="utf-8")


def test_hostile_names_stay_values(cli: Run, tmp_path: Path) -> None:
    name = 'a: b\n"#\x1b{é}'
    assert cli("init", name, "--data", "x\nseed: 3").code == 0
    settings = resolve(folder=tmp_path, environment={}).settings
    assert (settings.model, settings.seed) == (name, 0)
    assert settings.data == Path("x\nseed: 3")


def test_no_audit(cli: Run, tmp_path: Path) -> None:
    assert cli("init", "--from", "nowhere").code == 3
    assert not list(tmp_path.iterdir())


def test_too_few_pictures_decide_little_and_a_comment_says_so(
    audited: Path, cli: Run, tmp_path: Path
) -> None:
    ended = cli("init", "--from", str(audited))
    assert ended.code == 0
    assert "no limit:" in ended.stdout
    text = (tmp_path / "semaudit.yaml").read_text(encoding="utf-8")
    assert re.search(
        r"^# flip_rate: its interval, .* is too wide for 12 pictures; about \d+ like", text, re.M
    )
    # What was scanned lies elsewhere, where no job would find it.
    assert re.search(r"^# The job will not find this there.*\ndata: /", text, re.M)
    assert "warning: data: /" in ended.stderr


def test_what_a_job_still_needs_is_said(cli: Run, tmp_path: Path) -> None:
    assert "to do: set model and data in semaudit.yaml" in cli("init").stdout
    ended = cli("init", "nomodel.pt", "--data", "nophotos", "--force")
    assert "to do: model 'nomodel.pt' is not there yet" in ended.stdout
    assert "to do: data 'nophotos' is not there yet" in ended.stdout
    (tmp_path / "nophotos").mkdir()
    ended = cli("init", "resnet50.a1_in1k", "--data", "nophotos", "--force")
    assert "is not there yet" not in ended.stdout


def test_the_audits_own_limits_are_not_forgotten(audited: Path, cli: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(audited, tmp_path / "copy")
    report = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    own = {"gate": "score>=99.5", "outcome": "fail", "value": 90.0, "low": 80.0, "high": 95.0}
    own |= {"level": 0.05, "n": 12, "pictures_to_decide": None, "reason": "", "against": None}
    text = json.dumps(report | {"verdicts": [own]})
    (copy / "report.json").write_text(text, encoding="utf-8")
    ended = cli("init", "--from", "copy")
    assert "score>=99.5: the audit's own limit (fail); to keep it, add it" in ended.stdout


@pytest.mark.parametrize(
    ("path", "warned"),
    [
        *(("photos", False), ("./a/../photos", False), ("..photos", False), (".", False)),
        *(("../photos", True), ("a/../../photos", True), ("/photos", True), ("~/photos", True)),
    ],
)
def test_paths_that_a_job_will_not_find(path: str, warned: bool, cli: Run, tmp_path: Path) -> None:
    ended = cli("init", "model.pt", "--data", path)
    assert ended.code == 0
    assert ("put it in the repository" in ended.stderr) == warned
    text = (tmp_path / "semaudit.yaml").read_text(encoding="utf-8")
    assert text.count("# The job will not find this there") == warned
    assert resolve(folder=tmp_path, environment={}).settings.data == Path(path)


def test_from_an_audit_to_a_failing_job_to_a_passing_one(
    checkpoint: Path, plenty: Path, cli: Run, tmp_path: Path
) -> None:
    """What the README tells a newcomer to do."""
    assert scan(checkpoint, plenty, cli, "--out", "first") == 0
    ended = cli("init", "--from", "first")
    assert ended.code == 0
    assert "limit proposed: flip_rate" in ended.stdout
    assert "no limit was written" not in ended.stdout
    limits = resolve(folder=tmp_path, environment={}).settings.fail_on
    assert limits
    assert cli("gate", "first").code == 0
    # A limit that the model cannot keep fails the job; the proposed ones pass again.
    good = (tmp_path / "semaudit.yaml").read_text(encoding="utf-8")
    strict = good.replace("fail_on:\n", "fail_on:\n  - score>=99.9\n")
    (tmp_path / "semaudit.yaml").write_text(strict, encoding="utf-8")
    assert cli("scan", "--out", "audit", "--quiet").code == 1
    (tmp_path / "semaudit.yaml").write_text(good, encoding="utf-8")
    ended = cli("scan", "--out", "audit", "--quiet")
    assert ended.code == 0, ended


def test_pictures_without_a_label_do_not_count(tmp_path: Path) -> None:
    images = torch.rand(120, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    model, out = Linear((3, 16, 16), 3, seed=1), tmp_path / "audit"
    data = (images, model(images).argmax(1))
    semaudit.scan(model, data, select="brightness", out=out, **ON_CPU)
    table = pd.read_parquet(out / IMAGES)
    table.loc[60:, ["correct", "label"]] = np.nan
    table.to_parquet(out / IMAGES)
    found = propose(out)
    assert any(limit.startswith("accuracy>=0.") for limit in found.limits), found
    assert "nan" not in str(found).lower()


@pytest.mark.parametrize(
    ("value", "up", "expected"),
    [(0.319, True, 0.4), (0.321, False, 0.3), (0.05, True, 0.05), (0.95, False, 0.9), (0, True, 0)],
)
def test_readable(value: float, up: bool, expected: float) -> None:
    assert readable(value, up=up) == expected
