"""What is inside a tar archive and where, read from its headers; nothing is ever extracted."""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from semaudit.errors import ImageError
from semaudit.files import utf8
from semaudit.images.sources.lists import LABEL_COLUMNS
from semaudit.images.sources.origins import SpanOrigin, shown

_PACKED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}
_LARGEST_SIDECAR = 1 << 20
_LABEL_KEYS = ("cls", *LABEL_COLUMNS)


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file in an archive: its bytes start at ``offset``."""

    archive: str
    name: str
    offset: int
    size: int


def members_of(archive: Path) -> Iterator[Member]:
    """Yield the plain files of an archive in order.

    Links, devices, hidden files and names that lead out of the archive are passed over.

    Raises:
        ImageError: the archive is compressed, damaged or cut short, or cannot be read.
    """
    path = sys.intern(str(archive))
    try:
        with archive.open("rb") as file:
            if packing := _PACKED.get(file.read(2)):
                raise ImageError(
                    f"{archive} is compressed ({packing}), so its pictures cannot be reached one "
                    "by one; unpack it to a plain .tar, which is hardly larger"
                )
            end = file.seek(0, 2)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                start = -1
                while (header := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would remember every header
                    if header.size < 0 or tar.offset <= start:
                        raise ImageError(f"{archive} is damaged at {shown(header.name)!r}")
                    start = tar.offset
                    if header.isreg() and header.offset_data + header.size > end:
                        raise ImageError(f"{archive} is cut short within {shown(header.name)!r}")
                    if header.isreg() and not header.issparse() and _is_plain(header.name):
                        name = str(PurePosixPath(utf8(header.name)))
                        yield Member(path, name, header.offset_data, header.size)
                # A damaged header looks like the end to the library.
                file.seek(tar.offset)
                if any(file.read(tarfile.BLOCKSIZE)):
                    raise ImageError(f"{archive} is damaged after {tar.offset} bytes")
    # A header's numbers and texts fail in kinds of their own.
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
        raise ImageError(f"{archive} is no tar archive, or damaged: {error}") from error
    except OSError as error:
        raise ImageError(f"cannot read {archive}: {error.strerror or error}") from error


def label_in(member: Member, kind: str, key: str | None) -> str | None:
    """Read the label in a ``cls``, ``txt`` or ``json`` file; None where the JSON has none.

    Raises:
        ImageError: the file cannot be understood.
    """
    origin = SpanOrigin(member.archive, member.name, member.offset, member.size)
    if member.size > _LARGEST_SIDECAR:
        raise ImageError(f"{origin.where} has {member.size} bytes, too many for a label")
    try:
        text = origin.read().decode()
        return _label_in_json(text, key) if kind == "json" else text.strip()
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{origin.where} holds no label: {error}") from error
    except OSError as error:
        raise ImageError(f"cannot read {origin.where}: {error.strerror or error}") from error


def _label_in_json(text: str, key: str | None) -> str | None:
    content = json.loads(text)
    if isinstance(content, (str, int)):
        return str(content)
    keys = _LABEL_KEYS if key is None else (key,)
    values = (
        [content[name] for name in keys if name in content] if isinstance(content, dict) else []
    )
    return str(values[0]) if values and isinstance(values[0], (str, int)) else None


def _is_plain(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and not hidden and not name.startswith("/")


__all__ = ["Member", "label_in", "members_of"]
