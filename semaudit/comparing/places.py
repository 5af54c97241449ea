"""Where numbers are compared: the whole, what was seen and what was not, each family."""

from __future__ import annotations

from collections.abc import Collection

from semaudit.columns import Part
from semaudit.comparing.document import Place
from semaudit.errors import UsageError, did_you_mean
from semaudit.layout import Layout

Places = list[tuple[Place, str, Part]]


def check_seen(seen: Collection[str], layout: Layout) -> None:
    """Make sure that what was seen are families of the battery.

    Raises:
        UsageError: one is not.
    """
    known = layout.all_families
    for name in sorted(seen):
        if name not in known:
            raise UsageError(
                f"no family of these audits is called {name!r}{did_you_mean(name, known)}: "
                f"one of {', '.join(known)}"
            )


def places(layout: Layout, seen: Collection[str]) -> Places:
    """The whole, the families that were seen and those that were not, and each by itself.

    What stands beside the whole (the worst case) is a family of its own only.
    """
    found: Places = []
    groups: tuple[tuple[Place, tuple[str, ...]], ...] = (
        ("all", layout.families),
        ("seen", tuple(name for name in layout.families if name in seen)),
        ("held-out", tuple(name for name in layout.families if name not in seen)),
    )
    for place, families in groups:
        # Without any that was seen, the held-out are the whole.
        if families and (place == "all" or seen):
            tracks = tuple(t for t, track in enumerate(layout.tracks) if track.family in families)
            found.append((place, place, Part(tracks)))
    for name in layout.all_families:
        found.append(("family", name, Part(layout.matching(name))))
    return found
