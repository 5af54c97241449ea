"""Gates: stated limits on estimates, and what the interval says of them."""

from __future__ import annotations

from semaudit.gates.binding import BoundGate, bind
from semaudit.gates.grammar import STATISTICS, Gate, parse
from semaudit.gates.judging import ALPHA, judge, judge_report
from semaudit.gates.numbers import Beside, Numbers, refuse_limits_without_baseline
from semaudit.report.grading import exit_code, unsettled

__all__ = [
    "ALPHA",
    "STATISTICS",
    "Beside",
    "BoundGate",
    "Gate",
    "Numbers",
    "bind",
    "exit_code",
    "judge",
    "judge_report",
    "parse",
    "refuse_limits_without_baseline",
    "unsettled",
]
