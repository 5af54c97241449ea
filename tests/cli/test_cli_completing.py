"""What a shell completes, and that it is quick about it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from shared import Run, console_script, importing

MODULE = (sys.executable, "-m", "semaudit")
NAMED = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
"""The shell is the one that is named, whatever started the tests."""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("semaudit repro", ["reproduce"]),
        ("semaudit scan --select gaussian_n", ["gaussian_noise"]),
        ("semaudit scan --select quick,photo", ["quick,photometric"]),
        ("semaudit scan --ignore low_", ["low_band_noise", "low_sun"]),
        ("semaudit scan --fail-on flip", ["flip_rate"]),
        ("semaudit gate audit --fail-on new", ["new_flips"]),
        ("semaudit report audit --format m", ["markdown"]),
        ("semaudit scan --format ju", ["junit"]),
        ("semaudit models d", ["describe"]),
    ],
)
def test_completion(words: str, found: list[str], process: Run) -> None:
    count = len(words.split()) - 1
    ended = importing(
        process,
        (),
        ("torch", "timm", "torchvision"),
        _SEMAUDIT_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(count),
    )
    assert ended.code == 0
    assert ended.stdout.split() == [*found, "imported:"]


def test_it_installs_itself(process: Run) -> None:
    shown = process("--show-completion", "bash", program=MODULE, **NAMED)
    assert "--install-completion" in process("--help").stdout
    assert "_SEMAUDIT_COMPLETE" in shown.stdout


def test_in_a_real_shell(process: Run) -> None:
    """Names come from semaudit; where it has none, as of files, bash goes on by itself."""
    script = (
        'eval "$1"; complete -p semaudit; COMP_WORDS=(semaudit repro); COMP_CWORD=1\n'
        "_semaudit_completion semaudit; echo ${COMPREPLY[*]}"
    )
    shown = process("--show-completion", "bash", program=MODULE, **NAMED)
    bash = ("bash", "--norc", "-c", script, "bash", shown.stdout)
    path = f"{Path(console_script()).parent}{os.pathsep}{os.environ['PATH']}"
    ended = process(program=bash, PATH=path)
    declared, found = ended.stdout.splitlines()
    assert declared == "complete -o default -F _semaudit_completion semaudit"
    assert found == "reproduce"
