"""The metrics that semaudit ships, as limits know them without torch.

A recorded report is read by people and programs, and may be edited: the range of a metric decides
how wide its intervals are, so that it is never taken from there where it is known here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from semaudit.errors import AuditError
from semaudit.layout import Track
from semaudit.metric import NOISE_FLOOR, SCORE, Bounds, Level, Metric, entropy_bounds
from semaudit.probedir import probes_dir
from semaudit.report.document import Report

INF = math.inf
Known = tuple[str, Level, Bounds, bool]

_OF_OUTPUTS: Mapping[str, Known] = {
    "accuracy": ("correct", "image", (0, 1), True),
    "concentration": ("concentration", "path", (0, 1), True),
    "confidence": ("confidence", "image", (0, 1), True),
    "entropy": ("entropy", "image", (0, INF), True),
    "feature_distance": ("feature_distance", "rung", (0, 2), True),
    "flip_rate": ("flip", "rung", (0, 1), True),
    "input_linf": ("input_linf", "rung", (0, 1), True),
    "input_rms": ("input_rms", "rung", (0, 1), True),
    "jump": ("jump", "path", (0, 1), True),
    "logit_distance": ("logit_distance", "rung", (0, INF), True),
    "logit_norm": ("logit_norm", "image", (0, INF), True),
    "neighbour_flips": ("neighbour_flips", "path", (0, 1), True),
    "neighbour_top5_distance": ("neighbour_top5_distance", "path", (0, 18), True),
    "onset": ("onset", "path", (0, 1), False),
    "secant_slope": ("secant_slope", "path", (0, INF), True),
    "shift": ("shift", "rung", (0, 1), True),
    "shift_area": ("shift_area", "path", (0, 1), True),
    "ssim": ("ssim", "rung", (-1, 1), True),
    "top5_distance": ("top5_distance", "rung", (0, 18), True),
    "transport": ("transport", "rung", (0, 1), True),
    "score": ("jump", "path", (0, 100), True),
    "noise_floor": ("shift", "rung", (0, 1), True),
}
_OF_GRADIENTS: Mapping[str, Known] = {
    "boundary_l2": ("boundary_l2", "image", (0, INF), True),
    "boundary_linf": ("boundary_linf", "image", (0, INF), True),
    "curvature_gradient": ("curvature_gradient", "image", (0, INF), True),
    "curvature_random": ("curvature_random", "image", (0, INF), True),
    "gradient_change": ("gradient_change", "rung", (0, INF), True),
    "gradient_l1": ("gradient_l1", "image", (0, INF), True),
    "gradient_l2": ("gradient_l2", "image", (0, INF), True),
    "gradient_lipschitz": ("gradient_lipschitz", "rung", (0, INF), True),
    "gradient_snr": ("gradient_snr", "image", (0, INF), True),
    "gradient_turn": ("gradient_turn", "rung", (0, 2), True),
    "jacobian_frobenius": ("jacobian_frobenius", "image", (0, INF), True),
    "jacobian_frobenius_se": ("jacobian_frobenius_se", "image", (0, INF), True),
    "jacobian_spectral": ("jacobian_spectral", "image", (0, INF), True),
    "jacobian_spectral_residual": ("jacobian_spectral_residual", "image", (0, INF), True),
    "linearity_error": ("linearity_error", "image", (0, INF), True),
    "loss_curvature_gradient": ("loss_curvature_gradient", "image", (0, INF), True),
    "loss_curvature_random": ("loss_curvature_random", "image", (0, INF), True),
    "loss_gradient_l1": ("loss_gradient_l1", "image", (0, INF), True),
    "loss_gradient_l2": ("loss_gradient_l2", "image", (0, INF), True),
    "loss_gradient_snr": ("loss_gradient_snr", "image", (0, INF), True),
    "loss_gradient_change": ("loss_gradient_change", "rung", (0, INF), True),
    "loss_gradient_lipschitz": ("loss_gradient_lipschitz", "rung", (0, INF), True),
    "loss_gradient_turn": ("loss_gradient_turn", "rung", (0, 2), True),
    "loss_linearity_error": ("loss_linearity_error", "image", (0, INF), True),
    "saliency_sensitivity": ("saliency_sensitivity", "image", (0, INF), True),
    "saliency_variation": ("saliency_variation", "image", (0, 4), True),
}
SHIPPED: Mapping[str, Known] = {**_OF_OUTPUTS, **_OF_GRADIENTS}
"""Column, level, range and whether comparable, by name; a test holds it against the registry."""


def as_metrics() -> dict[str, Metric]:
    """All of them, as limits are bound to them; what each means is left out."""
    found = {
        name: Metric(name, *known, "", needs_gradients=name in _OF_GRADIENTS)
        for name, known in SHIPPED.items()
    }
    return {**found, SCORE.name: SCORE, NOISE_FLOOR.name: NOISE_FLOOR}


def recorded_metrics(report: Report, limited: Iterable[str], audit: Path) -> dict[str, Metric]:
    """Return what an audit measured, by name, for limits on those named ``limited``.

    The ranges of a plugin's metrics are the report's: nothing else knows them.

    Raises:
        AuditError: the report says of a limited metric what semaudit does not.
    """
    found = {each.name: each.metric for each in report.metrics}
    for name in limited:
        if name in found and name in SHIPPED:
            _require_same(found[name], _known(name, report), audit)
    return found


def _known(name: str, report: Report) -> Known:
    column, level, bounds, comparable = SHIPPED[name]
    if name == "entropy":
        bounds = entropy_bounds(report.model.activation, report.model.num_classes)
    return column, level, bounds, comparable


def _require_same(metric: Metric, known: Known, audit: Path) -> None:
    column, level, (low, high), comparable = known
    given_low, given_high = metric.bounds
    same = (metric.column, metric.level, metric.comparable) == (column, level, comparable)
    if same and math.isclose(given_low, low) and math.isclose(given_high, high):
        return
    said = f"in [{given_low:g}, {given_high:g}], of the column {metric.column!r}, once a"
    raise AuditError(
        f"the report in {audit} says that {metric.name} lies {said} {metric.level}, and it lies in "
        f"[{low:g}, {high:g}], of {column!r}, once a {level}: the report was edited, or is of "
        "another version of semaudit; scan again"
    )


def shipped_tracks() -> Iterator[Track]:
    """All shipped probes; their ladders, which settings may change, are left out."""
    for path in sorted(probes_dir().glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name in document["probes"]:
            yield Track(name, document["family"], ())
