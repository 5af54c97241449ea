"""Writes a comparison: what each file is follows from its ending."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from semaudit.comparing.document import Comparison
from semaudit.errors import UsageError, did_you_mean
from semaudit.files import appearing_file, check_file
from semaudit.plots import FORMATS

WIDTH = 120
"""Columns of a comparison as plain text."""


def to_json(found: Comparison) -> str:
    """The document itself."""
    return found.model_dump_json(indent=1) + "\n"


def to_text(found: Comparison) -> str:
    """What a terminal shows, without colours."""
    from rich.console import Console

    from semaudit.comparing.terminal import print_comparison

    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None)
    with console.capture() as captured:
        print_comparison(found, console)
    return captured.get()


def _to_markdown(found: Comparison) -> str:
    from semaudit.comparing.markdown import to_markdown

    return to_markdown(found)


WRITERS: Mapping[str, Callable[[Comparison], str]] = {
    ".json": to_json,
    ".md": _to_markdown,
    ".txt": to_text,
}


def check_outputs(outs: Sequence[Path], curves: Path | None, audits: Sequence[Path] = ()) -> None:
    """Make sure, before any work, that all files can be written, and none into these audits.

    Raises:
        UsageError: an ending means nothing, two are one file, or one cannot be written, or would
            lie in an audit.
    """
    for out in outs:
        ending = out.suffix.lower()
        if ending in FORMATS:
            raise UsageError(f"-o {out}: curves are drawn by --curves {out}")
        if ending not in WRITERS:
            raise UsageError(
                f"-o {out}: the ending {ending!r} says no format{did_you_mean(ending, WRITERS)}: "
                f"one of {', '.join(WRITERS)}"
            )
    if curves is not None and curves.suffix.lower() not in FORMATS:
        raise UsageError(f"--curves {curves}: name a picture ({', '.join(FORMATS)})")
    every = [*outs, *([] if curves is None else [curves])]
    for out in every:
        check_file(out)
        for audit in audits:
            if audit.resolve() in out.resolve().parents:
                raise UsageError(f"{out} would lie in the audit {audit}: name another place")
    twice = [out for k, out in enumerate(every) if out.resolve() in _resolved(every[:k])]
    if twice:
        raise UsageError(f"-o {twice[0]} is named twice")


def _resolved(files: Sequence[Path]) -> set[Path]:
    return {file.resolve() for file in files}


def write(found: Comparison, outs: Sequence[Path], curves: Path | None = None) -> None:
    """Write all files; they take their names together, at the end.

    Raises:
        UsageError: as `check_outputs`.
    """
    check_outputs(outs, curves)
    with ExitStack() as stack:
        works = [stack.enter_context(appearing_file(out)) for out in outs]
        for out, work in zip(outs, works, strict=True):
            work.write_text(WRITERS[out.suffix.lower()](found), encoding="utf-8")
        if curves is not None:
            from semaudit.comparing.curves import draw

            form = curves.suffix.lower().removeprefix(".")
            draw(found, stack.enter_context(appearing_file(curves)), form)
