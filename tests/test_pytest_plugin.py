"""The pytest plugin: what passes, what fails and with which message, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import Constant, Threshold

import semaudit
from semaudit.errors import UsageError

QUICK = {"select": "brightness", "gradients": False, "device": "cpu"}


def greys(count: int, low: float, high: float) -> torch.Tensor:
    levels = torch.linspace(low, high, count)[:, None, None, None]
    return levels.expand(-1, 1, 8, 8).contiguous()


def around(count: int = 100) -> torch.Tensor:
    """Half darker, half brighter than the threshold, and far from it."""
    return torch.cat([greys(count // 2, 0.05, 0.1), greys(count // 2, 0.9, 0.95)])


def test_a_steady_model_passes_and_the_audit_comes_back() -> None:
    audit = semaudit.assert_continuous(Threshold(0.5), around(), flip_rate=0.1, **QUICK)
    assert audit.passed
    labels = np.repeat([0, 1], 50)
    data = (around().numpy(), labels)
    again = semaudit.assert_continuous(Threshold(0.5), data, accuracy=0.9, **QUICK)
    assert [each.gate for each in again.verdicts] == ["accuracy>=0.9"]


def test_the_message_is_the_table_of_what_broke() -> None:
    shaky = greys(60, 0.45, 0.55)
    with pytest.raises(AssertionError) as failed:
        semaudit.assert_continuous(Threshold(0.5), shaky, flip_rate=0.01, **QUICK)
    message = str(failed.value)
    assert "is not continuous enough" in message.splitlines()[0]
    for said in ("fail", "flip_rate<=0.01", "Worst probes", "brightness", "Worst pictures"):
        assert said in message
    assert "\x1b" not in message


def test_too_few_pictures_fail_unless_that_is_accepted() -> None:
    few = around(8)
    with pytest.raises(AssertionError, match="do not decide them"):
        semaudit.assert_continuous(Threshold(0.5), few, fail_on=["flip_rate<=0.1"], **QUICK)
    semaudit.assert_continuous(
        Threshold(0.5), few, flip_rate=0.1, accept_inconclusive=True, **QUICK
    )


def test_a_single_limit_may_be_a_string() -> None:
    audit = semaudit.assert_continuous(Threshold(0.5), around(), fail_on="flip_rate<=0.1", **QUICK)
    assert [each.gate for each in audit.verdicts] == ["flip_rate<=0.1"]


def test_what_is_accepted_is_on_the_audit_s_record() -> None:
    audit = semaudit.assert_continuous(
        Threshold(0.5), around(8), flip_rate=0.1, accept_inconclusive=True, **QUICK
    )
    assert audit.manifest["settings"]["accept_inconclusive"]["value"] is True


def test_an_assertion_that_nothing_breaks_is_refused() -> None:
    with pytest.raises(UsageError, match="exit_zero would let every limit be broken"):
        semaudit.assert_continuous(Threshold(0.5), around(), flip_rate=0.1, exit_zero=True)


def test_a_constant_is_not_continuous_but_degenerate() -> None:
    with pytest.raises(AssertionError, match="cannot be judged") as failed:
        semaudit.assert_continuous(
            Constant(), around(), flip_rate=0.1, accept_inconclusive=True, **QUICK
        )
    assert "degenerate" in str(failed.value)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "no limit"),
        ({"flip_rat": 0.1}, "did you mean 'flip_rate'"),
        ({"entropy": 1}, "either way"),
        ({"new_flip": 0.1}, "did you mean 'new_flips'"),
        ({"flip_rate": 0.1, "accept_inconclusiv": True}, "did you mean 'accept_inconclusive'"),
        ({"new_flips": 0.1}, "new_flips<=0.1 needs baseline="),
        ({"shift": "baseline+0.01"}, "needs baseline="),
    ],
)
def test_what_is_no_limit(limits: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        semaudit.assert_continuous(Threshold(0.5), around(8), **limits)


def test_limits_against_a_baseline(tmp_path: Path) -> None:
    before = semaudit.scan(Threshold(0.5), around(), out=tmp_path / "before", **QUICK)
    held = {"new_flips": 0.1, "shift": "baseline+0.1", "baseline": before.folder}
    audit = semaudit.assert_continuous(Threshold(0.5), around(), **held, **QUICK)
    assert [each.gate for each in audit.verdicts] == ["new_flips<=0.1", "shift<=baseline+0.1"]
    # Most are far from the first threshold and near the second.
    with pytest.raises(AssertionError, match=r"new_flips<=0\.1"):
        semaudit.assert_continuous(Threshold(0.9), around(), **held, **QUICK)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--color=no"]  # installed, it is there by itself
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_under_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_model.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def test_it(continuity):\n"
        "    torch.manual_seed(0)\n"
        "    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))\n"
        "    images = torch.rand(40, 1, 8, 8)\n"
        "    continuity(model, images, score=99.99, select='quick', gradients=False)\n",
        encoding="utf-8",
    )
    ended = run(tmp_path)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "score>=99.99" in ended.stdout
    assert "Worst pictures" in ended.stdout
    assert "in assert_continuous" not in ended.stdout  # the frames of semaudit are hidden


def test_what_is_wrong_is_shown_in_the_test_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "test_wrong.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))\n"
        "images = torch.rand(4, 1, 8, 8)\n"
        "def test_name(continuity):\n"
        "    continuity(model, images, flip_rat=0.1)\n"
        "def test_value(continuity):\n"
        "    continuity(model, images, flip_rate=0.1, select='quikc')\n",
        encoding="utf-8",
    )
    ended = run(tmp_path)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "did you mean 'flip_rate'" in ended.stdout
    assert "did you mean 'quick'" in ended.stdout
    places = re.findall(r"^(\S+\.py):\d+: ", ended.stdout, re.M)
    assert set(places) == {"test_wrong.py"}, ended.stdout


def test_collecting_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text("def test_it(continuity): ...\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(
        "def pytest_collection_finish():\n"
        "    import sys\n"
        "    print('heavy:', *({'torch', 'numpy', 'rich'} & sys.modules.keys()))\n",
        encoding="utf-8",
    )
    ended = run(tmp_path, "--co", "-q", "-s")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "heavy:\n" in ended.stdout
    fixtures = run(tmp_path, "--fixtures", "-q")
    assert "continuity" in fixtures.stdout
