"""A file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from semaudit.errors import UsageError
from semaudit.files import appearing_file, check_file


def test_it_takes_its_name_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    with appearing_file(out) as work:
        work.write_text("whole")
        assert work.suffix == ".png"
        assert not out.exists()
    assert out.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [out]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "data.csv"
    out.write_text("before")

    def fail() -> None:
        with appearing_file(out) as work:
            work.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    check_file(tmp_path / "new.png")
    with pytest.raises(UsageError, match="is a folder"):
        check_file(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        check_file(tmp_path / "missing" / "new.png")
