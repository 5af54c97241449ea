"""A file appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from semaudit.errors import AuditError, UsageError

Document = TypeVar("Document", bound=BaseModel)


def parsed(kind: type[Document], text: str | bytes, path: Path, advice: str) -> Document:
    """Make a document of the JSON that was read at ``path``.

    Raises:
        AuditError: it is damaged; says where first, and ends with the advice.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AuditError(f"{path} is damaged at {where}: {first['msg']}; {advice}") from error


def read_text(path: Path, advice: str) -> str:
    """Read a text file of an audit.

    Raises:
        AuditError: it cannot be read; says why, and ends with the advice.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise AuditError(f"{path} cannot be read: {reason}; {advice}") from error


def check_file(out: Path) -> None:
    """Make sure, before any work, that a file can be written.

    Raises:
        UsageError: it is a folder, its folder is not there, or nothing can be written there.
    """
    if out.is_dir():
        raise UsageError(f"-o {out} is a folder; name a file")
    folder = out.resolve().parent  # a link is written where it leads
    if not folder.is_dir():
        name = folder if out.is_symlink() else out.parent
        what = f"{name} is a file, no folder" if folder.exists() else f"there is no folder {name}"
        raise UsageError(f"-o {out}: {what}")
    _refuse_unwritable(folder, out)


def _refuse_unwritable(folder: Path, out: Path) -> None:
    try:  # permissions alone do not tell: a folder of the system's own may take no file
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"-o {out} cannot be written to {folder}: {error.strerror}") from error


def check_file_below(out: Path) -> None:
    """The same for a file whose folders `folders_made` will make where they are not there.

    Raises:
        UsageError: what is there already is no folder, or may not be written to.
    """
    nearest = out.absolute().parent
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest == out.absolute().parent:
        check_file(out)
        return
    if not nearest.is_dir():
        raise UsageError(f"-o {out}: {nearest} is a file, and no folder can be made in it")
    _refuse_unwritable(nearest, out)


@contextmanager
def folders_made(folder: Path) -> Iterator[None]:
    """Make a folder, and what it lies in; take away again what stays empty."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for each in made:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


@contextmanager
def appearing_file(out: Path) -> Iterator[Path]:
    """Yield a new file beside ``out`` that takes its name at the end, and goes on an error."""
    target = out.resolve()  # where ``out`` is a link, what it leads to is replaced
    handle, name = tempfile.mkstemp(
        prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    work = Path(name)
    work.chmod(0o644)
    try:
        yield work
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)


def utf8(name: str) -> str:
    """A name as a text takes it: the lone surrogates that stand for other bytes are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_utf8(name: str) -> bool:
    """Whether a name is text: the system's undecodable bytes arrive as lone surrogates."""
    return name == utf8(name)


def refuse_undecodable(out: Path, flag: str) -> None:
    """Refuse a place whose whole name is no text: tables cannot be written there.

    Raises:
        UsageError: saying so.
    """
    if not is_utf8(name := str(out.resolve())):
        raise UsageError(
            f"{flag} {out} cannot be written: {name} is no UTF-8, as tables need; name another "
            "place"
        )


def file_sha256(path: Path) -> str:
    """Hash a file, a megabyte at a time. Returns 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
