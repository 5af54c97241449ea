"""What a shell completes, and that it is quick about it."""

from __future__ import annotations

import sys

import pytest
from shared import Run, importing


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("semaudit repro", ["reproduce"]),
        ("semaudit scan --select gaussian_n", ["gaussian_noise"]),
        ("semaudit scan --select quick,photo", ["quick,photometric"]),
        ("semaudit scan --ignore low_", ["low_band_noise", "low_sun"]),
        ("semaudit scan --fail-on flip", ["flip_rate"]),
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
    shown = process("--show-completion", "bash", program=(sys.executable, "-m", "semaudit"))
    assert "--install-completion" in process("--help").stdout
    assert "Traceback" not in shown.stderr
