from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import rng
from PIL import Image
from torch import Tensor, nn

from semaudit import models
from semaudit.checks import Suspicion, can_tell, suspect_preprocessing
from semaudit.checks.alternatives import alternatives_to, away_from
from semaudit.checks.preprocessing import FEWEST, PICTURES, PICTURES_OF_A_GUESS
from semaudit.checks.surprise import Answers, paired_p_value
from semaudit.images import ImageSource, TensorSource, open_folder
from semaudit.models import Classifier, Preprocessing, PreprocessingOverrides

COLOURS = torch.tensor([[0.8, 0.2, 0.2], [0.2, 0.2, 0.8], [0.2, 0.8, 0.2], [0.5, 0.5, 0.5]])
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SIZE = (3, 16, 16)


class NearestColour(nn.Module):
    """The class whose colour is nearest to the mean colour, of pictures normalised like this."""

    num_classes = 4

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], bgr: bool = False):
        super().__init__()
        self.bgr, self.forwards = bgr, 0
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.register_buffer("colours", COLOURS)

    def forward(self, images: Tensor) -> Tensor:
        self.forwards += len(images)
        colour = images.mean((2, 3)) * self.std + self.mean
        # Saturates, as networks do: more contrast is not a surer answer.
        colour = (colour.flip(1) if self.bgr else colour).clamp(0, 1)
        return -20 * (colour[:, None] - self.colours).square().sum(2)


def opened(module: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> Classifier:
    overrides = PreprocessingOverrides(input_size=SIZE, mean=mean, std=std, crop_pct=0.875)
    return models.load(module, overrides=overrides)


def coloured(n: int, seed: int = 0) -> TensorSource:
    labels = torch.arange(n) % len(COLOURS)
    noise = 0.25 * torch.randn((n, *SIZE), generator=rng(seed))
    tint = 0.08 * torch.randn((n, 3, 1, 1), generator=rng(seed + 1))
    images = (COLOURS[labels][:, :, None, None] + noise + tint).clamp(0, 1)
    return TensorSource(images, labels)


def suspicions(
    classifier: Classifier, source: ImageSource, own: Preprocessing | None = None
) -> list[Suspicion]:
    return suspect_preprocessing(classifier, source, None, own, batch_size=8)


@pytest.mark.parametrize("statistics", [IMAGENET, HALF])
def test_the_right_way_draws_no_suspicion(statistics) -> None:
    classifier = opened(NearestColour(*statistics), *statistics)
    assert suspicions(classifier, coloured(20), classifier.preprocessing) == []


@pytest.mark.parametrize("n", [FEWEST, 20, 32])
def test_bgr_is_suspected(n: int) -> None:
    classifier = opened(NearestColour(*HALF, bgr=True), *HALF)
    (found,) = suspicions(classifier, coloured(n))
    assert found.kind == "channels"
    assert found.message.startswith("the pictures seem to be BGR")
    assert (found.pictures, found.accuracy, found.other_accuracy) == (n, 0.5, 1.0)
    assert "accuracy is 1.00 instead of 0.50 and cross-entropy" in found.message
    assert found.p_value is not None
    assert found.p_value < 0.02


@pytest.mark.parametrize(
    ("trained", "given", "named"),
    [
        # Its own, or CLIP's: of more contrast, which makes a network of mean colours as right.
        (HALF, ((0.0,) * 3, (1 / 255,) * 3), "standard deviation"),
        (((0.0,) * 3, (1 / 255,) * 3), HALF, "values in [0, 255] (--mean 0 --std 0.003922)"),
        (((0.0,) * 3, (1.0,) * 3), HALF, "values in [0, 1] as they are (--mean 0 --std 1)"),
        (IMAGENET, ((0.0,) * 3, (1.0,) * 3), "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"),
    ],
)
def test_other_statistics_are_suspected(trained, given, named: str) -> None:
    (found,) = suspicions(opened(NearestColour(*trained), *given), coloured(32))
    assert found.kind == "normalisation"
    assert named in found.message
    assert found.cross_entropy is not None
    assert found.other_cross_entropy is not None
    assert found.other_cross_entropy < found.cross_entropy - 0.1


def test_a_guessed_normalisation_is_held_to_less_and_on_more_pictures() -> None:
    """Nearly always right under either, as a good model of few classes is."""
    classifier = opened(NearestColour(*IMAGENET), IMAGENET[0], (0.32, 0.31, 0.32))
    found = [
        suspect_preprocessing(classifier, coloured(200), None, None, batch_size=8, guessed=guessed)
        for guessed in (False, True)
    ]
    assert found[0] == []
    (guess,) = found[1]
    assert (guess.kind, guess.pictures) == ("normalisation", PICTURES_OF_A_GUESS)
    assert "with ImageNet's mean and standard deviation (--mean 0.485,0.456,0.406" in guess.message
    assert guess.accuracy is not None
    assert guess.accuracy > 0.95
    right = opened(NearestColour(*IMAGENET), *IMAGENET)
    assert suspect_preprocessing(right, coloured(200), None, None, batch_size=8, guessed=True) == []


def test_an_override_is_named_with_what_it_costs() -> None:
    classifier = opened(NearestColour(*HALF), (0.0,) * 3, (1.0,) * 3)
    own = replace(classifier.preprocessing, mean=(0.5,), std=(0.5,))
    (found, *more) = suspicions(classifier, coloured(20), own)
    assert found.kind == "override"
    assert found.message.startswith(
        "mean 0 is not the model's own (0.5) and std 1 is not the model's own (0.5): accuracy is "
    )
    assert "instead of 1.00" in found.message
    assert more == []  # the model's own is not found a second time


def test_an_override_that_makes_no_difference_is_said_to_be_within_chance() -> None:
    classifier = opened(NearestColour(*HALF), (0.51,) * 3, (0.5,) * 3)
    own = replace(classifier.preprocessing, mean=(0.5,) * 3)
    flat = torch.full((8, *SIZE), 0.5)
    (found,) = suspicions(classifier, TensorSource(flat, torch.full((8,), 3)), own)
    assert "accuracy is 1.00 instead of 1.00" in found.message
    noisy = coloured(20)
    module = nn.Sequential(nn.Flatten(), nn.Linear(768, 4))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nn.init.normal_(module[1].weight)
    random = replace(classifier, module=module)
    (found,) = suspicions(random, noisy, own)
    assert found.message.endswith("on 20 pictures, a difference that chance can make")


def test_an_override_without_labels_is_named_without_figures() -> None:
    classifier = opened(NearestColour(*HALF), (0.0,) * 3, (1.0,) * 3)
    own = replace(classifier.preprocessing, mean=(0.5,) * 3, std=(0.5,) * 3)
    unlabelled = TensorSource(coloured(20).images)
    assert not can_tell(classifier, unlabelled)
    (found,) = suspicions(classifier, unlabelled, own)
    assert "which takes 8 labelled pictures" in found.message
    assert (found.pictures, found.accuracy, found.p_value) == (0, None, None)
    assert suspicions(classifier, unlabelled) == []
    assert suspicions(classifier, coloured(FEWEST - 1)) == []


def test_grey_pictures_say_nothing_of_the_channels() -> None:
    classifier = opened(NearestColour(*HALF, bgr=True), *HALF)
    images = coloured(20).images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert all(
        found.kind != "channels"
        for found in suspicions(classifier, TensorSource(images, torch.full((20,), 3)))
    )


def test_one_channel_has_no_order_and_averaged_statistics() -> None:
    grey = Preprocessing((1, 16, 16), (0.2,), (0.3,), 0.875, "center", "bicubic")
    found = list(alternatives_to(grey, geometry=False))
    assert [each.kind for each in found] == ["normalisation"] * 5
    assert found[0].preprocessing.mean == pytest.approx((0.449,))
    assert away_from(replace(grey, mean=(0.1, 0.2, 0.3)), grey, geometry=True) is not None
    assert away_from(replace(grey, input_size=(1, 32, 32)), grey, geometry=True) is None


def test_the_cost_is_bounded() -> None:
    module = NearestColour(*HALF)
    classifier = opened(module, *HALF)
    given = Preprocessing(SIZE, (0.1,) * 3, (0.2,) * 3, 0.9, "border", "bilinear")
    assert len(list(alternatives_to(given, geometry=True))) == 9
    source = coloured(500)
    before = classifier.module.forwards
    suspicions(classifier, source)
    assert classifier.module.forwards - before == 6 * PICTURES


def test_more_contrast_alone_is_no_better_preprocessing() -> None:
    """A model that is right and far too unsure: half the deviation makes it surer, not better."""

    class Unsure(nn.Module):
        num_classes = 4

        def forward(self, images: Tensor) -> Tensor:
            return images.mean((2, 3)) @ COLOURS.T

    classifier = opened(Unsure(), *HALF)
    found = suspicions(classifier, coloured(32))
    assert all("standard deviation" not in each.message for each in found)


def test_the_paired_test_is_the_t_test() -> None:
    from scipy import stats

    generator = np.random.default_rng(0)
    one, other = generator.normal(1, 1, 20), generator.normal(0.5, 1, 20)
    zero, right = np.zeros(20), np.ones(20, dtype=bool)
    before, after = Answers(one, zero, right, 1.0), Answers(other, zero, right, 1.0)
    expected = stats.ttest_rel(one, other, alternative="greater").pvalue
    assert paired_p_value(before, after) == pytest.approx(expected)
    assert paired_p_value(before, before) == 1
    assert paired_p_value(Answers(one + 1, zero, right, 1.0), before) == 0
    assert paired_p_value(Answers(one + np.inf, zero, right, 1.0), before) == 1


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Wide pictures: the class's colour in the central square, another class's at the sides."""
    for number in range(20):
        label = number % 3
        pixels = np.empty((40, 80, 3))
        pixels[:] = COLOURS[(label + 1) % 3].numpy()
        pixels[:, 20:60] = COLOURS[label].numpy()
        noise = np.random.default_rng(number).normal(0, 0.05, pixels.shape)
        noise += np.random.default_rng(number + 99).normal(0, 0.03, 3)
        path = tmp_path / str(label) / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        values = 255 * np.clip(pixels + noise, 0, 1)
        Image.fromarray(values.astype(np.uint8)).save(path)
    return tmp_path


def reopener(classifier: Classifier, data: Path) -> Callable[[Preprocessing], ImageSource]:
    def reopen(preprocessing: Preprocessing) -> ImageSource:
        return open_folder(data, preprocessing, classifier.class_names, 4, num_samples=PICTURES)

    return reopen


def test_a_missing_crop_is_suspected(wide: Path) -> None:
    right = opened(NearestColour(*HALF), *HALF)
    reopen = reopener(right, wide)
    source = reopen(right.preprocessing)
    assert suspect_preprocessing(right, source, reopen, None, batch_size=8) == []
    given = replace(right.preprocessing, crop_mode="squash", crop_pct=1.0)
    wrong = replace(right, preprocessing=given)
    source = reopen(given)
    (found,) = suspect_preprocessing(wrong, source, reopen, None, batch_size=8)
    assert found.kind == "geometry"
    assert "with --crop-mode center --crop-pct" in found.message
    both = suspect_preprocessing(wrong, source, reopen, right.preprocessing, batch_size=8)
    assert both[0].kind == "override"
    assert "crop-mode squash is not the model's own (center)" in both[0].message
    # In memory the pictures are what they are.
    assert suspect_preprocessing(wrong, source, None, right.preprocessing, batch_size=8) == []


# ---- the real network --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(demo_weights: Path) -> Classifier:
    return models.load(demo_weights, arch="tf_efficientnet_lite0")


class Flipped(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        return self.module(images.flip(1))


def on_foolbox(classifier: Classifier, own: Preprocessing | None, data: Path) -> list[Suspicion]:
    def reopen(preprocessing: Preprocessing) -> ImageSource:
        return open_folder(
            data,
            preprocessing,
            classifier.class_names,
            1000,
            label_pattern=r"imagenet_\d+_(\d+)\.jpg",
            num_samples=PICTURES,
        )

    source = reopen(classifier.preprocessing)
    return suspect_preprocessing(classifier, source, reopen, own, batch_size=10)


@pytest.mark.slow
def test_the_demo_as_it_is_draws_no_suspicion(demo: Classifier, imagenet_pictures: Path) -> None:
    assert on_foolbox(demo, demo.preprocessing, imagenet_pictures) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean": (0.0,) * 3, "std": (1.0,) * 3}, "accuracy is 0.85 instead of 0.90"),
        ({"mean": IMAGENET[0], "std": IMAGENET[1]}, "accuracy is 0.75 instead of 0.90"),
        ({"crop_mode": "squash"}, "crop-mode squash is not the model's own (center)"),
        ({"crop_pct": 1.0}, "crop-pct 1.0 is not the model's own (0.875)"),
    ],
)
def test_every_override_of_the_demo_draws_a_warning(
    demo: Classifier, imagenet_pictures: Path, changes, said: str
) -> None:
    given = replace(demo.preprocessing, **changes)
    found = on_foolbox(replace(demo, preprocessing=given), demo.preprocessing, imagenet_pictures)
    assert found[0].kind == "override"
    assert said in found[0].message


@pytest.mark.slow
def test_bgr_is_suspected_on_the_demo_s_twenty_pictures(
    demo: Classifier, imagenet_pictures: Path
) -> None:
    wrong = replace(demo, module=Flipped(demo.module))
    (found,) = on_foolbox(wrong, demo.preprocessing, imagenet_pictures)
    assert found.kind == "channels"
    assert "accuracy is 0.90 instead of 0.75" in found.message


@pytest.mark.slow
def test_statistics_of_an_unknown_model_are_suspected(
    demo: Classifier, imagenet_pictures: Path
) -> None:
    given = replace(demo.preprocessing, mean=IMAGENET[0], std=IMAGENET[1])
    (found,) = on_foolbox(replace(demo, preprocessing=given), None, imagenet_pictures)
    assert found.kind == "normalisation"
    assert "--mean 0.5 --std 0.5" in found.message
