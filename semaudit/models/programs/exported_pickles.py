"""Whether the pickles within an exported program hold tensors and nothing else.

torch falls back to running a pickle's code when its safe reader fails, so that it must not fail.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from semaudit.errors import ModelError
from semaudit.models.files.archive import open_archive, read_entry
from semaudit.models.files.symbols import (
    ForeignError,
    InflatedError,
    Storages,
    UnreadableError,
    UnusableError,
)
from semaudit.models.files.vetting import vet
from semaudit.models.programs.archives import EXTRA, Archive
from semaudit.models.programs.exported_sizes import Objection

MAX_PICKLE = 1 << 20
"""Bytes of the list of tensors in such a record; that of the sample pictures takes under 1,000."""


def pickles(archive: Archive) -> tuple[str, ...]:
    """Return the names of the records that torch unpickles."""
    return tuple(n for n in archive.names if n.endswith(".pt") and not n.startswith(EXTRA))


def vet_pickle(archive: Archive, name: str) -> None:
    """Play a record through without loading it, as is done with a checkpoint.

    Raises:
        Objection: it holds more than tensors, or claims more than it has.
    """
    content = archive.read(name)
    with TemporaryDirectory() as folder:
        inner = Path(folder) / "model.pt"
        inner.write_bytes(content)
        try:
            directory = open_archive(inner)
            if directory.packed or directory.sizes["data.pkl"] > MAX_PICKLE:
                raise UnreadableError("packed, or a list of tensors that is too long")
            listed = io.BytesIO(read_entry(directory, "data.pkl", MAX_PICKLE))
            vet(listed, Storages(directory.sizes, len(content)))
        except (ModelError, ForeignError, UnreadableError, UnusableError, KeyError) as error:
            raise Objection(f"{name} holds more than tensors, or is damaged") from error
        except InflatedError as error:
            raise Objection(f"{name} claims more numbers than it holds") from error


def require_loadable(archive: Archive) -> None:
    """Read the pickles, which are vetted, as torch will: with its safe reader.

    Raises:
        ModelError: it refuses one.
    """
    for name in pickles(archive):
        content = io.BytesIO(archive.read(name))
        try:
            torch.load(content, weights_only=True, map_location="cpu")
        except Exception as error:  # damaged bytes make the reader raise nearly anything
            raise ModelError(
                f"{archive.path}: {name} holds more than tensors, or is damaged. It was not "
                "loaded. Export the model again"
            ) from error
