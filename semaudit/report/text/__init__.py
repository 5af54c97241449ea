"""How numbers, intervals and curves look as text: the same in every rendering."""

from semaudit.report.text.numbers import (
    interval,
    number,
    percent,
    percent_interval,
    printable,
    sparkline,
)
from semaudit.report.text.rows import (
    FLIP_HEADERS,
    RESIZE_HEADERS,
    VERDICT_HEADERS,
    WORST_HEADERS,
    family_headers,
    family_rows,
    flip_rows,
    probe_headers,
    probe_rows,
    resize_rows,
    verdict_rows,
    worst_rows,
)
from semaudit.report.text.sentences import GATE_NOTE, SHOWN, footer, headline, notes, subject

__all__ = [
    "FLIP_HEADERS",
    "GATE_NOTE",
    "RESIZE_HEADERS",
    "SHOWN",
    "VERDICT_HEADERS",
    "WORST_HEADERS",
    "family_headers",
    "family_rows",
    "flip_rows",
    "footer",
    "headline",
    "interval",
    "notes",
    "number",
    "percent",
    "percent_interval",
    "printable",
    "probe_headers",
    "probe_rows",
    "resize_rows",
    "sparkline",
    "subject",
    "verdict_rows",
    "worst_rows",
]
