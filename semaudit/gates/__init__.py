"""Gates: stated limits on estimates, and what the interval says of them."""

from __future__ import annotations

from semaudit.gates.binding import BoundGate, bind
from semaudit.gates.grammar import STATISTICS, Gate, parse
from semaudit.gates.judging import ALPHA, exit_code, judge, judge_report

__all__ = [
    "ALPHA",
    "STATISTICS",
    "BoundGate",
    "Gate",
    "bind",
    "exit_code",
    "judge",
    "judge_report",
    "parse",
]
