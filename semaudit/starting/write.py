"""Writes what a project starts with; never over what is there, unless told so."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError
from semaudit.files import appearing_file, check_file_below, folders_made
from semaudit.settingsources import YAML_FILE
from semaudit.starting.configuration import configuration, elsewhere, missing, settings_of
from semaudit.starting.proposing import Proposal, propose
from semaudit.starting.workflow import PLACEHOLDER, source, workflow

WORKFLOW_FILE = Path(".github/workflows/semaudit.yml")


@dataclass(frozen=True)
class Started:
    """What was written.

    Attributes:
        files: that are there now.
        proposal: the limits that were proposed.
        elsewhere: the paths that lead out of the folder.
        lacking: what semaudit.yaml does not say and a scan needs.
        missing: the paths, by setting, at which nothing is.
        unknown: what the workflow holds in place of where semaudit comes from, if that is unknown.
    """

    files: tuple[Path, ...]
    proposal: Proposal
    elsewhere: Mapping[str, str]
    lacking: tuple[str, ...]
    missing: Mapping[str, str]
    unknown: str | None


def start(folder: Path, audit: Path | None, given: dict[str, Any], *, force: bool) -> Started:
    """Write semaudit.yaml and the workflow, both or neither.

    Args:
        folder: of the project.
        audit: whose settings and figures to start from.
        given: the model and the pictures, where they were named.
        force: whether to replace what is there.

    Raises:
        UsageError: one is there, or cannot be written.
        AuditError: the audit cannot be read.
    """
    installed = source()
    texts = {folder / YAML_FILE: "", folder / WORKFLOW_FILE: workflow(installed)}
    for path in texts:
        if path.exists() and not force:
            raise UsageError(f"{path} is there already; --force replaces it")
        check_file_below(path)
    proposal = Proposal((), ()) if audit is None else propose(audit)
    known = {} if audit is None else settings_of(audit)
    remarks = proposal.skipped
    if proposal.limits:
        remarks = ("Proposed from the intervals of an audit, which passes them.", *remarks)
    holding = {**known, **given}
    text = configuration(holding, proposal.limits, remarks)
    texts[folder / YAML_FILE] = text
    with ExitStack() as stack:
        for path, content in texts.items():
            stack.enter_context(folders_made(path.parent))
            stack.enter_context(appearing_file(path)).write_text(content, encoding="utf-8")
    unknown = installed if installed == PLACEHOLDER else None
    return Started(
        files=tuple(texts),
        proposal=proposal,
        elsewhere=elsewhere(holding),
        lacking=tuple(name for name in ("model", "data") if holding.get(name) is None),
        missing=missing(folder, holding),
        unknown=unknown,
    )
