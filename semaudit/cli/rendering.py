"""What scan, gate and report show: on standard output, in files, and to a GitHub job."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import print_judged, stdout

if TYPE_CHECKING:
    from semaudit.report.document import Report
    from semaudit.settings import Settings

WRITE_HELP = (
    "File for the report, by its ending: .html, .md, .json, .xml (JUnit), .sarif, .csv or .txt; "
    "repeatable."
)
FORMAT_HELP = "table, json, markdown, github, junit, sarif, html or csv, to standard output."

Write = Annotated[list[Path] | None, typer.Option("--write", "-o", help=WRITE_HELP)]

_BRIEF = ("table", "json", "markdown")
"""Formats in which the gates alone can be shown."""


def present(
    report: Report,
    folder: Path | None,
    settings: Settings,
    outs: Sequence[Path],
    *,
    gates_only: bool = False,
    unsettled_only: bool = False,
    annotate: bool = True,
) -> None:
    """Write the files, then print; in a GitHub job, annotate it as well.

    Args:
        report: the document.
        folder: the audit's.
        settings: the format, and whether inconclusive gates are accepted.
        outs: files, as `check_outputs` has found them good.
        gates_only: print the gates alone, where the format can.
        unsettled_only: of these, for a person, only those that do not pass, or nothing.
        annotate: whether a GitHub job is to be told without being asked to.
    """
    from semaudit.report.renderings import RENDERINGS, write

    accepted, form = settings.accept_inconclusive, settings.format
    write(report, outs, folder, accepted=accepted)
    in_job = os.environ.get("GITHUB_ACTIONS") == "true"
    if gates_only and form in _BRIEF:
        if unsettled_only and form != "json":
            _print_unsettled(report, form, accepted=accepted, in_job=in_job)
        elif report.verdicts:
            with _no_commands(in_job and form == "table"):
                print_judged(report, form)
    elif form == "table":
        from semaudit.report.terminal import print_report

        with _no_commands(in_job):
            out = None if settings.out is None else str(settings.out)
            print_report(report, stdout(), out=out)
    else:
        print(RENDERINGS[form].render(report, folder, accepted=accepted), end="")
    if form == "github":
        _summarise(report)
    elif in_job and annotate:
        # A job reads both streams; what is made for a program must stay what it is.
        said = RENDERINGS["github"].render(report, folder, accepted=accepted)
        print(said, end="", file=sys.stdout if form == "table" else sys.stderr)
        _summarise(report)


def _print_unsettled(report: Report, form: str, *, accepted: bool, in_job: bool) -> None:
    from semaudit.gates import unsettled

    degenerate = report.degenerate is not None
    left = unsettled(report.verdicts, degenerate=degenerate, accept_inconclusive=accepted)
    if left:
        with _no_commands(in_job and form == "table"):
            print_judged(report.model_copy(update={"verdicts": left, "baseline": None}), form)


@contextmanager
def _no_commands(in_job: bool) -> Iterator[None]:
    """Let a job take nothing for a command meanwhile: a picture may be called ``::error::``."""
    token = secrets.token_hex(16)
    if in_job:
        print(f"::stop-commands::{token}")
    try:
        yield
    finally:  # else a job would obey no command any more, those on the error included
        if in_job:
            print(f"::{token}::")


def _summarise(report: Report) -> None:
    """Append to the job's summary; that it cannot be written must not hide the verdict."""
    from semaudit.report.github import add_summary

    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if named:
        try:
            add_summary(report, Path(named))
        except OSError as error:
            print(f"semaudit: the job's summary was not written: {error}", file=sys.stderr)
