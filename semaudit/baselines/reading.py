"""Reads a baseline's file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from semaudit.baselines.contents import MEMBERS, VERSION
from semaudit.comparing.opening import Opened, gathered
from semaudit.errors import AuditError
from semaudit.folder import MANIFEST, REPORT, as_manifest
from semaudit.report.file import parse_report
from semaudit.store import Samples

_LARGEST = 2**30
"""Bytes that a member may unpack to: a file of a million pictures is no baseline for a
repository, and a small one that claims more is meant to fill the memory."""


def read_file(path: Path) -> Opened:
    """Open a baseline's file as the audit that it was made of.

    Raises:
        AuditError: it is damaged, or no baseline's file.
    """
    members = _members(path)
    texts = {name: _text(members[name], path / name) for name in (REPORT, MANIFEST)}
    manifest = as_manifest(texts[MANIFEST], path / MANIFEST)
    version = manifest.get("baseline_version")
    if version != VERSION:
        raise AuditError(
            f"the baseline {path} has version {version!r}, this semaudit reads {VERSION}; save it "
            "again with `semaudit baseline save`"
        )
    report = parse_report(texts[REPORT], path / REPORT)
    return gathered(str(path), report, Samples(path, report.layout, members), manifest)


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {name: archive.getinfo(name).file_size for name in MEMBERS}
            if max(sizes.values()) > _LARGEST:
                raise AuditError(f"the baseline {path} is damaged: it is of an impossible size")
            return {name: archive.read(name) for name in MEMBERS}
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
