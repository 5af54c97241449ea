"""What a gate means to whoever waits for it: exit codes and renderings both follow from this."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from semaudit.report.document import Outcome, Report, Verdict


class Grade(Enum):
    """A verdict, as a job takes it; the worst first."""

    FAILED = "failed"
    UNJUDGED = "could not be judged"
    INCONCLUSIVE = "inconclusive"
    ACCEPTED = "inconclusive, which is accepted"
    PASSED = "passed"


def grade(verdict: Verdict, *, degenerate: bool, accepted: bool) -> Grade:
    """Tell what stops a job from what does not.

    Args:
        verdict: a gate, judged.
        degenerate: whether the model is.
        accepted: whether inconclusive gates are; never those that could not be judged at all.
    """
    if verdict.outcome is Outcome.FAIL:
        return Grade.FAILED
    if verdict.value is None:
        return Grade.UNJUDGED
    if verdict.outcome is Outcome.PASS:
        return Grade.PASSED
    if degenerate:
        return Grade.UNJUDGED
    return Grade.ACCEPTED if accepted else Grade.INCONCLUSIVE


def grades(report: Report, *, accepted: bool) -> list[tuple[Grade, Verdict]]:
    """All gates, in their order."""
    degenerate = report.degenerate is not None
    return [(grade(v, degenerate=degenerate, accepted=accepted), v) for v in report.verdicts]


def by_grade(report: Report, *, accepted: bool) -> list[tuple[Grade, Verdict]]:
    """All gates, the worst first, else in their order."""
    order = list(Grade)
    return sorted(grades(report, accepted=accepted), key=lambda pair: order.index(pair[0]))


def stops_as_degenerate(report: Report) -> bool:
    """Whether it is that the model is degenerate which stops a job: a gate waits for it.

    A limit on accuracy can be judged all the same, and where there are no limits nothing is asked.
    """
    return report.degenerate is not None and any(
        found is Grade.UNJUDGED for found, _ in grades(report, accepted=False)
    )


def unsettled(
    verdicts: Sequence[Verdict], *, degenerate: bool, accept_inconclusive: bool
) -> list[Verdict]:
    """The verdicts that need a person: all but passes, and what is inconclusive and accepted."""
    fine = (Grade.PASSED, Grade.ACCEPTED)
    return [
        each
        for each in verdicts
        if grade(each, degenerate=degenerate, accepted=accept_inconclusive) not in fine
    ]


def exit_code(
    verdicts: Sequence[Verdict], *, degenerate: bool, accept_inconclusive: bool, exit_zero: bool
) -> int:
    """0 all pass, 1 a gate failed, 3 a gate could not be judged, 4 something inconclusive.

    A gate cannot be judged on a degenerate model, or where nothing was measured: more pictures
    would not help, so neither ``accept_inconclusive`` nor ``exit_zero`` makes that a success.
    """
    accepted = accept_inconclusive or exit_zero
    found = {grade(each, degenerate=degenerate, accepted=accepted) for each in verdicts}
    if Grade.FAILED in found and not exit_zero:
        return 1
    if Grade.UNJUDGED in found:
        return 3
    return 4 if Grade.INCONCLUSIVE in found else 0
