"""``semaudit compare``: two audits of the same pictures, probes and seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import stdout

if TYPE_CHECKING:
    from semaudit.comparing import Comparison

FORMATS = ("table", "json", "markdown")


def compare(
    before: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    after: Annotated[Path, typer.Argument(help="Another of the same pictures, probes and seed.")],
    seen: Annotated[
        list[str] | None,
        typer.Option(
            help="Families that the second model was tuned on, as noise,blur; the rest is then "
            "shown apart, as held out."
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="What to print: table, json or markdown.")] = "table",
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="File, by its ending (.json, .md, .txt); repeatable."),
    ] = None,
    curves: Annotated[
        Path | None,
        typer.Option(
            help="Picture (.png, .svg, .pdf) of shift against strength, before and after, a panel "
            "a probe."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Compare two audits picture by picture: what changed, and how sure that is.

    Shift, flips, gradient turn and accuracy, before and after, with paired intervals, for the
    whole, each family and the worst case; which answers changed, and which of those were right
    before. Pictures, probes and seed have to be the same: what differs is an error that says so.
    Neither the models nor the pictures are needed.

    Exit codes:
    0 compared
    2 the command line is wrong
    3 an audit cannot be read, or the two cannot be compared
    """
    from semaudit.comparing.build import compare as compared
    from semaudit.comparing.files import check_outputs, write
    from semaudit.errors import UsageError, did_you_mean

    if format not in FORMATS:
        raise UsageError(
            f"--format {format!r}{did_you_mean(format, FORMATS)}: one of {', '.join(FORMATS)}"
        )
    check_outputs(out or (), curves, (before, after))
    if curves is not None:
        from semaudit.plots import require_matplotlib

        require_matplotlib()
    families = {name.strip() for each in seen or () for name in each.split(",")} - {""}
    found = compared(before, after, seen=families)
    write(found, out or (), curves)
    if not quiet:
        _print(found, format)


def _print(found: Comparison, form: str) -> None:
    from semaudit.comparing import files

    if form == "table":
        from semaudit.comparing.terminal import print_comparison

        print_comparison(found, stdout())
    elif form == "json":
        import json

        # In ASCII, which no terminal's or file's encoding can damage.
        print(json.dumps(found.model_dump(mode="json"), indent=1))
    else:
        print(files.WRITERS[".md"](found), end="")
