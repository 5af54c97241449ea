"""The contract: what every perturbation and metric owes, whoever wrote it.

The tests of this package and ``semaudit probes check FILE.py`` run the very same checks.
"""

from __future__ import annotations

from semaudit.contract.cases import Case, cases_of, scenes
from semaudit.contract.check import Check
from semaudit.contract.checks import CHECKS
from semaudit.contract.examining import Outcome, examine, fault, violations
from semaudit.contract.measured import examine_metric
from semaudit.contract.subjects import examine_all, fallback_ladder

__all__ = [
    "CHECKS",
    "Case",
    "Check",
    "Outcome",
    "cases_of",
    "examine",
    "examine_all",
    "examine_metric",
    "fallback_ladder",
    "fault",
    "scenes",
    "violations",
]
