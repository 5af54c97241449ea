"""What commands share: the version option, printing, exit codes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from semaudit.report.document import Report, Verdict


def _print_version(value: bool) -> None:
    if value:
        print(f"semaudit {__version__}")
        raise typer.Exit


def version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def flowing(command: Callable[..., None]) -> str:
    """The docstring as a help text whose paragraphs fill any terminal; a list keeps its lines."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(
        text if text.startswith("Exit codes:") else text.replace("\n", " ") for text in paragraphs
    )


def stdout() -> Console:
    """A console on standard output; wide enough for the tables where that is a file."""
    from rich import console

    class Console(console.Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # not rich's exit code 1: see semaudit.cli

    return Console(width=None if sys.stdout.isatty() else 132, highlight=False)


def print_judged(report: Report, form: str) -> None:
    """Print judged gates, and but for JSON what changed since the baseline, if there is one."""
    print_verdicts(report.verdicts, form)
    if report.baseline is None or form == "json":
        return
    if form == "markdown":
        from semaudit.report.markdown import changes_to_markdown

        print(f"\n{changes_to_markdown(report.baseline)}")
    else:
        from semaudit.report.terminal import print_changes

        print_changes(report.baseline, stdout())


def print_verdicts(verdicts: Sequence[Verdict], form: str) -> None:
    """Print judged gates as a table, JSON or Markdown."""
    if form == "json":
        from semaudit.report.file import as_json

        print(as_json([verdict.model_dump(mode="json") for verdict in verdicts]), end="")
    elif form == "markdown":
        from semaudit.report.markdown import verdicts_to_markdown

        print(verdicts_to_markdown(verdicts))
    else:
        from semaudit.report.terminal import print_verdicts as as_table

        as_table(verdicts, stdout())


def require_format(form: str, among: Sequence[str] = ("table", "json")) -> None:
    """Raise UsageError unless it is one of these."""
    from semaudit.errors import UsageError, did_you_mean

    if form not in among:
        raise UsageError(f"--format {form!r}{did_you_mean(form, among)}: one of {', '.join(among)}")


def print_lines(lines: Sequence[str], document: object, form: str) -> None:
    """Print findings as lines of text, or all that was found as JSON."""
    if form == "json":
        import json

        # In ASCII, which no terminal's or file's encoding can damage.
        print(json.dumps(document, indent=1, allow_nan=False))
        return
    from semaudit.report.text import printable

    for line in lines:
        print(printable(line))
