"""`semaudit config`: the settings here, each with where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shared import Run, importing

from semaudit.settings import Settings


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "semaudit.yaml").write_text(
        "# ours\nseed: 4\nfail-on:\n  - score>=80\nquiet: true\n"
    )
    monkeypatch.setenv("SEMAUDIT_IMG_SIZE", "64")
    monkeypatch.setenv("SEMAUDIT_QUIET", "no")


@pytest.mark.usefixtures("configured")
def test_json(cli: Run) -> None:
    ended = cli("config", "--format", "json")
    assert (ended.code, ended.stderr) == (0, "")
    rows = json.loads(ended.stdout)
    assert rows.keys() == Settings.model_fields.keys()
    assert rows["seed"] == {"value": 4, "origin": "semaudit.yaml:2"}
    assert rows["fail_on"] == {"value": ["score>=80"], "origin": "semaudit.yaml:3"}
    assert rows["img_size"] == {"value": 64, "origin": "environment SEMAUDIT_IMG_SIZE"}
    assert rows["quiet"] == {"value": False, "origin": "environment SEMAUDIT_QUIET"}
    assert rows["select"] == {"value": ["standard"], "origin": "default"}


@pytest.mark.usefixtures("configured")
def test_the_table(cli: Run) -> None:
    ended = cli("config")
    assert (ended.code, ended.stderr) == (0, "")
    rows = {line.split()[0]: line.split() for line in ended.stdout.splitlines() if line.split()}
    assert rows["seed"][1:3] == ["4", "semaudit.yaml:2"]
    assert rows["img_size"][1:4] == ["64", "environment", "SEMAUDIT_IMG_SIZE"]
    assert rows["model"][1:3] == ["-", "default"]
    assert Settings.model_fields.keys() <= rows.keys()


def test_toml(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\n\n[tool.semaudit]\nselect = ["noise"]\n')
    rows = json.loads(cli("config", "--format", "json").stdout)
    assert rows["select"] == {"value": ["noise"], "origin": "pyproject.toml:4"}
    (tmp_path / "other.toml").write_text("[tool.semaudit]\nseed = 3\n")
    rows = json.loads(cli("config", "--config", "other.toml", "--format", "json").stdout)
    assert rows["seed"] == {"value": 3, "origin": "other.toml:2"}
    assert rows["select"]["origin"] == "default"


def test_hostile_values_are_text(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text('model: "[red]x[/red]\\e[31m"\n')
    shown = cli("config").stdout
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selekt: quick\n", "semaudit.yaml:1: unknown setting 'selekt' (did you mean 'select'?)"),
        ("\nseed: one\n", "semaudit.yaml:2: seed: 'one' is wrong"),
        ("seed: [\n", "semaudit.yaml:2"),
    ],
)
def test_a_wrong_file(text: str, said: str, cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text(text)
    ended = cli("config")
    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr


LIMITS = [
    ("flip_rte<=0.1", "unknown metric 'flip_rte' in 'flip_rte<=0.1' (did you mean 'flip_rate'?)"),
    ("flip_rate[nosie]<=0.1", "is called 'nosie' (did you mean 'noise'?)"),
    ("flip_rate<=1", "idle limit 'flip_rate<=1': flip_rate lies in [0, 1]"),
    ("score>=101", "impossible limit 'score>=101'"),
    ("confidence[noise]>=0.5", "confidence is not measured by probe; drop [noise]"),
    ("jump[noise@2]<=0.5", "jump has no rungs; drop @2"),
    ("flip_rate<0.1", "write <= or >="),
    ("new_flips<=0.1", "needs a baseline"),
    ("transport<=0.1", "needs a tree of classes"),
    ("gradient_turn<=0.1", "needs gradients, which --no-gradients"),
    ("accuracy>=0.5", "the pictures have no labels"),
]


@pytest.mark.parametrize(("limit", "said"), LIMITS)
def test_a_limit_that_can_have_no_value_is_told(
    limit: str, said: str, cli: Run, tmp_path: Path
) -> None:
    settings = {"fail_on": [limit], "gradients": False, "ignore_labels": True}
    (tmp_path / "semaudit.yaml").write_text("# ours\n" + json.dumps(settings))
    for words in (("config",), ("config", "--format", "json"), ("scan", "no-such-model.pt")):
        ended = cli(*words)
        assert (ended.code, ended.stdout) == (2, "")
        assert ended.stderr.startswith("semaudit: error: semaudit.yaml:2: ")
        assert said in ended.stderr


@pytest.mark.parametrize("words", ["config", "scan no-such-model.pt --data nowhere"])
def test_a_limit_is_refused_before_torch_is_imported(
    words: str, process: Run, tmp_path: Path
) -> None:
    (tmp_path / "semaudit.yaml").write_text("fail_on: [flip_rte<=0.1]\n")
    ended = importing(process, words.split(), ("torch", "timm", "pandas", "torchvision"))
    assert (ended.code, ended.stdout) == (2, "imported:\n")
    assert "did you mean 'flip_rate'" in ended.stderr


PLUGIN = """
from semaudit.metrics import rung_metric

@rung_metric(bounds=(0, 1))
def top_change(rung):
    "Always 0."
    return 0 * rung.clean.log_probabilities[:, 0]
"""


def test_a_plugin_s_metric_is_known_where_the_plugin_is_given(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("fail_on: [top_change<=0.1, new_flips<=0.1]\n")
    (tmp_path / "mine.py").write_text(PLUGIN)
    assert "unknown metric 'top_change'" in cli("config", "--baseline", "b.semaudit").stderr
    named = ("config", "--baseline", "b.semaudit", "--plugin", "mine.py")
    assert cli(*named, "--format", "json").code == 0
    (tmp_path / "semaudit.yaml").write_text("fail_on: [top_chagne<=0.1]\n")
    assert "did you mean 'top_change'" in cli(*named).stderr


def test_a_battery_of_ones_own_may_hold_any_probe(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("fail_on: ['shift[mine]<=0.1']\nbattery: my.yaml\n")
    assert cli("config").code == 0


def test_a_wrong_variable(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMAUDIT_SEDE", "1")
    ended = cli("config")
    assert ended.code == 2
    assert (
        "environment SEMAUDIT_SEDE: unknown setting 'sede' (did you mean 'seed'?)" in ended.stderr
    )


def test_a_wrong_format_and_a_missing_file(cli: Run) -> None:
    assert cli("config", "--format", "xml").code == 2
    ended = cli("config", "--config", "nope.yaml")
    assert (ended.code, "--config nope.yaml: no such file" in ended.stderr) == (2, True)
