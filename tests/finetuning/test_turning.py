"""The penalty on the gradient turn, against the metric that a scan measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semaudit.finetuning.generic import Generic
from semaudit.finetuning.turning import SHARE, Turning
from semaudit.gradients import Differentiator
from semaudit.gradients.functionals import ClassLogit
from semaudit.models import Classifier, PreprocessingOverrides, load
from semaudit.perturbations import Draw

N, SIDE = 64, 6
STILL = Generic((0.0, 0.5, 0.2, 0.2))


class Bent(nn.Module):
    """Two layers of tanh: gradients that turn."""

    num_classes = 5

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm2d(3)
        self.inner, self.outer = nn.Linear(3 * SIDE * SIDE, 16), nn.Linear(16, 5)
        nn.init.normal_(self.inner.weight, std=0.6)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.outer(self.inner(self.norm(images).flatten(1)).tanh())
        return logits


def opened(module: nn.Module) -> Classifier:
    size = PreprocessingOverrides(input_size=(3, SIDE, SIDE))
    return load(module, num_classes=5, overrides=size)


@pytest.fixture
def classifier() -> Classifier:
    return opened(Bent())


def pictures() -> tuple[Tensor, Draw]:
    images = torch.rand(N, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return images, Draw.of(3, "turn", [str(row) for row in range(N)], images.device)


def by_metric(classifier: Classifier, images: Tensor, draw: Draw) -> np.ndarray:
    """1 - cos between the gradients of the clean class's logit, by numpy."""
    differentiate = Differentiator(classifier)
    with torch.no_grad():
        top = classifier(images).logits.argmax(-1)
        changed = STILL(images, draw)
    before, after = (
        differentiate(each, ClassLogit(top)).gradients[0].flatten(1).double().numpy()
        for each in (images, changed)
    )
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return np.asarray(1 - (before * after).sum(1) / lengths)


def test_it_is_the_turn_of_a_scan_at_a_quarter_of_the_pictures(classifier: Classifier) -> None:
    images, draw = pictures()
    found = Turning(replace(STILL, reach=(0.3, *STILL.reach[1:])))(classifier, images, draw)
    taken = found.detach().numpy() != 0
    assert 0.1 * N < taken.sum() < 0.45 * N
    expected = by_metric(classifier, images, draw) / SHARE
    np.testing.assert_allclose(found.detach().numpy()[taken], expected[taken], 1e-3, 1e-5)


def test_which_pictures_are_taken_does_not_depend_on_the_batch(classifier: Classifier) -> None:
    images, draw = pictures()
    turning = Turning(STILL)
    whole = turning(classifier, images, draw)
    parts = [
        turning(classifier, images[rows], draw.subset(rows)) for rows in torch.arange(N).chunk(5)
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-4, atol=1e-5)


def test_a_linear_model_does_not_turn() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 5))
    images, draw = pictures()
    linear = opened(model)
    assert Turning(STILL)(linear, images, draw).abs().max() < 1e-5


def test_descending_it_makes_gradients_turn_less(classifier: Classifier) -> None:
    images, draw = pictures()
    before = by_metric(classifier, images, draw).mean()
    classifier.module.requires_grad_(True)
    optimizer = torch.optim.Adam(classifier.module.parameters(), 0.01)
    for step in range(30):
        again = Draw.of(step, "turn", [str(row) for row in range(N)], images.device)
        optimizer.zero_grad()
        Turning(STILL)(classifier, images, again).mean().backward()
        optimizer.step()
    assert by_metric(classifier, images, draw).mean() < 0.6 * before


def test_a_batch_of_which_no_picture_is_taken_has_no_turn(classifier: Classifier) -> None:
    images, draw = pictures()
    rows = (Turning(STILL)(classifier, images, draw) == 0).nonzero()[:3, 0]
    found = Turning(STILL)(classifier, images[rows], draw.subset(rows))
    assert found.tolist() == [0.0] * 3
