"""What every metric must keep, whatever it measures."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from known_models import ON_CPU, Linear, pictures, rng
from torch import Tensor

import semaudit
from semaudit.gradients import MEASURES
from semaudit.metrics import (
    IMAGE_FUNCTIONS,
    METRICS,
    PATH_FUNCTIONS,
    RUNG_FUNCTIONS,
    Path,
    Rung,
    View,
    declare,
)
from semaudit.metrics.steps import path_of, step_between
from semaudit.taxonomy import Taxonomy

BY_COLUMN = {metric.column: metric for metric in METRICS.values()}
MAY_BE_NAN = {"feature_distance", "concentration", "secant_slope", "onset"}
STILL = {
    "ssim": 1.0,
    "concentration": math.nan,
    "secant_slope": math.nan,
    "gradient_lipschitz": math.nan,
    "loss_gradient_lipschitz": math.nan,
}
SIZES = [(1, 4, 4), (3, 12, 9)]


def a_view(seed: int, size: tuple[int, int, int], classes: int, scale: float) -> View:
    generator = rng(seed)
    images = torch.rand((5, *size), generator=generator)
    logits = scale * torch.randn((5, classes), generator=generator, dtype=torch.float64)
    features = scale * torch.randn((5, 6), generator=generator, dtype=torch.float64)
    features[0] = 0
    star = Taxonomy.of("star", [-1] + [0] * classes, [1.0] * (classes + 1), range(-1, classes))
    gradient, loss_gradient = scale * torch.randn((2, 5, *size), generator=generator)
    return View(
        images,
        logits,
        features,
        taxonomy=star,
        gradient=gradient,
        loss_gradient=loss_gradient,
    )


def a_path(views: list[View]) -> Path:
    return path_of(
        [rung / len(views) for rung in range(1, len(views))],
        [RUNG_FUNCTIONS["shift"](Rung(views[0], after)) for after in views[1:]],
        [step_between(before, after) for before, after in itertools.pairwise(views)],
    )


def measured(views: list[View]) -> dict[str, Tensor]:
    path, rung = a_path(views), Rung(views[0], views[1])
    return {
        **{name: function(views[0]) for name, function in IMAGE_FUNCTIONS.items()},
        **{name: function(rung) for name, function in RUNG_FUNCTIONS.items()},
        **{name: function(path) for name, function in PATH_FUNCTIONS.items()},
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_every_metric_stays_inside_its_bounds(
    size: tuple[int, int, int], classes: int, scale: float
) -> None:
    views = [a_view(seed, size, classes, scale) for seed in range(4)]
    for column, values in measured(views).items():
        metric = BY_COLUMN[column]
        assert values.shape == (5,), column
        finite = values[~values.isnan()]
        assert torch.isfinite(finite).all(), column
        assert column in MAY_BE_NAN or len(finite) == 5, column
        low, high = metric.bounds
        assert (finite >= low).all(), column
        assert (finite <= high).all(), column


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_every_distance_is_zero_when_nothing_changes(
    size: tuple[int, int, int], scale: float
) -> None:
    same = a_view(0, size, 10, scale)
    values = measured([same, same, same])
    for column in (*RUNG_FUNCTIONS, *PATH_FUNCTIONS):
        expected = torch.full((5,), STILL.get(column, 0.0))
        torch.testing.assert_close(
            values[column].float(), expected, atol=1e-6, rtol=0, equal_nan=True, msg=column
        )


def test_every_metric_measures_a_change() -> None:
    values = measured([a_view(seed, (3, 8, 8), 10, 5.0) for seed in range(3)])
    for column in (*RUNG_FUNCTIONS, *PATH_FUNCTIONS):
        still = STILL.get(column, 0.0)
        assert (values[column] != still).any(), column


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_every_metric_is_described_in_one_line(metric) -> None:
    assert metric.description.endswith("."), metric
    assert "\n" not in metric.description
    assert 15 <= len(metric.description) <= 100
    assert metric.bounds[0] < metric.bounds[1]
    assert metric.level in ("image", "path", "rung")


def test_the_catalogue_is_complete() -> None:
    slopes = {each.column for measure in MEASURES.values() for each in measure.columns}
    columns = {*IMAGE_FUNCTIONS, *RUNG_FUNCTIONS, *PATH_FUNCTIONS, "correct", "onset", *slopes}
    assert set(BY_COLUMN) == columns
    assert len(METRICS) == len(columns)


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        declare("shift", "rung", (0, 1), "Again.")


def test_every_metric_is_gateable() -> None:
    limits = {
        name: f"{name}{'[brightness]' if not metric.comparable else ''} "
        f"<= {metric.bounds[0] + min(0.1, (metric.bounds[1] - metric.bounds[0]) / 4)}"
        for name, metric in METRICS.items()
    }
    size = (3, 8, 8)
    labels = torch.arange(12) % 4
    audit = semaudit.scan(
        Linear(size, 4, seed=1),
        (pictures(12, size, 2), labels),
        select=["brightness", "gaussian_noise"],
        fail_on=list(limits.values()),
        input_size=size,
        taxonomy="head",
        **ON_CPU,
    )
    assert len(audit.verdicts) == len(METRICS)
    assert all(verdict.value is not None and verdict.n > 0 for verdict in audit.verdicts)
