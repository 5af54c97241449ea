"""The records of a PyTorch zip archive, as torch's own reader sees them.

The reader that loads an archive is the one that must look into it: another one could be shown
other records by a zip file that is made to be read in two ways.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from semaudit.errors import ModelError

EXTRA = "extra/"
LONGEST_TEXT = 1 << 28
"""Bytes of code or of a program's graph; the largest models' take a few megabytes."""


class Archive:
    """Names and contents of the records of an archive, without its root folder.

    Raises:
        ModelError: the file is no PyTorch archive, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._reader: Any = torch._C.PyTorchFileReader(str(path))
            self.names = tuple(map(str, self._reader.get_all_records()))
        except (RuntimeError, OSError, UnicodeDecodeError) as error:
            raise self.damaged(error) from error
        name, count = max(Counter(self.names).items(), key=lambda item: item[1], default=("", 0))
        if count > 1:
            raise ModelError(f"{path} holds {name[:80]!r} twice; it is not as torch saves it")

    def read(self, name: str) -> bytes:
        """Return one record's bytes."""
        size = self.size(name)
        if size > LONGEST_TEXT:
            raise ModelError(f"{self.path}: {name} takes {size} bytes, more than such a record may")
        try:
            return bytes(self._reader.get_record(name))
        except (RuntimeError, MemoryError) as error:
            raise self.damaged(error) from error

    def size(self, name: str) -> int:
        """Return the number of a record's bytes."""
        try:
            return int(self._reader.get_record_size(name))
        except RuntimeError as error:
            raise self.damaged(error) from error

    def extras(self) -> dict[str, object]:
        """Return what was saved beside the model (``_extra_files``), by file name."""
        named = [name for name in self.names if name.startswith(EXTRA)]
        if (size := sum(map(self.size, named))) > LONGEST_TEXT:
            raise ModelError(
                f"{self.path}: what was saved beside the model takes {size:,} bytes, more than "
                "it may; the file is damaged, or made to fill the memory"
            )
        return {name.removeprefix(EXTRA): self.read(name) for name in named}

    def damaged(self, error: Exception) -> ModelError:
        """Say that the file cannot be read."""
        reason = str(error).partition("\n")[0]
        return ModelError(
            f"{self.path} cannot be read as a PyTorch archive ({reason}); it is damaged or cut "
            "short. Fetch it again, or save it anew"
        )
