"""How far fine-tuning is: a bar where a person watches, else lines for a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from semaudit.cli.common import discard
from semaudit.cli.progress import bar_of

if TYPE_CHECKING:
    from semaudit.finetuning.plan import Tick, Watch

BETWEEN = 10.0
"""Seconds between two lines of a stage in a log, at the least."""


def is_first_process() -> bool:
    """Of those that torchrun or accelerate started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def live(*, shown: bool) -> Iterator[Watch]:
    """Show a bar with the terms of the loss where a person watches, else lines on standard error.

    Args:
        shown: whether either is wanted.
    """
    from rich.progress import BarColumn, TextColumn

    shown = shown and is_first_process()
    if shown and not sys.stderr.isatty():
        yield lines()
        return
    bar = bar_of(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TextColumn("{task.fields[said]}"),
        shown=shown,
    )
    with bar:
        task = bar.add_task("loading", total=0, said="")

        def watch(tick: Tick) -> None:
            bar.update(
                task,
                description=tick.stage,
                completed=tick.update,
                total=tick.updates,
                said=_said(tick),
            )

        yield watch


def lines() -> Watch:
    """For a log: a line at each new stage, every few seconds in it, and at the end of training."""
    last: Tick | None = None
    due, untold, closed = 0.0, False, False

    def tell(text: str) -> None:
        nonlocal closed
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:  # nobody reads any more, as of 2>&1 | head: the work goes on
            closed = True
            discard(sys.stderr)

    def watch(tick: Tick) -> None:
        nonlocal last, due, untold
        begins = last is None or tick.stage != last.stage
        if begins and untold and last is not None and last.terms and not closed:
            tell(_line(last, begins=False))
        now = time.monotonic()
        untold = not (begins or now >= due)
        if not (untold or closed):
            tell(_line(tick, begins=begins))
            due = now + BETWEEN
        last = tick

    return watch


def _line(tick: Tick, *, begins: bool) -> str:
    said = _said(tick)
    far = f" {tick.update:,}/{tick.updates:,}" if said or not begins else ""
    return f"{tick.stage}{far}{f': {said}' if said else ''}"


def _said(tick: Tick) -> str:
    if tick.terms is None:
        return ""
    parts = [f"loss {tick.loss:.4f}"]
    parts += [
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in tick.terms.items() if value
    ]
    if tick.shift is not None:
        before = "" if tick.original_shift is None else f" (original {tick.original_shift:.4f})"
        parts.append(f"running validation shift {tick.shift:.4f}{before}")
    return ", ".join(parts)
