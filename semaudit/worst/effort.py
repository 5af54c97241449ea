"""How hard a worst case is looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Objective = Literal["jsd", "kl", "margin", "overlap"]
"""What an ascent climbs. The change that is kept is the one with the largest shift all the same."""


@dataclass(frozen=True)
class Effort:
    """How hard.

    Attributes:
        steps: gradients (or, without gradients, outputs) a picture, rung and restart.
        restarts: of the ascent, the first from what the smaller rung found.
        candidates: outputs a picture and rung in a search over few parameters.
        objective: what is climbed.
    """

    steps: int
    restarts: int
    candidates: int
    objective: Objective = "jsd"

    def towards(self, objective: Objective) -> Effort:
        """The same effort for another objective."""
        return replace(self, objective=objective)


CHEAP = Effort(steps=5, restarts=1, candidates=12)
FULL = Effort(steps=20, restarts=3, candidates=60)
