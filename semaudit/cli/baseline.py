"""``semaudit baseline``: an audit as a small file that later ones are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.common import require_format, stdout

app = typer.Typer(
    no_args_is_help=True, help="Keep an audit as a small file that later ones are held against."
)


@app.callback()
def _baseline() -> None:
    """Keep an audit as a small file that later ones are held against."""


@app.command()
def save(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file; one that is there is replaced.")
    ] = Path("baseline.semaudit"),
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="One more metric to hold, as logit_distance; repeatable. The file grows by it."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Write what paired limits need of an audit into one file, small enough for a repository.

    It holds flips, shift, gradient turn, jump, onset, the score, and all that is measured once a
    picture, to eleven significant bits; limits come out as they do against the audit's own
    folder, to the last digit. No picture is in it, only their names.

    Exit codes:
    0 saved
    2 the command line is wrong, or the audit is of a kind that decides nothing
    3 the audit cannot be read
    """
    from semaudit.baselines.describing import served
    from semaudit.baselines.opening import open_baseline
    from semaudit.baselines.saving import save as save_file
    from semaudit.report.text import printable

    size = save_file(audit, out, metric or ())
    if not quiet:
        print(printable(f"{out}: {size / 1000:,.0f} kB; {served(open_baseline(out))}"))


@app.command()
def show(
    file: Annotated[
        Path, typer.Argument(help="The file, or the folder of an audit that may become one.")
    ],
    format: Annotated[str, typer.Option(help="What to print: table or json.")] = "table",
) -> None:
    """Show what a baseline is of, and which limits it can serve.

    Exit codes:
    0 shown
    2 the command line is wrong, or the baseline is of a kind that decides nothing
    3 it cannot be read
    """
    from semaudit.baselines.describing import described, facts
    from semaudit.baselines.opening import open_baseline

    require_format(format)
    found = open_baseline(file)
    if format == "json":
        import json

        print(json.dumps(described(found), indent=1))
        return
    from semaudit.report.terminal import print_facts

    print_facts(facts(found), stdout())
