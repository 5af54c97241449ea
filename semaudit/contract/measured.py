"""The contract of a metric: one number a picture, within its bounds, the same every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from semaudit.contract.cases import scenes
from semaudit.contract.examining import Outcome
from semaudit.errors import SemauditError
from semaudit.metric import Activation, Metric
from semaudit.metrics import Rung, View, of_function
from semaudit.metrics.steps import path_of, step_between

COUNT, CLASSES, RUNGS = 5, 6, 3
ACTIVATIONS: tuple[Activation, ...] = ("softmax", "sigmoid", "none")


def examine_metric(metric: Metric) -> Iterator[Outcome]:
    """Yield how each clause stands for a metric that has a function."""
    for clause, check in _CLAUSES.items():
        verdicts = ((_tried(check, metric, each), each) for each in _activations(metric))
        said = next((f"{fault} (outputs: {each})" for fault, each in verdicts if fault), None)
        yield Outcome(metric.name, clause, "FAIL" if said else "pass", said or "")


def _activations(metric: Metric) -> tuple[Activation, ...]:
    """A metric that needs classes is not asked about embeddings."""
    return ACTIVATIONS[:2] if metric.needs_classes else ACTIVATIONS


def _tried(
    check: Callable[[Metric, Activation], str | None], metric: Metric, activation: Activation
) -> str | None:
    try:
        return check(metric, activation)
    except SemauditError as error:  # what the metric's own failure is turned into
        return str(error)


def _gives_one_number_a_picture(metric: Metric, activation: Activation) -> str | None:
    _values(metric, activation, moved=True)
    return None


def _stays_within_its_bounds(metric: Metric, activation: Activation) -> str | None:
    low, high = metric.bounds
    for moved in (False, True):
        values = _values(metric, activation, moved)
        values = values[~values.isnan()]
        if values.isinf().any() or (values < low).any() or (values > high).any():
            found = ", ".join(f"{value:.4g}" for value in values.tolist())
            return (
                f"it gives {found}, and states bounds of [{low:g}, {high:g}]; widen them, or "
                "clamp; NaN says that it does not apply"
            )
    return None


def _gives_the_same_twice(metric: Metric, activation: Activation) -> str | None:
    first, second = (_values(metric, activation, moved=True) for _ in range(2))
    if torch.equal(first.nan_to_num(-1), second.nan_to_num(-1)):
        return None
    return "two runs on the same outputs differ; keep nothing, and draw nothing"


_CLAUSES = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (_gives_one_number_a_picture, _stays_within_its_bounds, _gives_the_same_twice)
}


def _values(metric: Metric, activation: Activation, moved: bool) -> Tensor:
    """What the metric says, (n,), of made-up outputs that moved along a ladder or did not."""
    views = [_view(seed if moved else 0, activation) for seed in range(RUNGS + 1)]
    if metric.level == "image":
        return of_function(metric)(views[0])
    if metric.level == "rung":
        return of_function(metric)(Rung(views[0], views[1]))
    path = path_of(
        [(rung + 1) / RUNGS for rung in range(RUNGS)],
        [views[0].shift_to(view) for view in views[1:]],
        [step_between(before, after) for before, after in pairwise(views)],
    )
    return of_function(metric)(path)


def _view(seed: int, activation: Activation) -> View:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(COUNT, CLASSES, generator=generator, dtype=torch.float64)
    features = torch.randn(COUNT, 8, generator=generator, dtype=torch.float64)
    images = (scenes(COUNT, 3, 32, 32) * (1 - 0.1 * seed)).clamp(0, 1)
    return View(images, logits, features, activation)
