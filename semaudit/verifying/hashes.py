"""The hashes of an audit's files, as the manifest keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError
from semaudit.files import file_sha256
from semaudit.folder import MANIFEST, REPORT
from semaudit.store import IMAGES, PATHS, SAMPLES

FILES = "files"
"""The manifest's key with them; audits of before it was written have none."""

_ALWAYS = (REPORT, IMAGES, PATHS, SAMPLES)
"""Files of every audit, which no record may leave out."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Held:
    """The files of an audit held against the record, by their paths within it.

    Attributes:
        same: as they were written.
        changed: of another content.
        missing: on record, and not there.
        added: there, and not on record, as what `semaudit inspect` draws.
    """

    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]


def hashes_of(audit: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder but the manifest, which holds them."""
    return {name: file_sha256(audit / name) for name in _names(audit)}


def recorded(manifest: Mapping[str, Any], audit: Path) -> dict[str, str] | None:
    """The hashes that a manifest holds; None where it is of before there were any.

    Raises:
        AuditError: they are none.
    """
    found = manifest.get(FILES)
    if found is None:
        return None
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(each, str) and is_hash(each)
        for name, each in found.items()
    ):
        raise AuditError(f"{audit / MANIFEST} is damaged: {FILES!r} holds no hashes of files")
    left_out = [name for name in _ALWAYS if name not in found]
    if left_out:
        raise AuditError(
            f"{audit / MANIFEST} is damaged: {FILES!r} holds no hash of {', '.join(left_out)}"
        )
    return dict(found)


def is_hash(text: str) -> bool:
    """Whether a text is a SHA-256 as they are kept here: in small hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None


def held_against(record: Mapping[str, str], audit: Path) -> Held:
    """Hash what is there again; a name on record is only ever looked for among what is there."""
    here = hashes_of(audit)
    both = sorted(record.keys() & here.keys())
    return Held(
        same=tuple(name for name in both if record[name] == here[name]),
        changed=tuple(name for name in both if record[name] != here[name]),
        missing=tuple(sorted(record.keys() - here.keys())),
        added=tuple(sorted(here.keys() - record.keys())),
    )


def _names(audit: Path) -> list[str]:
    files = (each.relative_to(audit) for each in audit.rglob("*") if each.is_file())
    return sorted(each.as_posix() for each in files if each != Path(MANIFEST))
