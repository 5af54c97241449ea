"""The records of a ``torch.export`` archive, as torch wrote them: JSON, not yet believed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from semaudit.errors import ModelError
from semaudit.models.programs.archives import Archive

LARGEST_JSON = 32 << 20
"""Bytes; the graphs of large networks take some 5 MB."""
MOST_VALUES = 2_000_000
"""A network's graph has some 50 an operator. Python takes up to 200 bytes each, and 2 s for all."""


def exported_archive(path: Path) -> Archive:
    """Open the archive, refusing the format of torch 2.7 and before.

    Raises:
        ModelError: it is of that format, is damaged, or holds no exported program.
    """
    try:
        with zipfile.ZipFile(path) as file:
            old = "version" in file.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ModelError(
            f"{path} is no exported program ({error}); it is damaged or cut short"
        ) from error
    # Also where torch would fall back to, unpickling, when the other reading fails.
    if old:
        raise ModelError(
            f"{path} is an exported program of torch 2.7 or before, which is kept as pickles; "
            "export the model again with a newer torch"
        )
    archive = Archive(path)
    if "models/model.json" not in archive.names:
        compiled = any(name.startswith("data/aotinductor") for name in archive.names)
        what = "holds compiled machine code alone" if compiled else "holds no exported program"
        raise ModelError(f"{path} {what}; save one with torch.export.save")
    return archive


def read_program(archive: Archive) -> dict[str, object]:
    """Return the program's graph as torch wrote it, in JSON.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    program = read_json(archive, "models/model.json")
    if not isinstance(program, dict):
        raise ModelError(f"{archive.path}: models/model.json is no exported program")
    return program


def read_json(archive: Archive, name: str) -> object:
    """Return what a record in JSON holds.

    Raises:
        ModelError: it cannot be read, or is larger than any network's.
    """
    if (size := archive.size(name)) > LARGEST_JSON:
        raise _too_large(archive, name, f"{size:,} bytes")
    text = archive.read(name)
    # Before it is parsed: what two bytes of text stand for takes Python a hundred.
    if (values := sum(map(text.count, (b",", b"[", b"{")))) > MOST_VALUES:
        raise _too_large(archive, name, f"some {values:,} values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"{archive.path}: {name} cannot be read: {error}") from error


def _too_large(archive: Archive, name: str, what: str) -> ModelError:
    return ModelError(
        f"{archive.path}: {name} takes {what}, more than any network's; the file is damaged, or "
        "made to fill the memory"
    )
