"""What a pickle would import if it were loaded: told by picklescan, which runs none of it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from picklescan.scanner import SafetyLevel, scan_pickle_bytes

from semaudit.errors import ModelError
from semaudit.models.files.allowed import full_name, is_known
from semaudit.models.files.archive import open_archive, read_entry

MAX_BYTES = 2 << 20
"""Read of each pickle: the scanner keeps some 100 bytes a step, and a step may be one byte."""
MAX_PICKLES = 16
SHOWN = 8
_LONGEST_NAME = 80


def imports(path: Path, *, is_zip: bool) -> tuple[str, ...]:
    """List what a file's pickles import beyond a state dict's needs, the dangerous ones first.

    This explains a refusal; no file is ever opened because nothing was found.

    Raises:
        ModelError: the scanner cannot make sense of the file.
    """
    found: dict[str, SafetyLevel] = {}
    for pickled in _zipped(path) if is_zip else _bare(path):
        try:
            with _silenced():
                result = scan_pickle_bytes(io.BytesIO(pickled), path.name)
        except Exception as error:  # a pickle may be made to break its scanner, in any way
            raise ModelError(f"{path} cannot be read: its pickle breaks the scanner") from error
        for item in result.globals:
            found.setdefault(_printable(full_name(item.module, item.name)), item.safety)
    foreign = [name for name in found if not is_known(name)]
    harm = {SafetyLevel.Dangerous: 0, SafetyLevel.Suspicious: 1, SafetyLevel.Innocuous: 2}
    return tuple(sorted(foreign, key=lambda name: (harm[found[name]], name)))


def listed(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _zipped(path: Path) -> Iterator[bytes]:
    archive = open_archive(path)
    pickles = [name for name in archive.sizes if name.endswith(".pkl")]
    for name in pickles[:MAX_PICKLES]:
        yield read_entry(archive, name, MAX_BYTES)


def _bare(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(MAX_BYTES)


def _printable(name: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the scanner from printing what it finds: the refusal says it."""
    log = logging.getLogger("picklescan")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
