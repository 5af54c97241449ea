"""What all drawings need: matplotlib, which is an extra, and a file that can hold a picture."""

from __future__ import annotations

import importlib.util

from semaudit.errors import UsageError

FORMATS = (".png", ".svg", ".pdf")
"""Endings of a picture."""


def require_matplotlib() -> None:
    """Make sure, before any work, that the picture can be drawn.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("a picture needs the package matplotlib: pip install 'semaudit[plots]'")
