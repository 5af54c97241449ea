"""``semaudit report``: render a finished audit again, without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.completing import formats
from semaudit.cli.rendering import FORMAT_HELP, Write, present


def report(
    audit: Annotated[Path, typer.Argument(help="Audit folder, or a report.json.")],
    write: Write = None,
    format: Annotated[
        str | None,
        typer.Option(
            help=f"{FORMAT_HELP} Default: a table, or nothing beside -o.", autocompletion=formats
        ),
    ] = None,
    accept_inconclusive: Annotated[
        bool | None,
        typer.Option("--accept-inconclusive", help="Show inconclusive gates as accepted."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="semaudit.yaml or a TOML file.")] = None,
) -> None:
    """Render a finished audit as files or on standard output: no model, no pictures, no rerun.

    All that is shown comes from its report.json, the verdicts of the scan included; semaudit gate
    judges anew.

    Exit codes:
    0 rendered
    2 the command line or the configuration is wrong
    3 the audit cannot be read
    """
    from semaudit.folder import REPORT
    from semaudit.report.file import read_report
    from semaudit.report.renderings import check_outputs
    from semaudit.settings import resolve

    flags = {"format": format, "accept_inconclusive": accept_inconclusive}
    settings = resolve(flags, config=config).settings.model_copy(update={"out": None})
    folder = None if audit.is_file() else audit
    outs = write or ()
    check_outputs(outs, folder, settings.format)
    document = read_report(audit if folder is None else audit / REPORT)
    if outs and format is None:
        from semaudit.report.renderings import write as write_files

        write_files(document, outs, folder, accepted=settings.accept_inconclusive)
    else:
        present(document, folder, settings, outs, annotate=False)
