from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError
from semaudit.models import PreprocessingOverrides, load, weights_sha256
from semaudit.models.names import class_names


def test_the_callers_module_is_left_alone(tiny):
    module = tiny(num_classes=3).train()
    before, versions = weights_sha256(module), [p._version for p in module.parameters()]
    classifier = load(module)
    classifier.place(torch.device("cpu")).check()
    classifier(torch.rand(2, 3, 32, 32))
    assert module.training
    assert all(m.training for m in module.modules())
    assert all(p.requires_grad for p in module.parameters())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in module.modules())
    assert weights_sha256(module) == before
    assert [p._version for p in module.parameters()] == versions


def test_later_training_does_not_reach_the_classifier(tiny):
    module = tiny(num_classes=3)
    classifier = load(module)
    with torch.no_grad():
        module.fc.weight.zero_()
    assert weights_sha256(classifier.module) == classifier.provenance["weights_sha256"]


def test_timm_module_brings_its_preprocessing(tiny):
    classifier = load(tiny("test_resnet", num_classes=3, in_chans=1))
    assert classifier.preprocessing.input_size == (1, 160, 160)
    assert classifier.preprocessing.crop_pct == 0.95
    assert classifier.preprocessing.mean == pytest.approx((0.5,))
    assert classifier.name == "test_resnet"


def test_classes_and_channels_are_found_by_a_dry_run():
    module = nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = load(module, overrides=PreprocessingOverrides(img_size=16))
    assert classifier.num_classes == 4
    assert classifier.preprocessing.input_size == (2, 16, 16)


class Broken(nn.Module):
    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ValueError("no such thing"), "Broken fails on pictures of size .*no such thing"),
        ([1, 2], "puts out a list with no tensor in it"),
        (torch.zeros(3), r"shape \(3,\)"),
    ],
)
def test_a_module_whose_classes_cannot_be_counted(answer, said):
    with pytest.raises(ModelError, match=said):
        load(Broken(answer))


def test_weights_that_are_not_numbers_are_refused():
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, torch.nan)
    with pytest.raises(ModelError, match="NaN or infinite in weight"):
        load(module, num_classes=2)


def test_what_cannot_be_copied_is_refused():
    module = nn.Linear(2, 2)
    module.kept = module(torch.zeros(1, 2))
    with pytest.raises(ModelError, match="cannot be copied"):
        load(module, num_classes=2)


def test_overrides_replace_the_models_own(tiny):
    overrides = PreprocessingOverrides(
        img_size=64,
        crop_pct=1.0,
        crop_mode="squash",
        interpolation="bilinear",
        mean=(0.1,),
        std=(0.2, 0.3, 0.4),
    )
    preprocessing = load(tiny(num_classes=3), overrides=overrides).preprocessing
    assert preprocessing.input_size == (3, 64, 64)
    assert preprocessing.crop_pct == 1.0
    assert preprocessing.crop_mode == "squash"
    assert preprocessing.interpolation == "bilinear"
    assert preprocessing.mean == (0.1, 0.1, 0.1)
    assert preprocessing.std == (0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"img_size": 0}, "img_size is 0"),
        ({"input_size": (3, 0, 8)}, "input_size"),
        ({"crop_pct": 1.5}, "crop_pct is 1.5"),
        ({"std": (0.0,)}, "std"),
        ({"crop_mode": "centre"}, "did you mean 'center'"),
        ({"interpolation": "bicubik"}, "did you mean 'bicubic'"),
    ],
)
def test_impossible_overrides_are_refused(setting, said):
    with pytest.raises(UsageError, match=said):
        PreprocessingOverrides(**setting)


def test_overrides_that_do_not_fit_the_channels_are_refused(tiny):
    with pytest.raises(UsageError, match="mean has 2 values for 3 channels"):
        load(tiny(num_classes=3), overrides=PreprocessingOverrides(mean=(0.1, 0.2)))
    with pytest.raises(UsageError, match="in_chans is 1 but input_size starts with 3"):
        load(
            tiny(num_classes=3), in_chans=1, overrides=PreprocessingOverrides(input_size=(3, 8, 8))
        )


def test_a_finished_classifier_takes_no_overrides(tiny):
    classifier = load(tiny(num_classes=3))
    with pytest.raises(UsageError, match="complete"):
        load(classifier, num_classes=3)
    with pytest.raises(UsageError, match="goes with a checkpoint"):
        load(tiny(num_classes=3), arch="test_resnet")


def test_imagenet_classes_have_names_synonyms_and_synsets():
    names = class_names(1000)
    assert names.names[0] == "tench"
    assert names.synonyms[0] == ("tench", "Tinca tinca")
    assert names.wordnet_ids[0] == "n01440764"
    assert len(names.names) == len(names.synonyms) == len(names.wordnet_ids) == 1000


@pytest.mark.parametrize("count", [11221, 11821, 21841, 21842, 21843])
def test_larger_imagenets_are_named(count):
    names = class_names(count)
    assert len(names.names) == len(names.wordnet_ids) == count
    assert all(names.names)


def test_other_classes_are_numbered():
    names = class_names(3)
    assert names.names == ("class 0", "class 1", "class 2")
    assert names.wordnet_ids == ()


def test_labels_that_came_with_the_weights_win(tiny):
    module = tiny(num_classes=2)
    module.pretrained_cfg = {**module.pretrained_cfg, "label_names": ["cat", "dog, big"]}
    assert load(module).class_names.names == ("cat", "dog, big")
