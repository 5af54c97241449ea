"""The live progress bar, on standard error and only where a person watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

    from semaudit.stream import Progress


SETTLED = 2.0
"""Seconds before a rate means anything."""


@dataclass
class Seen:
    """How many pictures are done; what an interrupted scan can tell."""

    pictures: int = 0
    total: int = 0


def bar_of(*columns: str | ProgressColumn, shown: bool) -> Bar:
    """A bar on standard error, where a person watches, with the time that is left."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TextColumn, TimeRemainingColumn

    return Bar(
        *columns,
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
        # Asked of the stream: rich takes FORCE_COLOR, which build servers set, for a terminal.
        disable=not (shown and sys.stderr.isatty()),
    )


@contextmanager
def live(
    seen: Seen, *, shown: bool, cells: str = "probe rungs"
) -> Iterator[Callable[[Progress], None]]:
    """Show a bar while the body runs; yields the scan's ``watch``.

    Args:
        seen: kept up to date.
        shown: whether a bar is wanted at all.
        cells: what a picture is shown under, one after another.
    """
    from rich.progress import BarColumn, TextColumn

    bar = bar_of(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[pictures]} pictures"),
        TextColumn("{task.completed:,}/{task.total:,} {task.fields[cells]}"),
        TextColumn("{task.fields[rate]}"),
        shown=shown,
    )
    with bar:
        task = bar.add_task("loading", total=0, pictures="0/?", rate="", cells=cells)
        started = time.monotonic()

        def watch(progress: Progress) -> None:
            nonlocal started
            if progress.before is not None:
                bar.update(
                    task,
                    description=progress.before,
                    completed=progress.cells,
                    total=progress.total_cells,
                    cells="probes",
                )
                return
            if seen.total == 0:
                started = time.monotonic()
            seen.pictures, seen.total = progress.pictures, progress.total_pictures
            elapsed = time.monotonic() - started
            share = progress.cells / progress.total_cells * progress.total_pictures
            bar.update(
                task,
                description="scanning",
                completed=progress.cells,
                total=progress.total_cells,
                pictures=f"{progress.pictures:,}/{progress.total_pictures:,}",
                rate=f"{share / elapsed:.1f} pictures/s" if elapsed > SETTLED else "",
                cells=cells,
            )

        yield watch
