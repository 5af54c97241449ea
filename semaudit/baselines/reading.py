"""Reads a baseline's file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from semaudit.baselines.contents import CHECKSUM, MEMBERS, UNCHECKED_VERSION, VERSION, checksum
from semaudit.comparing.opening import Opened, gathered
from semaudit.errors import AuditError
from semaudit.folder import MANIFEST, REPORT, as_manifest
from semaudit.report.file import parse_report
from semaudit.store import Samples

_LARGEST = 2**30
"""Bytes that a member may unpack to: a file of a million pictures is no baseline for a
repository, and a small one that claims more is meant to fill the memory."""

_AGAIN = "save it again with `semaudit baseline save`"

_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def read_file(path: Path) -> Opened:
    """Open a baseline's file as the audit that it was made of.

    Raises:
        AuditError: it is damaged, or no baseline's file.
    """
    members = _members(path)
    texts = {name: _text(members[name], path / name) for name in (REPORT, MANIFEST)}
    manifest = as_manifest(texts[MANIFEST], path / MANIFEST)
    version = manifest.get("baseline_version")
    if isinstance(version, bool) or version not in (UNCHECKED_VERSION, VERSION):
        raise AuditError(
            f"the baseline {path} has version {version!r}, this semaudit reads up to {VERSION}; "
            f"{_AGAIN}"
        )
    _check(path, members, required=version == VERSION)
    report = parse_report(texts[REPORT], path / REPORT)
    return gathered(str(path), report, Samples(path, report.layout, members), manifest)


def _check(path: Path, members: Mapping[str, bytes], *, required: bool) -> None:
    """Hold the contents against their checksum; one that is there counts whatever the version."""
    kept = members.get(CHECKSUM)
    if kept is None and required:
        raise AuditError(f"the baseline {path} is damaged: its checksum is missing; {_AGAIN}")
    if kept is not None and kept != checksum(members).encode():
        raise AuditError(
            f"the baseline {path} is damaged, or was edited: its contents are not those of its "
            f"checksum; {_AGAIN}"
        )


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [*MEMBERS, *({CHECKSUM} & {*archive.namelist()})]
            sizes = {name: archive.getinfo(name).file_size for name in names}
            if max(sizes.values()) > _LARGEST:
                raise AuditError(f"the baseline {path} is damaged: it is of an impossible size")
            if {archive.getinfo(name).compress_type for name in names} - _PACKED:
                raise AuditError(f"the baseline {path} is packed in a way that semaudit never does")
            return {name: archive.read(name) for name in names}
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError),
        *(RuntimeError, ValueError, OSError),
    ) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise AuditError(
            f"{path} is no baseline, or is damaged{f' ({reason})' if reason else ''}: name the "
            "folder of an audit, or the file that `semaudit baseline save` made of one"
        ) from error


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AuditError(f"{path} cannot be read: it is not UTF-8 text; save it again") from error
