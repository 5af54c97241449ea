"""The live bar: what comes before a scan is shown, and is not taken for pictures done."""

from __future__ import annotations

import io
import sys

import pytest

from semaudit.cli.progress import Seen, live
from semaudit.stream import Progress


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


def test_what_comes_before_the_scan_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, seen = Terminal(), Seen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with live(seen, shown=True) as watch:
        watch(Progress(0, 0, 3, 43, before="measuring visibility"))
    assert (seen.pictures, seen.total) == (0, 0)
    assert "measuring visibility" in screen.getvalue()
    assert "3/43 probes" in screen.getvalue()
    with live(seen, shown=True) as watch:
        watch(Progress(0, 0, 43, 43, before="measuring visibility"))
        watch(Progress(2, 20, 344, 3440))
    assert (seen.pictures, seen.total) == (2, 20)
    assert "344/3,440 probe rungs" in screen.getvalue()


def test_nothing_is_shown_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with live(Seen(), shown=True) as watch:
        watch(Progress(0, 0, 3, 43, before="measuring visibility"))
        watch(Progress(2, 20, 344, 3440))
    assert capsys.readouterr() == ("", "")
