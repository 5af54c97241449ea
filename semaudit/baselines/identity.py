"""Which baseline an audit was judged against: the hash that its manifest keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semaudit.baselines.contents import MEMBERS
from semaudit.comparing.opening import Opened
from semaudit.errors import AuditError, UsageError
from semaudit.files import file_sha256
from semaudit.folder import MANIFEST, reading_manifest

KEY = "baseline"
"""The manifest's key with the path and the hash; audits of before it was written have none."""


def sha256_of(baseline: Path) -> str:
    """The hash of a baseline's file; of a folder, of those files in it that are read.

    Raises:
        AuditError: it cannot be read.
    """
    try:
        if baseline.is_file():
            return file_sha256(baseline)
        lines = (f"{name} {file_sha256(baseline / name)}\n" for name in MEMBERS)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    except OSError as error:
        raise AuditError(f"the baseline {baseline} cannot be read: {error.strerror}") from error


def described(baseline: Opened | None) -> dict[str, Any]:
    """What a manifest says of the baseline that a scan was held against."""
    if baseline is None:
        return {}
    return {KEY: {"path": baseline.name, "sha256": baseline.sha256}}


def found_again(
    manifest: Mapping[str, Any], audit: Path, given: Path | None
) -> tuple[Path | None, str | None]:
    """The baseline that an audit was judged against, and why it cannot be used, if so.

    Args:
        manifest: of the audit.
        audit: its folder.
        given: where the baseline is now; None for where it was.

    Raises:
        UsageError: one is given, and there was none.
        AuditError: the manifest is damaged.
    """
    with reading_manifest(audit / MANIFEST):
        # Audits of before there were baselines have no such setting.
        named = manifest["settings"].get("baseline", {"value": None})["value"]
        record = manifest.get(KEY)
        kept = None if record is None else str(record["sha256"])
    if named is None:
        if given is not None:
            raise UsageError(f"{audit} was judged against no baseline: leave --baseline out")
        return None, None
    path = Path(str(named)) if given is None else given
    if not path.exists():
        return None, f"the baseline {path} is not there: say with --baseline where it is now"
    if kept is None:
        return path, None
    found = sha256_of(path)
    if found != kept:
        return None, (
            f"the baseline {path} is not the one that the audit was judged against (SHA-256 "
            f"{found[:12]}, not {kept[:12]}): name that one with --baseline"
        )
    return path, None
