"""Total variation of the saliency map, against loops."""

from __future__ import annotations

import pytest
import torch

from gradients.at import SIZE, Tanh, columns, jacobian, placed, point_at, some_pictures
from semaudit.gradients.saliency import saliency, saliency_variation


def by_loops(salient: list[list[float]]) -> float:
    height, width, total = len(salient), len(salient[0]), 0.0
    for i in range(height):
        for j in range(width):
            if i + 1 < height:
                total += abs(salient[i + 1][j] - salient[i][j])
            if j + 1 < width:
                total += abs(salient[i][j + 1] - salient[i][j])
    return total / sum(map(sum, salient))


def test_it_is_what_loops_make_of_torch_s_jacobian() -> None:
    model, images = placed(Tanh(5, seed=4)), some_pictures(5)
    found = columns(model, images)["saliency_variation"]
    for k, image in enumerate(images):
        slope = jacobian(model, image)[model(image[None]).logits.argmax()].view(SIZE)
        salient = slope.abs().max(0).values
        assert float(found[k]) == pytest.approx(by_loops(salient.tolist()), rel=1e-10)


def of_gradient(gradient) -> float:
    with point_at(placed(Tanh(5, seed=4)), some_pictures(1)) as point:
        object.__setattr__(point, "gradient", gradient.expand(1, *gradient.shape[1:]))
        return float(saliency_variation(point)["saliency_variation"])


def test_an_even_map_varies_by_0_and_a_lone_point_by_4() -> None:
    assert of_gradient(torch.full((1, 3, 7, 7), -2.0)) == 0
    lone = torch.zeros(1, 3, 7, 7)
    lone[0, 1, 3, 3] = -5.0
    assert of_gradient(lone) == 4
    lone.zero_()[0, 1, 0, 0] = 5.0
    assert of_gradient(lone) == 2


def test_it_is_free_of_the_scale_of_the_gradient() -> None:
    gradient = torch.rand((1, 3, 7, 7), dtype=torch.float64, generator=torch.Generator())
    assert of_gradient(1e-30 * gradient) == pytest.approx(of_gradient(gradient), rel=1e-12)


def test_the_map_is_the_largest_size_over_the_channels() -> None:
    gradient = torch.tensor([1.0, -3.0, 2.0]).view(1, 3, 1, 1)
    assert saliency(gradient).item() == 3
