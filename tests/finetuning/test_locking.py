"""Two runs that would write the same file: the second is refused, and the first loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from semaudit.errors import UsageError
from semaudit.finetuning.locking import alone
from semaudit.finetuning.tuning import finetune

from .gratings import source, trained

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "epochs": 2}


@pytest.mark.parametrize("force", [False, True])
def test_a_second_run_is_refused_while_the_first_is_at_work(tmp_path: Path, *, force: bool) -> None:
    out = tmp_path / "a.safetensors"
    refused: list[UsageError] = []

    def second(tick: Any) -> None:
        if refused or tick.stage != "training" or tick.update != 1:
            return
        with pytest.raises(UsageError, match="another run is at work on") as caught:
            finetune(trained(), source(96), out, force=force, **QUICK)
        refused.append(caught.value)

    tuned = finetune(trained(), source(96), out, watch=second, max_accuracy_drop=100, **QUICK)
    assert len(refused) == 1
    assert tuned.folder.is_dir()
    # Two updates, and validation before, between and after.
    assert len((tuned.folder / "log.jsonl").read_text("utf-8").splitlines()) == 5
    assert {each.name for each in tmp_path.iterdir()} <= {"a.safetensors", "a.finetune"}


def test_what_dies_lets_go(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    code = (
        "import pathlib, sys\n"
        "from semaudit.finetuning.locking import alone\n"
        "with alone(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another run is at work on"), alone(out):
            pass
        process.kill()
        process.wait()
    with alone(out):
        pass
    assert not list(tmp_path.iterdir())
