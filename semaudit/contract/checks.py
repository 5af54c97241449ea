"""All clauses of the contract of a perturbation, in the order in which they are looked at."""

from __future__ import annotations

from semaudit.contract.check import Check
from semaudit.contract.repeating import REPEATING
from semaudit.contract.results import RESULTS

CHECKS: tuple[Check, ...] = (*RESULTS, *REPEATING)
