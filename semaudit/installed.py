"""Which plugins are installed, without running any. Kept apart from what loads them, with torch."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

GROUP = "semaudit.plugins"


def installed_plugins() -> list[EntryPoint]:
    """The entry points of installed plugins, by name."""
    return sorted(entry_points(group=GROUP))
