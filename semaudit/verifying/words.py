"""What verifying found, in words and as JSON."""

from __future__ import annotations

from typing import Any

from semaudit.report.text import number
from semaudit.verifying.check import Verified

SHOWN = 5


def lines(found: Verified) -> list[str]:
    """A line a finding; the last one is the verdict."""
    said = []
    if found.held is None:
        said.append("no hashes on record: the audit was made before semaudit kept them")
    else:
        held = found.held
        for name in held.changed:
            said.append(f"changed: {name} is not what the scan wrote")
        for name in held.missing:
            said.append(f"missing: {name} is on record and not there")
        for name in held.added:
            said.append(f"added: {name} is not of the scan, and nothing vouches for it")
        said.append(f"{len(held.same)} of {_recorded(found)} files have the hashes on record")
    said += _figures(found)
    said += _gates(found)
    said += [_manifest(found), _verdict(found)]
    return said


def as_json(found: Verified) -> dict[str, Any]:
    """The same, fit for JSON."""
    held = found.held
    return {
        "verified": found.exit_code == 0,
        "manifest_sha256": found.manifest_sha256,
        "kept_sha256": found.kept_sha256,
        "hashes_on_record": held is not None,
        **{
            name: [] if held is None else list(getattr(held, name))
            for name in ("same", "changed", "missing", "added")
        },
        "figures": found.recomputed,
        "disagreeing": [
            {"figure": each.name, "report": each.before, "tables": each.after}
            for each in found.disagreeing
        ],
        "gates": found.judged,
        "claims": list(found.claims),
        "exit_code_of_scan": found.exit_code_of_scan,
        "unheld": found.unheld,
        "unreadable": found.unreadable,
    }


def _recorded(found: Verified) -> int:
    assert found.held is not None
    return sum(len(part) for part in (found.held.same, found.held.changed, found.held.missing))


def _manifest(found: Verified) -> str:
    said = f"manifest.json has SHA-256 {found.manifest_sha256}"
    if found.kept_sha256 is None:
        return f"{said}, which no other file keeps: --manifest-sha256 holds it against one you kept"
    if found.other_manifest:
        return f"changed: {said}, and the one that was kept is {found.kept_sha256}"
    return f"{said}, the one that was kept"


def _verdict(found: Verified) -> str:
    if found.exit_code == 1:
        return "The audit is NOT as it was written."
    if found.exit_code:
        return "Whether the audit is as it was written cannot be told."
    if found.kept_sha256 is None:
        return "Every file is what manifest.json says; nothing vouches for manifest.json itself."
    return "The audit is as it was written."


def _figures(found: Verified) -> list[str]:
    if found.unreadable is not None:
        return [f"the report cannot be held against the tables: {found.unreadable}"]
    if not found.disagreeing:
        return [f"{found.recomputed:,} figures of report.json follow from the tables"]
    said = [
        f"report.json says {each.name} = {_said(each.before)}, and the tables {_said(each.after)}"
        for each in found.disagreeing[:SHOWN]
    ]
    count = len(found.disagreeing)
    many = "figure of report.json is" if count == 1 else "figures of report.json are"
    return [*said, f"{count:,} {many} not what the tables say"]


def _gates(found: Verified) -> list[str]:
    if found.unreadable is not None:
        return []
    said = list(found.claims)
    if found.unheld is not None:
        return [*said, f"the gates cannot be judged again: {found.unheld}"]
    if said:
        return said
    many = f"{found.judged} verdict{'s' * (found.judged != 1)} of report.json"
    follow = "follows" if found.judged == 1 else "follow"
    ended = f"the scan ended with exit code {found.exit_code_of_scan}"
    return [f"{many} {follow} from the tables: {ended}"]


def _said(value: float | None) -> str:
    return "nothing" if value is None else number(value)
