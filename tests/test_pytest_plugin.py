"""The pytest plugin: what passes, what fails and with which message, and what it costs."""

from __future__ import annotations

import subprocess
import sys

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
    ],
)
def test_what_is_no_limit(limits: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        semaudit.assert_continuous(Threshold(0.5), around(8), **limits)


def run(folder: object, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--color=no"]  # installed, it is there by itself
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *words],
        cwd=str(folder),
        capture_output=True,
        text=True,
    )


def test_under_pytest(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
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


def test_collecting_imports_nothing_heavy(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
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
