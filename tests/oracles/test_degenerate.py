"""Models of which continuity says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import ON_CPU, Constant, Linear, OneClass, pictures
from torch import nn

import semaudit
from semaudit.report.document import Outcome

SIZE = (3, 8, 8)
IMAGES = pictures(12, SIZE, seed=1, low=0.1, high=0.9) * torch.linspace(0.2, 1, 12).view(
    -1, 1, 1, 1
)


def scan(module, data, **settings) -> semaudit.Audit:
    return semaudit.scan(
        module, data, select=["photometric", "noise"], input_size=SIZE, **ON_CPU, **settings
    )


def test_a_constant_model_moves_nowhere_and_is_not_scored() -> None:
    audit = scan(Constant(), IMAGES, fail_on=["flip_rate<=0.05", "score>=50", "jump.p95<=0.5"])
    samples, paths = audit.samples(), audit.paths()
    for column in ("shift", "flip", "top5_distance", "logit_distance"):
        assert (samples[column].abs() <= 1e-12).all(), column
    assert (samples["input_rms"] > 0).any()
    assert (paths["jump"] <= 1e-6).all()
    assert paths["concentration"].isna().all()
    assert paths["onset"].isna().all()
    assert audit.score is None
    assert audit.report.score is None
    assert "the output is the same whatever the picture" in audit.report.degenerate
    assert [verdict.outcome for verdict in audit.verdicts] == [Outcome.INCONCLUSIVE] * 3
    assert all("the output is the same" in verdict.reason for verdict in audit.verdicts)
    assert not audit.passed


def test_accuracy_of_a_constant_model_can_be_judged() -> None:
    labels = torch.arange(12) % 3
    audit = scan(Constant(), (IMAGES, labels), fail_on=["accuracy>=0.9", "flip_rate<=0.5"])
    outcomes = {verdict.gate: verdict.outcome for verdict in audit.verdicts}
    assert outcomes == {
        "accuracy>=0.9": Outcome.FAIL,
        "flip_rate<=0.5": Outcome.INCONCLUSIVE,
    }
    assert audit.report.clean.accuracy.value == pytest.approx(1 / 3)


def test_one_class_for_all_though_the_labels_differ() -> None:
    labels = torch.tensor([0, 2] * 6)
    audit = scan(OneClass(), (IMAGES, labels), fail_on=["shift<=0.5"])
    assert audit.samples()["shift"].max() > 1e-3
    assert "every picture gets class 2, though the labels differ" in audit.report.degenerate
    assert audit.score is None
    assert audit.verdicts[0].outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("labels", [None, torch.full((12,), 2)])
def test_one_class_is_not_named_where_nothing_says_that_it_is_wrong(
    labels: torch.Tensor | None,
) -> None:
    audit = scan(OneClass(), IMAGES if labels is None else (IMAGES, labels))
    assert audit.report.degenerate is None
    assert audit.score is not None


def test_one_picture_shows_a_constant_model_by_the_reference_pictures() -> None:
    assert scan(Constant(), IMAGES[:1]).report.degenerate is not None
    assert scan(OneClass(), IMAGES[:1]).report.degenerate is None


def test_pictures_that_are_alike_do_not_make_a_model_degenerate() -> None:
    assert scan(OneClass(), IMAGES[:1].expand(5, -1, -1, -1)).report.degenerate is None


class Undecided(nn.Module):
    """Of 8 classes, none is ever much likelier; ``sureness`` makes one so."""

    num_classes = 8

    def __init__(self, sureness: float) -> None:
        super().__init__()
        self.inner = Linear(SIZE, 8, seed=1, scale=1.0)
        self.sureness = sureness

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.sureness * self.inner(images)


def information(module: nn.Module) -> float:
    """Of picture and output, in bits, by numpy from the definition."""
    p = module(IMAGES).detach().softmax(1).double().numpy()
    return float((p * np.log2(p / p.mean(0))).sum(1).mean())


def test_a_model_as_if_it_were_never_trained_is_a_warning() -> None:
    random = Undecided(0.02)
    assert 0.001 < information(random) < 0.03
    (warning,) = [each for each in scan(random, IMAGES).report.warnings if "never trained" in each]
    assert f"they tell {information(random):.2g} bits" in warning
    assert scan(random, IMAGES).report.degenerate is None


@pytest.mark.parametrize(("sureness", "count"), [(2.0, 12), (0.02, 9)])
def test_neither_what_tells_pictures_apart_nor_few_pictures_are(
    sureness: float, count: int
) -> None:
    warnings = scan(Undecided(sureness), IMAGES[:count]).report.warnings
    assert not any("never trained" in each for each in warnings)


def test_what_is_sure_of_pictures_that_are_alike_is_not_taken_for_untrained() -> None:
    """Twelve of one kind tell no more than a random network does, but the answer is clear."""
    alike = IMAGES[-1:].expand(12, -1, -1, -1) * torch.linspace(0.99, 1, 12).view(-1, 1, 1, 1)
    report = scan(OneClass(), alike).report
    assert not any("never trained" in each for each in report.warnings)


@pytest.mark.parametrize("sureness", [0.3, 1.2])
def test_what_is_right_more_often_than_by_chance_was_trained(sureness: float) -> None:
    """Two classes by brightness, never sure, of pictures that are nearly alike."""

    class Bright(nn.Module):
        num_classes = 2

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            brighter = (images.double().mean((1, 2, 3)) - 0.5).sign() * sureness / 2
            return torch.stack([-brighter, brighter], 1)

    images = torch.full((20, *SIZE), 0.5) + torch.tensor([-0.1, 0.1]).repeat(10).view(-1, 1, 1, 1)
    for few in (images, images[::2]):
        labels = (few.mean((1, 2, 3)) > 0.5).long()
        for data in ((few, labels), few) if len(few) == 20 else ((few, labels),):
            warnings = scan(Bright(), data).report.warnings
            assert not any("never trained" in each for each in warnings), (len(few), warnings)
