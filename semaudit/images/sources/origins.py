"""Where the content of one picture lies, and how it is fetched, perhaps in a worker process."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LONGEST = 300  # characters of a place that a message shows

Content: TypeAlias = bytes | Image.Image | NDArray[np.uint8]
"""An encoded picture, an opened one, or pixels (h, w) or (h, w, c)."""


class Origin(Protocol):
    """The place of one picture: small, and picklable for worker processes."""

    @property
    def where(self) -> str:
        """The place as messages name it, on one line."""

    def read(self) -> Content:
        """Fetch the content.

        Raises:
            OSError: it is not there, or cannot be read.
            DecodeError: what is there is no picture.
        """


LARGEST = 1 << 30
"""Bytes of a file that is read as a picture."""


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """A file by the folder that a source shares and the name below it."""

    folder: str
    name: str

    @property
    def where(self) -> str:
        """The path of the file."""
        return shown(os.path.join(self.folder, self.name))  # noqa: PTH118  # a Path takes 1 kB

    def read(self) -> bytes:
        """Read the file; see `Origin.read`."""
        path = os.path.join(self.folder, self.name)  # noqa: PTH118
        # A pipe would otherwise be waited for, and a device have no end.
        with open(path, "rb", opener=_at_once) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise OSError("it is no regular file")
            if state.st_size > LARGEST:
                raise OSError(f"it has {state.st_size >> 20:,} MiB, which no picture needs")
            return file.read()


@dataclass(frozen=True, slots=True)
class SpanOrigin:
    """A span of bytes inside an uncompressed archive."""

    archive: str
    name: str
    offset: int
    size: int

    @property
    def where(self) -> str:
        """The archive and the member's name in it."""
        return shown(f"{self.archive}: {self.name}")

    def read(self) -> bytes:
        """Read the span; see `Origin.read`."""
        with open(self.archive, "rb") as file:  # noqa: PTH123
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise OSError(f"the archive ends {self.size - len(content)} bytes too early")
        return content


def shown(text: str) -> str:
    """Return a name as a message may show it: printable, on one line, cut in the middle."""
    plain = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    if len(plain) <= _LONGEST:
        return plain
    half = _LONGEST // 2
    return f"{plain[:half]}...{plain[-half:]}"


__all__ = ["Content", "FileOrigin", "Origin", "SpanOrigin", "shown"]
