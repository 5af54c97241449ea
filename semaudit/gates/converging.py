"""Limits from above on what an iteration approaches from below."""

from __future__ import annotations

import numpy as np

from semaudit.gates.binding import BoundGate
from semaudit.metric import CONVERGED
from semaudit.store import Samples

RESIDUALS = {"jacobian_spectral": "jacobian_spectral_residual"}
"""By the metric that is a lower bound, the column that says how far it got."""


def too_low(bound: BoundGate, samples: Samples) -> str | None:
    """Why a gate cannot pass: the true value of some picture may lie above what was found."""
    column = RESIDUALS.get(bound.metric.name)
    if column is None or not bound.gate.at_most:
        return None
    known = np.isfinite(samples.image(bound.metric.column))
    # A residual that is not a number has not converged either.
    short = int((known & ~(samples.image(column) <= CONVERGED)).sum())
    if not short:
        return None
    return (
        f"{bound.metric.name} is a lower bound and has not converged on {short:,} of "
        f"{int(known.sum()):,} pictures (residual above {CONVERGED:g}): the truth may be "
        "higher; --gradient-samples takes it further"
    )
