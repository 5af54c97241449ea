"""Evidence that something around the model is wrong: its labels, or its preprocessing."""

from semaudit.checks.compare import Compared, Comparison, compare_preprocessing
from semaudit.checks.labels import label_warnings
from semaudit.checks.preprocessing import (
    PICTURES,
    PICTURES_OF_A_GUESS,
    Suspicion,
    can_tell,
    suspect_preprocessing,
)

__all__ = [
    "PICTURES",
    "PICTURES_OF_A_GUESS",
    "Compared",
    "Comparison",
    "Suspicion",
    "can_tell",
    "compare_preprocessing",
    "label_warnings",
    "suspect_preprocessing",
]
