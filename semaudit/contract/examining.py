"""Runs the contract on one perturbation and says, clause by clause, how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from semaudit.contract.cases import Case, cases_of
from semaudit.contract.check import Check
from semaudit.contract.checks import CHECKS
from semaudit.errors import out_of_memory
from semaudit.perturbations import Perturbation


@dataclass(frozen=True)
class Outcome:
    """How one clause stands.

    Attributes:
        subject: the name of what was checked.
        clause: the name of the check.
        verdict: ``skip`` where an earlier clause left nothing to check.
        fault: what differed, where, and what to do; empty unless it failed.
    """

    subject: str
    clause: str
    verdict: Literal["pass", "FAIL", "skip"]
    fault: str = ""


def examine(
    perturbation: Perturbation, ladder: Sequence[float], name: str = ""
) -> Iterator[Outcome]:
    """Yield how each clause of the contract stands, along a ladder of strengths.

    ``name`` is what to call the subject: the perturbation's name unless given.
    """
    subject = name or perturbation.name
    cases = cases_of(perturbation, tuple(ladder))
    sound = True
    for check in CHECKS:
        if not sound:
            yield Outcome(subject, check.name, "skip")
            continue
        said = fault(check, cases)
        sound = not (check.basic and said)
        yield Outcome(subject, check.name, "FAIL" if said else "pass", said or "")


def violations(perturbation: Perturbation, ladder: Sequence[float]) -> list[str]:
    """Return what breaks the contract along a ladder: one line a clause, none where all hold."""
    return [
        f"{outcome.subject} {outcome.clause}: {outcome.fault}"
        for outcome in examine(perturbation, ladder)
        if outcome.verdict == "FAIL"
    ]


def fault(check: Check, cases: Sequence[Case]) -> str | None:
    """Return the first fault over the cases, with where it is and what to do, or None."""
    for case in cases:
        try:
            said = check.function(case)
        except Exception as error:  # an author's code may raise anything
            if out_of_memory(error):
                raise
            said = f"it raises {type(error).__name__}: {error}"
        if said:
            return f"{said} ({case}); {check.remedy}"
    return None
