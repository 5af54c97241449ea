"""Out of memory and broken outputs, through the whole scan."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import (
    ON_CPU,
    BreaksWhenBright,
    Hungry,
    Linear,
    Starved,
    draw_of,
    pictures,
    scan_along,
)

import semaudit
from semaudit.errors import AuditError
from semaudit.stream import Progress

SIZE = (3, 8, 8)
MODEL = Linear(SIZE, 5, seed=1, scale=0.4)
IMAGES = pictures(17, SIZE, seed=2, low=0.2, high=0.8)
LADDER = {"brightness": (0.05, 0.1, 0.15), "contrast": (0.1, 0.2)}


def scan(module, images=IMAGES, **settings) -> semaudit.Audit:
    return semaudit.scan(module, images, input_size=SIZE, **ON_CPU, **settings)


@pytest.mark.parametrize(("batch_size", "left"), [(8, 2), (7, 3), (17, 2), (3, 3)])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_a_scan_goes_on_in_smaller_parts(batch_size: int, left: int, error) -> None:
    seen: list[Progress] = []
    select = ["brightness", "gaussian_noise"]
    free = scan(MODEL, select=select)
    tight = scan(Hungry(MODEL, 3, error), select=select, batch_size=batch_size, watch=seen.append)
    assert tight.manifest["runtime"]["batch_size"] == left
    assert tight.images()["image"].tolist() == free.images()["image"].tolist()
    one, other = free.samples(), tight.samples()
    assert one[["image", "probe", "rung"]].equals(other[["image", "probe", "rung"]])
    for column in one.columns[one.dtypes == np.float32]:
        np.testing.assert_allclose(one[column], other[column], atol=1e-6, err_msg=column)
    for column in ("jump", "onset", "shift_area"):
        np.testing.assert_allclose(free.paths()[column], tight.paths()[column], atol=1e-6)
    assert tight.report.estimate("flip_rate").value == free.report.estimate("flip_rate").value
    assert max(each.cells for each in seen) == seen[-1].cells == seen[-1].total_cells


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_picture_that_never_fits_is_an_error(batch_size: int) -> None:
    with pytest.raises(AuditError, match="single picture") as caught:
        scan(Starved(MODEL), IMAGES * 0.3, batch_size=batch_size)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_output_in_the_midst_of_a_scan_names_where(value: float) -> None:
    images = pictures(17, SIZE, seed=2, low=0.3, high=0.4)
    images[11] = 0.5
    # Brightened by 0.1 it is at 0.6; by 0.05 at 0.55.
    seed = next(
        s for s in range(20) if draw_sign(scan(MODEL, images, select=["brightness"], seed=s)) > 0
    )
    module = BreaksWhenBright(MODEL, 0.58, value)
    with pytest.raises(AuditError) as caught:
        scan_along(LADDER, module, images, input_size=SIZE, seed=seed, batch_size=4)
    assert "'000011' under brightness at 0.1 is not finite" in str(caught.value)
    assert caught.value.exit_code == 3


def draw_sign(audit: semaudit.Audit) -> float:
    return draw_of(audit, "brightness").sign().flatten()[11].item()


def test_nothing_is_left_behind_where_a_scan_failed(tmp_path) -> None:
    images = IMAGES.clone()
    images[11] = 0.95
    with pytest.raises(AuditError, match="clean picture '000011' is not finite"):
        scan(BreaksWhenBright(MODEL, 0.9), images, select=["gamma"], out=tmp_path / "audit")
    assert list(tmp_path.iterdir()) == []
