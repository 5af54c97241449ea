"""``semaudit verify``: is an audit what its scan wrote?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.common import print_lines, require_format
from semaudit.cli.options import again


def verify(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    manifest_sha256: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="SHA-256 that manifest.json must have, as kept elsewhere."
        ),
    ] = None,
    baseline: again.Baseline = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Check that an audit is what its scan wrote.

    The SHA-256 of each of its files is held against the manifest's, the figures of report.json are
    reckoned again from the tables, and its gates judged again. Nothing in the folder vouches for
    the manifest itself: its own hash is printed; keep it elsewhere, and --manifest-sha256 holds it
    against that.

    Exit codes:
    0 every file is what the manifest says, and the manifest the one that was kept, if named
    1 something was changed or is missing, or figures or verdicts do not follow from the tables
    2 the command line is wrong
    3 it is no audit, there are no hashes on record, or its baseline is not there
    """
    require_format(format)
    from semaudit.verifying import words
    from semaudit.verifying.check import verify

    found = verify(audit, manifest_sha256, baseline)
    print_lines(words.lines(found), words.as_json(found), format)
    raise typer.Exit(found.exit_code)
