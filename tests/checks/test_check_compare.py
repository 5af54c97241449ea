from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import Constant, Ledger, Linear, Recorder, classifier
from PIL import Image
from torch import Tensor, nn

from semaudit import models
from semaudit.checks import compare_preprocessing
from semaudit.checks.compare import OWN, Picture, resizes
from semaudit.errors import ImageError, UsageError
from semaudit.images import ImageDataset, as_float, open_folder
from semaudit.images.decoding import decode
from semaudit.models import Classifier, Preprocessing

SIZE = (3, 24, 24)
MODES = ("center", "squash", "border")


class Grain(nn.Module):
    """Class 1 where neighbouring pixels differ much, class 0 where the picture is smooth."""

    num_classes = 2

    def forward(self, images: Tensor) -> Tensor:
        grain = images.std((1, 2, 3))
        return torch.stack([torch.zeros_like(grain), 400 * (grain - 0.08)], 1)


def noise(n: int, size: tuple[int, int] = (192, 256)) -> list[Picture]:
    """Fine-grained pictures: averaging over 8 x 8 pixels leaves an eighth of the grain."""
    generator = np.random.default_rng(0)
    return [
        (
            f"{number}.png",
            1,
            Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)),
        )
        for number in range(n)
    ]


def test_a_model_of_the_grain_depends_on_antialiasing_alone() -> None:
    pictures = noise(12)
    result = compare_preprocessing(classifier(Grain(), SIZE), lambda: pictures, batch_size=5)
    by_name = {each.name: each for each in result.compared}
    sharp = by_name.pop("torch or OpenCV bilinear, not antialiased")
    assert (result.pictures, result.accuracy, sharp.accuracy) == (12, 0.0, 1.0)
    assert (sharp.flip_rate, sharp.flip_rate_high) == (1.0, 1.0)
    assert sharp.flip_rate_low == pytest.approx(0.025 ** (1 / 12))  # Clopper-Pearson
    assert sharp.shift > 0.99
    assert sharp.pixel_difference > 0.05
    assert all(each.flip_rate == 0 for each in by_name.values())
    assert result.reading == (
        "the answer changes for 100.0 % [73.5, 100.0] of 12 pictures when the resize is torch or "
        f"OpenCV bilinear, not antialiased instead of {result.own}: preprocess in production "
        "exactly as in training"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(3, 24, 24), (3, 20, 32)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pil_with_the_model_s_own_filter_is_the_model_s_own(
    mode: str, size: tuple[int, int, int], interpolation: str
) -> None:
    given = Preprocessing(size, (0.5,) * 3, (0.5,) * 3, 0.8, mode, interpolation)
    module = replace(classifier(Linear(size, 5, seed=0), size), preprocessing=given)
    result = compare_preprocessing(module, lambda: noise(3, (60, 90)), batch_size=2)
    assert result.own == f"PIL {interpolation}"
    same = next(each for each in result.compared if each.name == result.own)
    assert (same.shift, same.flip_rate, same.pixel_difference) == (0, 0, 0)
    near = next(
        each for each in result.compared if each.name == f"torch {interpolation}, antialiased"
    )
    # The same filter in another library: to a rounded byte here and there, if not to the byte.
    assert near.pixel_difference < 0.6 / 255
    others = [each for each in result.compared if each not in (same, near)]
    assert all(each.pixel_difference > 1.2 / 255 for each in others)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_own_way_is_what_a_scan_sees(tmp_path: Path, channels: int) -> None:
    for name, _, picture in noise(4, (50, 70)):
        picture.save(tmp_path / name)
    size = (channels, 24, 24)
    ledger = Ledger()
    seen = classifier(Recorder(Linear(size, 4, seed=1), ledger), size)
    ledger.forget()  # loading looks at what the module puts out
    source = open_folder(tmp_path, seen.preprocessing, seen.class_names, 4)
    for batch in source.batches(2):
        seen(as_float(batch.images, "cpu"))
    scanned = set(ledger.hashes)
    ledger.forget()
    own = resizes(seen.preprocessing)[OWN]
    for path in sorted(tmp_path.iterdir()):
        seen(as_float(own(decode(path.read_bytes(), channels))[None], "cpu"))
    assert ledger.hashes == scanned


def test_a_constant_depends_on_nothing() -> None:
    result = compare_preprocessing(classifier(Constant(), SIZE), lambda: noise(3), batch_size=2)
    assert {(each.shift, each.flip_rate) for each in result.compared} == {(0.0, 0.0)}
    assert result.reading == "the resize makes no difference to any of the 3 pictures"


def test_pictures_that_need_no_resize_tell_nothing() -> None:
    side = int(24 / 0.875)
    module = classifier(Linear(SIZE, 3, seed=2), SIZE)
    result = compare_preprocessing(module, lambda: noise(2, (side, 40)), batch_size=2)
    assert "the 2 pictures have the size of the resize already" in result.reading


def test_small_differences_are_read_as_such() -> None:
    module = classifier(Linear(SIZE, 3, seed=2, scale=1e-3), SIZE)
    result = compare_preprocessing(module, lambda: noise(6), batch_size=4)
    assert all(0 <= each.shift < 1e-3 for each in result.compared)
    if not any(each.flip_rate for each in result.compared):
        assert "no answer changes on 6 pictures" in result.reading


def test_results_do_not_depend_on_the_batch_size_and_batches_stay_small() -> None:
    ledger = Ledger()
    module = classifier(Recorder(Linear(SIZE, 5, seed=3), ledger), SIZE)
    ledger.forget()
    pictures = noise(7, (60, 60))
    one, other = (compare_preprocessing(module, lambda: pictures, batch_size=b) for b in (2, 7))
    assert [each.flip_rate for each in one.compared] == [each.flip_rate for each in other.compared]
    assert [each.shift for each in one.compared] == pytest.approx(
        [each.shift for each in other.compared]
    )
    assert max(ledger.sizes) == 7
    assert sum(ledger.sizes) == 2 * 6 * 7


def test_pictures_are_read_as_they_come() -> None:
    alive = 0

    def read() -> Iterator[Picture]:
        nonlocal alive
        for name, _, picture in noise(9, (40, 40)):
            alive += 1
            yield name, -1, picture

    seen: list[int] = []

    class Watching(Constant):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(alive)
            return super().forward(images)

    watching = classifier(Watching(), SIZE)
    seen.clear()
    result = compare_preprocessing(watching, read, batch_size=3)
    assert seen == [3] * 6 + [6] * 6 + [9] * 6
    assert result.accuracy is None
    assert {each.accuracy for each in result.compared} == {None}


def test_the_result_is_fit_for_a_document() -> None:
    module = classifier(Linear(SIZE, 5, seed=3), SIZE)
    result = compare_preprocessing(module, lambda: noise(3), batch_size=2)
    assert json.loads(json.dumps(asdict(result)))["pictures"] == 3
    assert {each.worst for each in result.compared} <= {"0.png", "1.png", "2.png"}


def test_no_pictures_and_no_classes_are_errors() -> None:
    module = classifier(Constant(), SIZE)
    with pytest.raises(ImageError, match="no picture to compare"):
        compare_preprocessing(module, lambda: [], batch_size=2)
    with pytest.raises(UsageError, match="has the activation sigmoid"):
        compare_preprocessing(replace(module, activation="sigmoid"), lambda: noise(1), batch_size=2)


@pytest.mark.slow
def test_the_demo_network_depends_on_the_resize_of_large_photographs(
    demo_weights: Path, imagenet_pictures: Path
) -> None:
    module: Classifier = models.load(demo_weights, arch="tf_efficientnet_lite0")
    paths = sorted(imagenet_pictures.glob("imagenet_*.jpg"))

    def read() -> Iterator[Picture]:
        for path in paths:
            label = int(path.stem.rpartition("_")[2])
            yield path.name, label, decode(path.read_bytes(), 3)

    result = compare_preprocessing(module, read, batch_size=10)
    by_name = {each.name: each for each in result.compared}
    assert result.accuracy == pytest.approx(0.9)
    assert by_name["PIL bicubic"].shift == 0
    assert by_name["torch bicubic, antialiased"].shift <= by_name["PIL bilinear"].shift


def test_the_pipeline_is_the_dataset_s() -> None:
    given = Preprocessing(SIZE, (0.5,) * 3, (0.5,) * 3, 0.8, "center", "bicubic")
    picture = noise(1)[0][2]
    assert torch.equal(resizes(given)[OWN](picture), ImageDataset((), given).transform(picture))
