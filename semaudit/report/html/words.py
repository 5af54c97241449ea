"""Text from outside, made fit for a page: one line, no control characters, not endless."""

from __future__ import annotations

import json
import re
from typing import Any

from semaudit.report.text import printable

LONGEST, LONGEST_LABEL = 300, 40
"""Characters of a text on the page, and at an axis; report.json has all of it."""

# Marks that turn the direction of what follows, which `printable` leaves in, and half characters.
_TURNING = re.compile("[\u061c\u200e\u200f\ud800-\udfff]+")

# A number and its sign, and an interval's two ends, stay on one line.
_TOGETHER = (
    (re.compile(r"(?<=\d) %"), "\u00a0%"),
    (re.compile(r"(\[[^\[\], ]{1,12},) (?=[^\[\], ]{1,12}\])"), "\\1\u00a0"),
)


def shown(text: str, longest: int = LONGEST) -> str:
    """Text as the page shows it; the template's autoescape does the rest."""
    clean = _TURNING.sub(" ", printable(text))
    for pattern, together in _TOGETHER:
        clean = pattern.sub(together, clean)
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def label(text: str) -> str:
    """A short text, for an axis."""
    return shown(text, LONGEST_LABEL)


def as_script(value: Any) -> str:
    """JSON that may stand in a ``<script>``: nothing in it ends one, or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
