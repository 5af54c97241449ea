"""The worst case: the largest shift that a small change can make."""

from __future__ import annotations

from semaudit.worst.effort import CHEAP, FULL, Effort, Objective
from semaudit.worst.frames import Hunt, worst_frames

__all__ = ["CHEAP", "FULL", "Effort", "Hunt", "Objective", "worst_frames"]
