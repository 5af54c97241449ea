"""`semaudit finetune`: its options, what it prints and writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import pytest
import typer
from finetuning.gratings import written
from shared import Run

from semaudit.cli import app
from semaudit.finetuning import tuning
from semaudit.finetuning.locking import alone
from semaudit.finetuning.recipe import Recipe
from semaudit.folder import partial
from semaudit.settings import Settings

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
QUICK = ("--device", "cpu", "--select", "brightness", "--no-gradients")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
TOGETHER = (sys.executable, *LAUNCHER)
"""Two processes, which meet on a port of their own."""

STRONG = ("--lr", "1e-3", "--alpha", "20", "--epochs", "6")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments: a checkpoint that knows a task, and pictures of it."""
    checkpoint, pictures = written(tmp_path_factory.mktemp("gratings"), 240)
    return ("finetune", str(checkpoint), "--data", str(pictures), *QUICK)


def test_it_writes_a_smoother_model_that_a_scan_opens(
    cli: Run, place: tuple[str, ...], tmp_path: Path
) -> None:
    ended = cli(*place, *STRONG)
    assert ended.code == 0
    _tells_a_log(ended.stderr)
    said = " ".join(ended.stdout.split())
    for each in ("24 updates on 132 pictures", "shift, families held out", "smoother.finetune"):
        assert each in said
    assert {path.name for path in tmp_path.iterdir()} == {
        "smoother.safetensors",
        "smoother.finetune",
    }
    data = place[3]
    scanned = cli("scan", "smoother.safetensors", "--data", data, *QUICK, "--format", "json")
    assert scanned.code == 0
    report = json.loads(scanned.stdout)
    assert report["clean"]["accuracy"]["value"] > 0.8
    again = cli(*place, *STRONG)
    assert again.code == 2
    assert "--force replaces it" in again.stderr


def _tells_a_log(stderr: str) -> None:
    """Without a terminal: a line at each stage, now and then one more, and one at its end."""
    opening, reading, start, *more, choosing, before, after = [
        line for line in stderr.splitlines() if not re.match(r"audit \w+ \d", line)
    ]
    assert (opening, reading) == ("opening the model", "reading pictures")
    assert start.startswith("training 1/24: loss ")
    assert more[-1].startswith("training 24/24: loss ")
    assert re.search(r"running validation shift 0\.\d+ \(original 0\.", more[-1])
    assert (choosing, before, after) == ("choosing weights", "audit before", "audit after")


def test_the_original_is_kept_with_exit_code_1(
    cli: Run, place: tuple[str, ...], tmp_path: Path
) -> None:
    ended = cli(*place, "--lr", "1e-30", "--epochs", "1", "-o", "same.safetensors")
    assert ended.code == 1
    stages = [line.split(":")[0] for line in ended.stderr.splitlines()]
    assert stages[:3] == ["opening the model", "reading pictures", "training 1/4"]
    assert stages[-2:] == ["training 4/4", "choosing weights"]
    assert "The original is kept: no weights have surely less shift" in ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"same.finetune"}
    report = json.loads((tmp_path / "same.finetune" / "finetune.json").read_text("utf-8"))
    assert report["choice"]["improved"] is False
    silent = cli(*place, "--lr", "1e-30", "--epochs", "1", "-q", "-o", "x.safetensors")
    assert (silent.code, silent.stdout) == (1, "")
    assert silent.stderr.startswith("The original is kept: no weights have surely less shift")
    assert len(silent.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--task", "ce", "--ignore-labels"), 2, "--task ce needs labels"),
        (("--num-samples", "8"), 2, "4 are the fewest"),
        (("--alpha", "-1"), 2, "--alpha"),
        (("--perturb", "nope"), 2, "nope"),
        (("--distance", "far"), 2, "--distance"),
        (("--opt", "nope"), 2, "--opt nope"),
        (("--opt", "adahessian"), 2, "--opt adahessian needs second derivatives"),
        (("-o", "smoother.pt"), 2, "name a file that ends in .safetensors"),
        (("--resume",), 2, "nothing to go on with"),
        (("--epochs", "0"), 2, "--epochs"),
        (
            ("--alpha", "much"),
            2,
            "--alpha: 'much' is wrong: it should be 'auto', or it should be a",
        ),
        (("--generic-reach", "1,2"), 2, "it should be four numbers"),
        (("--worst-radius", "1e400"), 2, "--worst-radius: inf is wrong: it should be a finite"),
        (("--worst-radius", "4/0"), 2, "--worst-radius: '4/0' is wrong: it should be a number"),
        (("-o", "/proc/a.safetensors"), 2, "-o /proc/a.safetensors cannot be written to /proc: "),
    ],
)
def test_bad_input(
    cli: Run, place: tuple[str, ...], tmp_path: Path, arguments: tuple[str, ...], code: int,
    said: str,
) -> None:  # fmt: skip
    ended = cli(*place, *arguments)
    assert ended.code == code
    assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_which_model_and_which_pictures(cli: Run) -> None:
    ended = cli("finetune")
    assert (ended.code, "which model?" in ended.stderr) == (2, True)
    ended = cli("finetune", "resnet18", "--no-pretrained")
    assert (ended.code, "needs pictures" in ended.stderr) == (2, True)
    ended = cli("finetune", "nowhere.safetensors", "--data", ".")
    assert ended.code == 3


def test_help_tells_of_fine_tuning_not_of_scans(cli: Run) -> None:
    said = " ".join(cli("finetune", "--help").stdout.replace("│", " ").split())
    assert "smoke test" not in said
    for each in ("Needed, unless --dataset brings pictures", "cannot be trained here"):
        assert each in said
    assert said.index("--data ") < said.index("--dataset ")


def test_every_field_of_the_recipe_is_an_option_and_no_option_is_nobodys() -> None:
    options = {each.name for each in COMMANDS["finetune"].params}
    assert set(Recipe.model_fields) <= options
    own = {"out", "force", "resume", "quiet", "config", "help"}
    assert options <= set(Recipe.model_fields) | set(Settings.model_fields) | own


def test_defaults_in_the_help_are_the_recipes() -> None:
    helps = {each.name: each.help for each in COMMANDS["finetune"].params}
    for name, field in Recipe.model_fields.items():
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            shown = {4 / 255: "4/255", 1e-4: "0.0001"}.get(field.default, f"{field.default:g}")
            assert shown in (helps[name] or ""), name


@pytest.mark.slow
def test_an_interrupt_keeps_the_state_and_says_so(place: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "semaudit", *place, "--epochs", "4000"]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "smoother.safetensors.partial" / "log.jsonl"
    for _ in range(600):
        if log.is_file() and log.read_text().count("\n") > 2:
            break
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "interrupted; what was done is kept in" in said
    assert "Traceback" not in said
    assert {each.name for each in log.parent.iterdir()} == {"log.jsonl", "state.pt"}


@pytest.mark.parametrize(
    ("left", "said"),
    [(("all of it is kept",), "; all of it is kept"), ((), " before any work")],
)
def test_an_interrupt_is_said_with_what_is_left(
    left: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, cli: Run
) -> None:
    monkeypatch.setattr(tuning, "run", mock.Mock(side_effect=KeyboardInterrupt(*left)))
    ended = cli("finetune", "resnet18", "--data", ".")
    assert (ended.code, ended.stderr) == (3, f"semaudit: error: interrupted{said}\n")


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe to write to, whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_closed_standard_error_does_not_end_the_work(
    place: tuple[str, ...], tmp_path: Path, unread: int
) -> None:
    command = [sys.executable, "-m", "semaudit", *place, *STRONG]
    ended = subprocess.run(command, cwd=tmp_path, stderr=unread, stdout=subprocess.PIPE)
    assert ended.returncode == 0
    assert b"Verdict: " in ended.stdout
    assert (tmp_path / "smoother.safetensors").is_file()


def test_streams_that_were_never_open(place: tuple[str, ...], tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-m", "semaudit", *place, *STRONG])
    ended = subprocess.run(f"{command} >&- 2>&-", cwd=tmp_path, shell=True, check=False)
    assert ended.returncode == 0
    assert (tmp_path / "smoother.safetensors").is_file()


def test_a_closed_standard_output_does_not_hide_that_the_run_is_done(
    place: tuple[str, ...], tmp_path: Path, unread: int
) -> None:
    command = [sys.executable, "-m", "semaudit", *place, *STRONG]
    ended = subprocess.run(command, cwd=tmp_path, stdout=unread, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1] == (
        "semaudit: error: standard output was closed before all was printed; the run is done, with "
        "code 0, and its evidence is in smoother.finetune"
    )
    assert (tmp_path / "smoother.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("locked", [False, True])
def test_of_two_processes_the_first_says_why_they_are_refused(
    place: tuple[str, ...], tmp_path: Path, *, locked: bool
) -> None:
    out = tmp_path / "a.safetensors"
    command = (*TOGETHER, "-m", "semaudit", *place, "-o", out.name)
    if locked:  # and a state is there already, which is of no broken run
        partial(out).mkdir()
        (partial(out) / "state.pt").touch()
    else:
        out.touch()
    with alone(out) if locked else nullcontext():
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = [line for line in ended.stderr.splitlines() if line.startswith("semaudit: error: ")]
    why = "another run is at work on" if locked else "a.safetensors exists: --force replaces it"
    assert ended.returncode == 1  # the launcher's
    # The launcher may end the other one before it says so.
    others = [line for line in said if "the first of the processes was refused" in line]
    assert len(others) <= 1
    assert sum(why in line for line in said) == 1
    assert len(said) == 1 + len(others)


@pytest.mark.slow
def test_two_processes_are_one_of_the_same_batch(
    process: Run, place: tuple[str, ...], tmp_path: Path
) -> None:
    module = ("-m", "semaudit")
    settings = (*place, *STRONG)
    one = process(*settings, "-o", "one.safetensors", program=(sys.executable, *module))
    two = process(*settings, "-o", "two.safetensors", program=(*TOGETHER, *module))
    assert (one.code, two.code) == (0, 0)
    losses, shifts = [], []
    for name in ("one", "two"):
        folder = tmp_path / f"{name}.finetune"
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines if "loss" in line])
        record = json.loads((folder / "finetune.json").read_text("utf-8"))
        shifts.append([point["shift"] for point in record["frontier"]])
        assert record["runtime"]["processes"] == (1 if name == "one" else 2)
    # Sums in another order differ in the last bit, which Adam's division lets grow.
    assert losses[0][:4] == pytest.approx(losses[1][:4], rel=1e-4)
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
    assert shifts[0] == pytest.approx(shifts[1], rel=0.03)


@pytest.mark.slow
def test_a_proof_may_take_longer_than_processes_wait_for_each_other(
    process: Run, place: tuple[str, ...], tmp_path: Path
) -> None:
    program = tmp_path / "slow_proof.py"
    program.write_text(
        "import datetime, time\n"
        "import torch.distributed\n"
        "from semaudit.finetuning import proof\n"
        "from semaudit.cli import main\n"
        "torch.distributed.init_process_group('gloo', timeout=datetime.timedelta(seconds=20))\n"
        "audit = proof.audit\n"
        "def slow(*given):\n"
        "    time.sleep(15)\n"
        "    return audit(*given)\n"
        "proof.audit = slow\n"
        "main()\n",
        "utf-8",
    )
    ended = process(*place, *STRONG, program=(*TOGETHER, str(program)))
    assert ended.code == 0, ended.stderr
    folder = tmp_path / "smoother.finetune"
    assert (folder / "after").is_dir()
    record = json.loads((folder / "finetune.json").read_text("utf-8"))
    assert record["runtime"]["processes"] == 2
