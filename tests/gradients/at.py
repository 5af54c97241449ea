"""Points on models whose derivatives are known, all in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from known_models import rng
from torch import Tensor, nn

from semaudit import models
from semaudit.gradients import at_pictures, survey
from semaudit.gradients.measures import MEASURES
from semaudit.gradients.point import Point, standing
from semaudit.metric import Activation
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.trace import look

SIZE = (3, 4, 3)
PIXELS = 36


class Quadratic(nn.Module):
    """x H_k x / 2 + b_k x for each class k, H_k symmetric; definite where asked for."""

    def __init__(self, classes: int, seed: int, *, scale: float = 1.0, definite: bool = False):
        super().__init__()
        self.num_classes = classes
        roots = torch.randn((classes, PIXELS, PIXELS), generator=rng(seed), dtype=torch.float64)
        hessian = roots @ roots.mT / PIXELS if definite else (roots + roots.mT) / 2
        self.hessian = nn.Parameter(scale * hessian)
        slope = torch.randn((classes, PIXELS), generator=rng(seed + 1), dtype=torch.float64)
        self.slope = nn.Parameter(slope)

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        return torch.einsum("ni,kij,nj->nk", x, self.hessian, x) / 2 + x @ self.slope.T


class Tanh(nn.Module):
    """A network of two layers."""

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        self.num_classes = classes
        first = torch.randn((20, PIXELS), generator=rng(seed), dtype=torch.float64)
        last = torch.randn((classes, 20), generator=rng(seed + 1), dtype=torch.float64)
        self.first, self.last = nn.Parameter(0.1 * first), nn.Parameter(last)

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1) @ self.first.T).tanh() @ self.last.T


def placed(module: nn.Module, activation: Activation = "softmax") -> Classifier:
    normalisation = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.5)}
    overrides = models.PreprocessingOverrides(input_size=SIZE, **normalisation)
    ready = models.load(module, overrides=overrides).place(torch.device("cpu"))
    return replace(ready, activation=activation)


def some_pictures(n: int, seed: int = 0, *, same: bool = False) -> Tensor:
    """Float64; or the same one n times, whose draws differ."""
    images = torch.rand((1 if same else n, *SIZE), generator=rng(seed), dtype=torch.float64)
    return images.expand(n, -1, -1, -1) if same else images


def draw_of(n: int, seed: int = 0) -> Draw:
    return Draw.of(seed, "slopes", [str(k) for k in range(n)])


def columns(
    model: Classifier,
    images: Tensor,
    labels: Tensor | None = None,
    samples: int = 4,
    *,
    only: str | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """What is measured of pictures, as a scan measures it."""
    with torch.no_grad():
        return at_pictures(
            model,
            survey(model),
            look(model, images),
            labels,
            draw_of(len(images), seed),
            samples,
            None if only is None else [MEASURES[only]],
        )


@contextmanager
def point_at(
    model: Classifier, images: Tensor, labels: Tensor | None = None, samples: int = 4
) -> Iterator[Point]:
    differentiator = survey(model).differentiator
    assert differentiator is not None
    with torch.no_grad():
        clean = look(model, images)
        with standing(differentiator, clean, labels, draw_of(len(images)), samples) as point:
            yield point


def deviations(model: Classifier) -> Tensor:
    """The normalisation's, a pixel: (PIXELS,)."""
    std = torch.tensor(model.preprocessing.std, dtype=torch.float64)
    return std.repeat_interleave(PIXELS // len(std))


def jacobian(model: Classifier, image: Tensor) -> Tensor:
    """(classes, PIXELS), by torch's own functional."""
    found = torch.autograd.functional.jacobian(lambda x: model(x[None]).logits[0], image)
    return found.flatten(1)


def hessian(model: Classifier, image: Tensor, of: int) -> Tensor:
    """(PIXELS, PIXELS) of one logit, by torch's own functional."""
    found = torch.autograd.functional.hessian(lambda x: model(x[None]).logits[0, of], image)
    return found.reshape(PIXELS, PIXELS)
