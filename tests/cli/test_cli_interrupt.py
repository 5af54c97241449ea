"""Ctrl-C: the end comes soon, says what was kept, and leaves no process and no traceback."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from shared import ARCH, console_script

from semaudit.cli import gate as gate_command

PATIENCE = 240.0
SOON = 10.0  # it takes well under 2 on a machine that does nothing else


@pytest.fixture
def many(pictures: Path, tmp_path: Path) -> Path:
    """Far more pictures than will be scanned."""
    data = tmp_path / "many"
    for folder in sorted(pictures.iterdir()):
        (data / folder.name).mkdir(parents=True)
        for copy in range(300):
            source = folder / f"{copy % 3}.png"
            shutil.copy(source, data / folder.name / f"{copy}.png")
    return data


Interrupted = Callable[..., tuple[int, str]]


@pytest.fixture
def interrupted(checkpoint: Path, many: Path, tmp_path: Path) -> Interrupted:
    """Scan with a terminal for standard error; press Ctrl-C when the bar shows a pattern."""

    def scan(pattern: str, *words: str, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        command = [console_script(), "scan", str(checkpoint), "--arch", ARCH, "--img-size", "32"]
        command += ["--data", str(many), "--no-gradients", "--device", "cpu", *words]
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
            start_new_session=True,
        ) as running:
            os.close(theirs)
            try:
                seen = read_until(ours, pattern)
            except BaseException:
                os.killpg(running.pid, signal.SIGKILL)  # it would be waited for to the end
                raise
            pressed = time.monotonic()
            os.killpg(running.pid, by)
            seen += read_until(ours, None)
            code = running.wait(timeout=PATIENCE)
            took = time.monotonic() - pressed
            assert running.stdout is not None
            assert running.stdout.read() == b""
        os.close(ours)
        print(f"ended {took:.2f} s after Ctrl-C")
        assert took < SOON
        assert "Traceback" not in seen
        assert not [p for p in psutil.process_iter() if of_group(p.pid, running.pid)]
        return code, seen

    return scan


def read_until(terminal: int, pattern: str | None) -> str:
    """What comes until a pattern, or until the other end closes."""
    seen = ""
    started = time.monotonic()
    while pattern is None or not re.search(pattern, seen):
        assert time.monotonic() - started < PATIENCE, seen[-2000:]
        try:
            part = os.read(terminal, 4096)
        except OSError:  # how Linux reports that the other end is closed
            part = b""
        if not part:
            assert pattern is None, seen
            break
        seen += part.decode("utf-8", "replace")
    return seen


def of_group(process: int, group: int) -> bool:
    try:
        return os.getpgid(process) == group
    except ProcessLookupError:
        return False


MESSAGE = r"semaudit: error: interrupted after (\d+) of 1200 pictures; (.*)"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_was_measured_is_kept(workers: str, interrupted: Interrupted, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    code, seen = interrupted(r"[1-9]\d*/1,200 pictures", "-b", "2", "-j", workers, "--out", "audit")
    assert code == 3
    message = re.search(MESSAGE, seen)
    assert message, seen[-500:]
    assert f"their samples are kept in {out}.partial, which is no finished audit" in message[2]
    assert {path.name for path in tmp_path.iterdir()} == {"many", "audit.partial"}
    partial = tmp_path / "audit.partial"
    pictures = pq.ParquetFile(partial / "images.parquet").metadata.num_rows
    assert 0 < int(message[1]) <= pictures < 1200
    samples = pq.read_table(partial / "samples.parquet").to_pandas()
    assert samples["image"].nunique() == pictures
    assert not (partial / "report.json").exists()


def test_without_out_nothing_is_kept(interrupted: Interrupted, tmp_path: Path) -> None:
    code, seen = interrupted(r"[1-9]\d*/1,200 pictures", "-b", "2")
    assert code == 3
    message = re.search(MESSAGE, seen)
    assert message, seen[-500:]
    assert message[2].startswith("nothing was kept")
    assert {path.name for path in tmp_path.iterdir()} == {"many"}


def test_a_cancelled_job_tidies_up_too(interrupted: Interrupted, tmp_path: Path) -> None:
    code, seen = interrupted(r"[1-9]\d*/1,200 pictures", "-b", "2", by=signal.SIGTERM)
    assert code == 3
    assert re.search(MESSAGE, seen), seen[-500:]
    assert {path.name for path in tmp_path.iterdir()} == {"many"}


def test_while_it_loads(interrupted: Interrupted, tmp_path: Path) -> None:
    (tmp_path / "audit.partial").mkdir()  # of an earlier interrupt
    code, seen = interrupted("loading", "--out", "audit")
    assert code == 3
    assert "interrupted after 0 of ? pictures; nothing was kept" in seen
    assert {path.name for path in tmp_path.iterdir()} == {"many", "audit.partial"}


def test_a_gate_that_is_interrupted_did_not_pass(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from semaudit.cli import main

    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gate_command, "present", pressed)
    monkeypatch.setattr(sys, "argv", ["semaudit", "gate", str(audited), "--fail-on", "score>=20"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert capsys.readouterr().err == "semaudit: error: interrupted\n"
