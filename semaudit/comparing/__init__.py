"""Two audits of the same pictures, probes and seed, compared picture by picture."""

from semaudit.comparing.build import compare
from semaudit.comparing.document import Change, Churn, Comparison, Ladder, Point, Side

__all__ = ["Change", "Churn", "Comparison", "Ladder", "Point", "Side", "compare"]
