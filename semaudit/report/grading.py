"""What a gate means to whoever waits for it: the same distinctions as the exit codes."""

from __future__ import annotations

from enum import Enum

from semaudit.report.document import Outcome, Report, Verdict


class Grade(Enum):
    """A verdict, as a job takes it; the worst first."""

    FAILED = "failed"
    UNJUDGED = "could not be judged"
    INCONCLUSIVE = "inconclusive"
    ACCEPTED = "inconclusive, which is accepted"
    PASSED = "passed"


def grade(report: Report, verdict: Verdict, *, accepted: bool) -> Grade:
    """Tell what stops a job from what does not.

    Args:
        report: of the verdict.
        verdict: a gate, judged.
        accepted: whether inconclusive gates are; never those that could not be judged at all.
    """
    if verdict.outcome is Outcome.FAIL:
        return Grade.FAILED
    if verdict.outcome is Outcome.PASS:
        return Grade.PASSED
    if report.degenerate is not None or verdict.value is None:
        return Grade.UNJUDGED
    return Grade.ACCEPTED if accepted else Grade.INCONCLUSIVE


def by_grade(report: Report, *, accepted: bool) -> list[tuple[Grade, Verdict]]:
    """All gates, the worst first, else in their order."""
    order = list(Grade)
    graded = [(grade(report, each, accepted=accepted), each) for each in report.verdicts]
    return sorted(graded, key=lambda pair: order.index(pair[0]))
