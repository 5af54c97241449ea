"""What the verdicts together make of a command: its exit code, and what a person has to see."""

from __future__ import annotations

from collections.abc import Sequence

from semaudit.report.document import Outcome, Verdict


def unsettled(
    verdicts: Sequence[Verdict], *, degenerate: bool, accept_inconclusive: bool
) -> list[Verdict]:
    """The verdicts that need a person: all but passes, and what is inconclusive and accepted."""
    return [
        verdict
        for verdict in verdicts
        if exit_code(
            [verdict],
            degenerate=degenerate,
            accept_inconclusive=accept_inconclusive,
            exit_zero=False,
        )
    ]


def exit_code(
    verdicts: Sequence[Verdict], *, degenerate: bool, accept_inconclusive: bool, exit_zero: bool
) -> int:
    """0 all pass, 1 a gate failed, 3 a gate could not be judged, 4 something inconclusive.

    A gate cannot be judged on a degenerate model, or where nothing was measured: more pictures
    would not help, so neither ``accept_inconclusive`` nor ``exit_zero`` makes that a success.
    """
    outcomes = {verdict.outcome for verdict in verdicts}
    unjudged = degenerate and Outcome.INCONCLUSIVE in outcomes
    if Outcome.FAIL in outcomes and not exit_zero:
        return 1
    if unjudged or any(verdict.value is None for verdict in verdicts):
        return 3
    tolerated = exit_zero or accept_inconclusive
    return 4 if Outcome.INCONCLUSIVE in outcomes and not tolerated else 0
