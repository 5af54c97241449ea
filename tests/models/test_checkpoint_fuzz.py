"""Mutated checkpoints: each is read or refused, in time and in bounds, and none ends otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("fuzz_checkpoints.py")


def fuzz(folder: Path, count: int, seed: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), str(count), str(seed)],
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-500:]}\n{done.stderr[-3000:]}"
    return done.stdout.splitlines()


def judge(lines: list[str], count: int) -> None:
    assert len(lines) == count
    bad = [line for line in lines if line.split()[1] not in ("read", "refused")]
    assert not bad, bad[:5]
    # A mutator that never broke or always broke the file would test nothing.
    assert any(line.endswith("refused") for line in lines)
    assert any(line.endswith("read") for line in lines)


def test_mutated_checkpoints(tmp_path):
    judge(fuzz(tmp_path, 200, seed=1), 200)


@pytest.mark.slow
def test_two_thousand_mutated_checkpoints(tmp_path):
    judge(fuzz(tmp_path, 2000, seed=2), 2000)
