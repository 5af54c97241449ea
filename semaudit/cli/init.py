"""``semaudit init``: the settings and the workflow that a project begins with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def init(
    model: Annotated[
        str | None, typer.Argument(help="A name or a file, for semaudit.yaml.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Its pictures, for semaudit.yaml.")] = None,
    audit: Annotated[
        Path | None,
        typer.Option("--from", help="Audit whose settings to take, and to propose limits from."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a commented semaudit.yaml and a workflow for GitHub.

    With --from the limits are those that the audit passes with headroom, by its intervals; what
    its pictures are too few to decide is left out, which a comment says. Paths that a job would
    not find, as absolute ones, are warned of.

    Exit codes:
    0 written
    2 a file is there already, or cannot be written
    3 the audit cannot be read
    """
    from semaudit.cli.common import print_lines
    from semaudit.report.text import printable
    from semaudit.starting.write import start

    given = {"model": model, "data": None if data is None else str(data)}
    named = {name: value for name, value in given.items() if value is not None}
    started = start(Path(), audit, named, force=force)
    lines = [f"wrote {path}" for path in started.files]
    lines += [f"limit proposed: {limit}" for limit in started.proposal.limits]
    lines += [f"no limit: {reason}" for reason in started.proposal.skipped]
    if started.unknown is not None:
        lines.append(
            f"to do: the workflow installs semaudit from {started.unknown}; put in whose "
            "repository you have it from, and which version"
        )
    if started.lacking:
        lines.append(f"to do: set {' and '.join(started.lacking)} in semaudit.yaml, or no job runs")
    lines += [
        f"to do: {name} {path!r} is not there yet; put it there, or change semaudit.yaml"
        for name, path in started.missing.items()
    ]
    if not started.proposal.limits:
        lines.append(
            "no limit was written: this job cannot fail by what it measures; add limits under "
            "fail_on in semaudit.yaml"
        )
    print_lines(lines, None, "table")
    for name, path in started.elsewhere.items():
        print(
            f"warning: {printable(f'{name}: {path}')} is absolute or outside this folder: the job "
            "will not find it there; put it in the repository, or change the key in semaudit.yaml",
            file=sys.stderr,
        )
