"""What commands share: the version option, printing, exit codes."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from semaudit import __version__
from semaudit.errors import AuditError

if TYPE_CHECKING:
    from rich.console import Console

    from semaudit.report.document import Report


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
        re.sub(r"\n +", " ", text) if text.startswith("Exit codes:") else text.replace("\n", " ")
        for text in paragraphs
    )


def stdout() -> Console:
    """A console on standard output; wide enough for the tables where that is a file."""
    from rich import console

    class Console(console.Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # not rich's exit code 1: see semaudit.cli

    return Console(width=None if sys.stdout.isatty() else 132, highlight=False)


@contextmanager
def all_printed(else_: str = "") -> Iterator[None]:
    """Make an error of our own of an output that is closed before all was printed, as by ``head``.

    Args:
        else_: what holds all the same.

    Raises:
        AuditError: it was closed.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
        raise AuditError(f"standard output was closed before all was printed{else_}") from None


def discard(stream: TextIO) -> None:
    """Send what is still to come nowhere: it would fail once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_judged(report: Report, form: str) -> None:
    """Print judged gates, and what changed since the baseline, as a table, JSON or Markdown."""
    if form == "json":
        from semaudit.report.file import as_json

        print(as_json(report.model_dump(mode="json", include={"verdicts", "baseline"})), end="")
    elif form == "markdown":
        from semaudit.report.markdown import changes_to_markdown, verdicts_to_markdown

        print(verdicts_to_markdown(report.verdicts))
        if report.baseline is not None:
            print(f"\n{changes_to_markdown(report.baseline)}")
    else:
        from semaudit.report.terminal import print_changes, print_verdicts

        print_verdicts(report, stdout())
        if report.baseline is not None:
            print_changes(report.baseline, stdout())


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
