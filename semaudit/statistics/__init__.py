"""What n images say of a model: an estimate, an interval at any level, and a p-value of a limit.

The image is the unit everywhere. The cells of one image (its rungs, its probes) are correlated, so
a caller reduces them to one number an image first; counting cells as if they were images makes
intervals several times too short.

No room here imports ``scipy.stats``: it costs half a second of start-up and ``semaudit gate`` has
to answer in 1.5 s. ``scipy.special`` holds all that the formulas need; the tests use
``scipy.stats`` as their oracle.
"""

from semaudit.statistics.decisions import MOST_PICTURES, HolmStep, holm, pictures_to_decide
from semaudit.statistics.evidence import Bounds, Evidence
from semaudit.statistics.means import mean_evidence, mean_intervals
from semaudit.statistics.paired import (
    Paired,
    difference_bounds,
    differences,
    paired_evidence,
    sign_test,
)
from semaudit.statistics.quantiles import max_evidence, quantile_evidence, quantile_intervals

__all__ = [
    "MOST_PICTURES",
    "Bounds",
    "Evidence",
    "HolmStep",
    "Paired",
    "difference_bounds",
    "differences",
    "holm",
    "max_evidence",
    "mean_evidence",
    "mean_intervals",
    "paired_evidence",
    "pictures_to_decide",
    "quantile_evidence",
    "quantile_intervals",
    "sign_test",
]
