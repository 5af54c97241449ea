"""The numbers that a gate is judged by: one a picture, of an audit alone or beside its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from semaudit.columns import values
from semaudit.errors import GateError
from semaudit.gates.binding import BoundGate
from semaudit.gates.grammar import Gate
from semaudit.layout import Array
from semaudit.report.document import Against
from semaudit.store import Samples


@dataclass(frozen=True)
class Numbers:
    """What one gate is judged by.

    Attributes:
        values: (N,) one number a picture, or one difference; NaN where there is none.
        against: the two means, where it is a difference.
    """

    values: Array
    against: Against | None = None


class Beside(Protocol):
    """A baseline, whose pictures stand beside those of the audit that is judged."""

    @property
    def untrusted(self) -> str | None:
        """Why no gate on a worst case or a gradient of the baseline can pass, if so."""

    def numbers(self, bound: BoundGate) -> Numbers:
        """Return what a gate that needs a baseline is judged by."""


def refuse_limits_without_baseline(limits: Sequence[Gate], given: bool) -> None:
    """Refuse, before any work, a limit that speaks of a baseline where none is named.

    Raises:
        GateError: names the limit.
    """
    lacking = [limit.text for limit in limits if limit.needs_baseline]
    if lacking and not given:
        raise GateError(
            f"{lacking[0]!r} needs a baseline: name an audit of the same pictures, or the file "
            "that `semaudit baseline save` made of one, with --baseline"
        )


def numbers_of(bound: BoundGate, samples: Samples, beside: Beside | None) -> Numbers:
    """Return what a gate is judged by.

    Raises:
        GateError: it needs a baseline, and there is none.
    """
    refuse_limits_without_baseline([bound.gate], beside is not None)
    if beside is not None and bound.gate.needs_baseline:
        return beside.numbers(bound)
    return Numbers(values(samples, bound.metric, [bound.part])[:, 0])
