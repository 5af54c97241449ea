"""``semaudit verify``: is an audit what its scan wrote?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.common import print_lines, require_format


def verify(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    manifest_sha256: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="SHA-256 that manifest.json must have, as kept elsewhere."
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Check that an audit is what its scan wrote.

    The SHA-256 of each of its files is held against the manifest's, and the figures of report.json
    are reckoned again from the tables. Nothing in the folder vouches for the manifest itself: its
    own hash is printed; keep it elsewhere, and --manifest-sha256 holds it against that.

    Exit codes:
    0 every file is what the manifest says, and the manifest the one that was kept, if named
    1 something was changed or is missing, or the report does not follow from the tables
    2 the command line is wrong
    3 it is no audit, or there are no hashes on record
    """
    require_format(format)
    from semaudit.verifying import words
    from semaudit.verifying.check import verify

    found = verify(audit, manifest_sha256)
    print_lines(words.lines(found), words.as_json(found), format)
    raise typer.Exit(found.exit_code)
