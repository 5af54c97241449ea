"""One batch under a whole battery: everything lands in its own column and row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_models import BreaksWhenBright, Linear, classifier, pictures

from semaudit.errors import AuditError
from semaudit.look import look
from semaudit.measure import measure
from semaudit.metrics import IMAGE_FUNCTIONS, PATH_FUNCTIONS, RUNG_FUNCTIONS
from semaudit.perturbations import Draw
from semaudit.probes import load_probes, select_battery
from semaudit.trace import walk

SIZE = (3, 8, 8)
IDS = tuple("abcdefg")


@pytest.fixture
def battery():
    return select_battery(load_probes(), ("brightness", "noise", "subpixel_shift"))


def test_columns_are_those_of_every_probe_walked_alone(battery) -> None:
    model = classifier(Linear(SIZE, 5, seed=1, scale=0.3), SIZE)
    images = pictures(7, SIZE, seed=2, low=0.1, high=0.9)
    got = measure(model, battery, images, IDS, seed=3)
    assert set(got.rungs) == set(RUNG_FUNCTIONS)
    assert set(got.paths) == {*PATH_FUNCTIONS, "onset"}
    assert set(got.images) == set(IMAGE_FUNCTIONS)
    cell = 0
    with torch.inference_mode():
        clean = look(model, images)
        for column, probe in enumerate(battery):
            trace = walk(model, probe, clean, Draw.of(3, probe.name, IDS))
            cells = slice(cell, cell + len(probe.ladder))
            for name, values in trace.rungs.items():
                np.testing.assert_allclose(got.rungs[name][:, cells], values.numpy(), atol=1e-12)
            for name, values in trace.paths.items():
                np.testing.assert_allclose(got.paths[name][:, column], values.numpy(), atol=1e-8)
            np.testing.assert_array_equal(got.classes[:, cells], trace.classes.numpy())
            flipped = trace.rungs["flip"].any(1).numpy() & (probe.name != "identity")
            np.testing.assert_array_equal(~np.isnan(got.paths["onset"][:, column]), flipped)
            cell += len(probe.ladder)
        for name, function in IMAGE_FUNCTIONS.items():
            np.testing.assert_allclose(got.images[name], function(clean).numpy(), atol=1e-12)
    assert got.rungs["shift"].shape == (7, cell)
    np.testing.assert_array_equal(got.clean_classes, clean.top_class.numpy())
    total = clean.logits.softmax(1).sum(0, keepdim=True)
    torch.testing.assert_close(got.output_sum, total, atol=1e-12, rtol=0)


def test_steps_add_up_to_the_cells(battery) -> None:
    steps: list[int] = []
    model = classifier(Linear(SIZE, 5, seed=1), SIZE)
    measure(model, battery, pictures(7, SIZE, seed=2), IDS, 3, steps.append)
    assert sum(steps) == 7 * sum(len(probe.ladder) for probe in battery)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_output_that_is_not_finite_names_picture_probe_and_strength(value: float) -> None:
    battery = [
        replace(probe, ladder=(0.02, 0.05, 0.1))
        for probe in select_battery(load_probes(), ("brightness",), ("identity",))
    ]
    images = torch.full((7, *SIZE), 0.5)
    images[:4] = 0.3
    sign = Draw.of(0, "brightness", IDS).sign().flatten()
    broken = next(i for i in range(4, 7) if sign[i] > 0)
    model = classifier(BreaksWhenBright(Linear(SIZE, 4, seed=1), 0.53, value), SIZE)
    with pytest.raises(AuditError, match=rf"'{IDS[broken]}' under brightness at 0.05 is not"):
        measure(model, battery, images, IDS, seed=0)


def test_a_clean_output_that_is_not_finite_names_the_picture(battery) -> None:
    images = pictures(7, SIZE, seed=2)
    images[4] = 0.9
    model = classifier(BreaksWhenBright(Linear(SIZE, 4, seed=1), 0.8), SIZE)
    with pytest.raises(AuditError, match=r"clean picture 'e' is not finite"):
        measure(model, battery, images, IDS, seed=0)
