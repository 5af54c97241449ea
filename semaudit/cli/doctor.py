"""``semaudit doctor``: is all here that a scan needs, and do known answers come out?"""

from __future__ import annotations

from typing import Annotated

import typer

from semaudit.cli.common import print_lines, require_format


def doctor(
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Say what is installed and where a model could run, and check known answers.

    Versions, extras, devices, whether the hub answers, the settings found here, free disk; then a
    linear model is scanned whose shift, flips and gradients have closed forms.

    Exit codes:
    0 nothing is broken
    1 something is
    2 the command line is wrong
    """
    require_format(format)
    from semaudit.doctoring.examine import as_json, examine, lines

    found = examine()
    print_lines(lines(found), as_json(found), format)
    raise typer.Exit(1 if found.broken else 0)
