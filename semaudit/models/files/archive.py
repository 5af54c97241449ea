"""Zip archives, judged by their directory alone before anything reads what is inside."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from semaudit.errors import ModelError

MAX_DIRECTORY = 8 << 20
"""Bytes of the directory: some 100,000 entries. Reading one takes ten times its size."""
MAX_ENTRIES = 100_000
MAX_RATIO = 200
"""How much smaller an entry may be packed; deflated zeros reach 1,000, program text under 20."""
MAX_UNPACKED = 256 << 20
"""Bytes that all packed entries together may unpack to."""

_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_LONGEST_END = 22 + 0xFFFF  # with the longest comment
_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class Archive:
    """The directory of a zip archive that has passed every check.

    Attributes:
        path: the file.
        folder: what every name starts with, ending in "/"; empty when they share no folder.
        sizes: bytes of each entry once unpacked, by its name without ``folder``.
        packed: names of the entries that are compressed.
        offsets: where each entry's header starts in the file.
    """

    path: Path
    folder: str
    sizes: Mapping[str, int]
    packed: frozenset[str]
    offsets: Mapping[str, int]


def open_archive(path: Path) -> Archive:
    """Read and judge the directory of a zip archive; nothing is unpacked.

    Raises:
        ModelError: it is cut short or damaged, or has links, encrypted or repeated entries, names
            that lead out of it, entries that overlap or that unpack to far more than they are.
    """
    try:
        _require_small_directory(path)
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except ModelError:
        raise
    except Exception as error:  # damaged bytes make zipfile raise nearly anything
        raise ModelError(
            f"{path} is a zip archive that is damaged or cut short ({error}); fetch it again"
        ) from error
    if len(entries) > MAX_ENTRIES:
        raise _refused(path, f"it has {len(entries)} entries, more than {MAX_ENTRIES}")
    for entry in entries:
        _judge(path, entry)
    _judge_together(path, entries)
    folder = _shared_folder([entry.filename for entry in entries])
    names = [(entry.filename.removeprefix(folder), entry) for entry in entries]
    return Archive(
        path=path,
        folder=folder,
        sizes={name: entry.file_size for name, entry in names},
        packed=frozenset(name for name, entry in names if entry.compress_type),
        offsets={name: entry.header_offset for name, entry in names},
    )


def read_entry(archive: Archive, name: str, limit: int) -> bytes:
    """Read the first ``limit`` bytes of an entry.

    Raises:
        ModelError: it is damaged.
    """
    try:
        if name in archive.packed:
            opened = zipfile.ZipFile(archive.path)
            with opened, opened.open(archive.folder + name) as entry:
                return entry.read(limit)
        # torch can leave out the checksum that zipfile insists on.
        with archive.path.open("rb") as file:
            file.seek(archive.offsets[name])
            signature, named, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            if signature != b"PK\x03\x04":
                raise zipfile.BadZipFile(f"no entry where the directory puts {name}")
            file.seek(named + extra, 1)
            return file.read(min(limit, archive.sizes[name]))
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError) as error:
        raise ModelError(f"{archive.path} is damaged ({error}); fetch it again") from error


def _require_small_directory(path: Path) -> None:
    """Look at the end record before zipfile takes the directory into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _LONGEST_END))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0:
            raise zipfile.BadZipFile("its directory, which stands at the end, is missing")
        entries, directory = struct.unpack_from("<HI", tail, at + 10)
        locator = tail[at - 20 : at] if at >= 20 else b""
        if locator[:4] == _LOCATOR64:
            file.seek(struct.unpack_from("<Q", locator, 8)[0])
            record = file.read(56)
            if record[:4] == _END64:
                entries, directory = struct.unpack_from("<QQ", record, 32)
    if directory > MAX_DIRECTORY or entries > MAX_ENTRIES:
        raise _refused(path, f"it claims {entries} entries; {MAX_ENTRIES} are plenty")


def _judge(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse an entry for what the directory says of it."""
    name, parts = entry.filename[:80], entry.filename.replace("\\", "/").split("/")
    if entry.filename.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":"):
        raise _refused(path, f"entry {name!r} leads out of the archive")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _refused(path, f"entry {name!r} is a symbolic link")
    if entry.flag_bits & 1:
        raise _refused(path, f"entry {name!r} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(path, f"entry {name!r} is packed in a way that torch never uses")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        raise _refused(path, f"entry {name!r} contradicts itself about its size")
    if entry.file_size > max(1 << 20, MAX_RATIO * entry.compress_size):
        raise _refused(
            path,
            f"entry {name!r} would unpack {entry.compress_size:,} bytes to {entry.file_size:,}: "
            "a zip bomb",
        )


def _judge_together(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    counts = Counter(entry.filename for entry in entries)
    for name, count in counts.most_common(1):
        if count > 1:
            raise _refused(path, f"it has {count} entries named {name[:80]!r}")
    unpacked = sum(entry.file_size for entry in entries if entry.compress_type)
    if unpacked > MAX_UNPACKED:
        raise _refused(path, f"its packed entries would unpack to {unpacked:,} bytes: a zip bomb")
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in ordered[1:]), path.stat().st_size]
    for entry, end in zip(ordered, ends, strict=True):
        if entry.header_offset + _LOCAL_HEADER.size + entry.compress_size > end:
            raise _refused(path, f"entry {entry.filename[:80]!r} overlaps another or the end")


def _shared_folder(names: list[str]) -> str:
    folder, slash, _ = names[0].partition("/") if names else ("", "", "")
    prefix = folder + slash
    return prefix if slash and all(name.startswith(prefix) for name in names) else ""


def _refused(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} is a zip archive that semaudit does not open: {reason}. torch.save writes no such "
        "archive; have the weights saved anew"
    )
