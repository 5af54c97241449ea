"""What a page is put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semaudit.report.html.words import shown


@dataclass(frozen=True)
class Table:
    """A table of text, which may come from outside, and under it how to read it."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @classmethod
    def of(
        cls, caption: str, headers: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
    ) -> Table:
        """A table whose cells are fit for a page."""
        return cls(
            shown(caption),
            tuple(shown(each) for each in headers),
            tuple(tuple(shown(cell) for cell in row) for row in rows),
            note,
        )


@dataclass(frozen=True)
class Chart:
    """A chart: what it is for whoever cannot see it, what is drawn, and the same as a table.

    Attributes:
        kind: the function of report.js that draws it.
        name: of the chart, unique on its page.
        title: over it.
        says: one sentence that stands for it.
        data: for the function, fit for JSON.
        table: all that it shows.
        least: pixels that it needs in width, which a narrow screen scrolls along; 0: any.
    """

    kind: str
    name: str
    title: str
    says: str
    data: dict[str, Any]
    table: Table
    least: int = 0


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading, in this order: facts, remarks, charts, tables."""

    name: str
    title: str
    remarks: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remarks or self.charts or self.tables or self.folded)
