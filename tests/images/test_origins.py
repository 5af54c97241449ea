"""A picture's file is read only where it is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from semaudit.images.sources.origins import LARGEST, FileOrigin


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"abc")
    assert FileOrigin(str(tmp_path), "a.png").read() == b"abc"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(OSError, match="no regular file"):
        FileOrigin(str(tmp_path), "a.png").read()


def test_a_device_behind_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="no regular file"):
        FileOrigin(str(tmp_path), "a.png").read()


def test_a_file_that_no_picture_needs_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(LARGEST + 1)  # sparse
    with pytest.raises(OSError, match="1,024 MiB"):
        FileOrigin(str(tmp_path), "a.png").read()
