from __future__ import annotations

import time
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from semaudit.errors import ModelError, UsageError
from semaudit.models import PreprocessingOverrides, load, weights_sha256


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnt50", "no model 'resnt50' .did you mean 'resnet50'"),
        ("resnt50.a1_in1k", "did you mean 'resnet50.a1_in1k'"),
        ("resnet50.a1_in1kk", "no tag 'a1_in1kk' .did you mean 'a1_in1k'.*its tags: a1_in1k, a1h"),
        ("resnet50.", "no tag ''"),
        ("resnet10", "did you mean"),
        ("test_vit.r16_in1k", "did you mean 'r160_in1k'"),
    ],
)
def test_unknown_names_and_tags_name_the_nearest(name, said):
    with pytest.raises(ModelError, match=said):
        load(name)


def test_a_name_without_pretrained_weights_is_refused():
    untrained = next(m for m in timm.list_models() if not timm.list_pretrained(f"{m}.*"))
    with pytest.raises(ModelError, match=f"no pretrained weights for '{untrained}'"):
        load(untrained)


@pytest.mark.parametrize("name", ["test_resnet.r160_in1k", "test_vit", "hf-hub:timm/nothing"])
def test_hub_out_of_reach_fails_fast_and_names_the_ways_out(lonely_hub, name):
    start = time.perf_counter()
    with pytest.raises(
        ModelError, match=r"cannot be fetched.*local-dir:.*HF_HOME.*HF_HUB_OFFLINE.*--no-pretrained"
    ):
        load(name)
    assert time.perf_counter() - start < 8
    assert not constants.HF_HUB_OFFLINE


@pytest.fixture
def cached(tiny, lonely_hub: Path) -> str:
    """A model that lies in the hub's cache, as huggingface_hub lays it out."""
    repository = lonely_hub / "models--timm--test_vit.r160_in1k"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0" * 40)
    save_file(tiny("test_vit").state_dict(), snapshot / "model.safetensors")
    return "test_vit.r160_in1k"


def test_cached_weights_need_no_hub(tiny, cached):
    classifier = load(cached)
    assert classifier.name == cached
    assert classifier.num_classes == 1000
    assert classifier.class_names.names[0] == "tench"
    assert classifier.provenance == {
        "source": "timm",
        "arch": cached,
        "weights_sha256": weights_sha256(tiny("test_vit")),
    }


def test_size_and_channels_of_pretrained_weights_can_be_changed(cached):
    overrides = PreprocessingOverrides(input_size=(1, 96, 96))
    classifier = load(cached, overrides=overrides)
    assert classifier.preprocessing.input_size == (1, 96, 96)
    assert classifier.preprocessing.mean == (0.5,)
    classifier.check()


def test_an_untrained_head_is_refused(cached):
    with pytest.raises(UsageError, match="was trained for 1000 classes"):
        load(cached, num_classes=7)


def test_architecture_belongs_to_a_checkpoint():
    with pytest.raises(UsageError, match="goes with a checkpoint"):
        load("resnet18", arch="resnet18")


def test_real_weights_under_other_names_are_right_about_real_pictures(demo_weights, demo_pictures):
    classifier = load(demo_weights, arch="tf_efficientnet_lite0")
    assert classifier.provenance["keys"] == "by order and shape"
    preprocessing = classifier.preprocessing
    transform = timm.data.create_transform(
        preprocessing.input_size,
        interpolation=preprocessing.interpolation,
        crop_pct=preprocessing.crop_pct,
        crop_mode=preprocessing.crop_mode,
        normalize=False,
    )
    images = torch.stack([transform(Image.open(path).convert("RGB")) for path in demo_pictures])
    labels = torch.tensor([int(path.stem.rpartition("_")[2]) for path in demo_pictures])
    with torch.inference_mode():
        logits = classifier(images.float() / 255).logits
    assert (logits.argmax(1) == labels).sum() == 18
