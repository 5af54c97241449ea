"""Pictures that a baseline does not have end a scan at once, not after hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semaudit.comparing.opening import Opened
from semaudit.comparing.plans import few, refuse

Admit = Callable[[Sequence[str]], None]
"""Looks at the names of pictures before they are measured, and may raise."""


def admission(name: str, total: int, baseline: Opened | None) -> Admit:
    """Return what looks at every batch of a scan that is held against a baseline.

    Args:
        name: what messages call the scan.
        total: its pictures.
        baseline: what it is held against; None admits all.

    Raises:
        AuditError: there are fewer pictures than in the baseline.
    """
    if baseline is None:
        return lambda image_ids: None
    known = set(baseline.samples.image_ids())
    if total < len(known):
        refuse(name, baseline.name, [f"pictures: {total:,} and {len(known):,}"])

    def admit(image_ids: Sequence[str]) -> None:
        foreign = [image for image in image_ids if image not in known]
        if foreign:
            said = f"pictures, of which {few(foreign)} are only in {name}"
            refuse(name, baseline.name, [said])

    return admit
