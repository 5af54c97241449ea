"""Finding the break: how one picture's answer breaks on the way of one probe.

A scan says that an answer flips between two rungs. Here the way is walked again, finely: at which
strength it flips, to a thousandth of it, what the model answers and how its input gradient lies on
both sides, and what that looks like.
"""

from __future__ import annotations

from semaudit.inspecting.breaking import break_of
from semaudit.inspecting.case import Case, Moved, Side, Sweep

__all__ = ["Case", "Moved", "Side", "Sweep", "break_of"]
