"""``semaudit inspect``: how the worst pictures of a finished audit break."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import stdout
from semaudit.cli.options import again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semaudit.inspecting.again import Inspection


def inspect(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    picture: Annotated[
        str | None, typer.Option(help="Id of one picture, as the report has it.")
    ] = None,
    worst: Annotated[
        int | None, typer.Option(min=1, help="How many of the worst pictures; 3.")
    ] = None,
    probe: Annotated[
        str | None, typer.Option(help="Under this probe. Default: what moved each picture most.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the pictures and cases.json. Default: cases in the audit."),
    ] = None,
    model: again.Model = None,
    data: again.Data = None,
    arch: again.Arch = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            help="Python file with the probe's perturbation; it is run.",
            rich_help_panel=again.PANEL,
        ),
    ] = None,
    unsafe_load: again.UnsafeLoad = False,
    device: again.Device = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Show how the worst pictures of an audit break: at which strength, from what to what.

    Each is walked again along the probe that moved it most: of those that flip its answer, if any
    does, and a drawn change before one that was looked for. The strength at which the answer flips
    is found to a thousandth of it, and the answers and input gradients on both sides; where nothing
    flips, the steepest step. One picture a case is drawn.

    The model and the pictures are those that the audit names. What runs code (a factory, a
    plugin, --unsafe-load) has to be given again.

    Exit codes:
    0 shown
    2 the command line is wrong, or something has to be given again
    3 the audit, the model or the pictures cannot be used
    """
    from semaudit.errors import UsageError
    from semaudit.folder import CASES
    from semaudit.plots import require_matplotlib

    if picture is not None and worst is not None:
        raise UsageError("--picture names one picture and --worst counts several: give one of them")
    require_matplotlib()
    from semaudit.inspecting.again import inspect
    from semaudit.inspecting.files import check_folder, write
    from semaudit.inspecting.reopen import Given

    folder = out or audit / CASES
    given = Given(model, data, arch, tuple(plugin or ()), unsafe_load, device)
    if out is not None or audit.is_dir():
        check_folder(folder)
    with _telling(shown=not quiet) as tell:
        found = inspect(
            audit, picture=picture, worst=worst or 3, probe=probe, given=given, tell=tell
        )
        files = write(found, folder)
    if not quiet:
        _print(found, files)


@contextmanager
def _telling(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Say, where a person watches, which case is at work."""
    if not (shown and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from rich.console import Console

    with Console(stderr=True).status("opening the model and the pictures") as status:
        yield lambda done, total: status.update(
            f"case {done + 1} of {total}" if done < total else "drawing"
        )


def _print(found: Inspection, files: Sequence[Path]) -> None:
    from rich.text import Text

    from semaudit.inspecting.terminal import print_case
    from semaudit.report.text import doubts, printable, subject

    console = stdout()
    console.print(Text(printable(subject(found.report)), style="bold"))
    for warning in found.warnings:
        console.print(Text(printable(f"warning: {warning}"), style="bold red"))
    for doubt in doubts(found.report):
        console.print(Text(printable(f"untrustworthy: {doubt}"), style="bold red"))
    console.print()
    for number, (case, file) in enumerate(zip(found.cases, files, strict=False), 1):
        print_case(case, console, number=number, file=str(file))
    console.print(Text(printable(f"Numbers: {files[-1]}"), style="dim"))
