from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torchvision import models

from semaudit.errors import ModelError, UsageError
from semaudit.models import PreprocessingOverrides, load
from semaudit.models.opened import Opened
from semaudit.models.torchvision_models import (
    assumptions,
    build_torchvision,
    open_torchvision,
    torchvision_stated,
)

SMALL = "squeezenet1_1"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's, and no network: a proxy where nothing listens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path


def untrained(name: str, **arguments):
    return open_torchvision(
        name, **{"pretrained": False, "num_classes": None, "model_kwargs": {}, **arguments}
    )


@pytest.mark.parametrize("name", [SMALL, f"torchvision:{SMALL}", f"{SMALL}.IMAGENET1K_V1"])
def test_random_weights_need_no_network(cached, name):
    opened = untrained(name)
    assert opened.name == f"torchvision:{SMALL}"
    assert opened.provenance == {
        "source": "torchvision",
        "arch": f"torchvision:{SMALL}",
        "weights": None,
    }
    assert opened.num_classes == 1000
    assert "random weights" in opened.notes[0]
    assert opened.module.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 1000)


def test_the_width_and_further_arguments_are_handed_over():
    opened = untrained(SMALL, num_classes=7, model_kwargs={"dropout": 0.25})
    assert opened.num_classes == 7
    assert opened.labels is None
    assert opened.module.classifier[0].p == 0.25
    with pytest.raises(ModelError, match=r"cannot build 'squeezenet1_1' with nonsense=1"):
        untrained(SMALL, model_kwargs={"nonsense": 1})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision:resnt50", "no classification model 'resnt50' .did you mean 'resnet50'"),
        ("ResNet50_Weight", "did you mean 'ResNet50_Weights'"),
        ("fcn_resnet50", "no classification model"),
        ("resnet50.IMAGENET1K_V3", "no weights 'IMAGENET1K_V3' .did you mean 'IMAGENET1K_V2'"),
        ("resnet50.", None),
        ("ResNet50_Weights.DEFAULT", None),
    ],
)
def test_unknown_names_name_the_nearest(name, said):
    if said is None:
        assert torchvision_stated(name)["input_size"] == (3, 224, 224)
    else:
        with pytest.raises(ModelError, match=said):
            torchvision_stated(name)


@pytest.mark.parametrize(
    ("name", "crop_pct", "interpolation"),
    [
        ("resnet50.IMAGENET1K_V1", 224 / 256, "bilinear"),
        ("ResNet50_Weights.IMAGENET1K_V2", 224 / 232, "bilinear"),
        ("swin_t", 224 / 232, "bicubic"),
        ("inception_v3", 299 / 342, "bilinear"),
    ],
)
def test_preprocessing_is_that_of_the_weights(name, crop_pct, interpolation):
    stated = torchvision_stated(name)
    assert stated["crop_pct"] == crop_pct
    assert stated["interpolation"] == interpolation
    assert stated["mean"] == (0.485, 0.456, 0.406)
    assert stated["std"] == (0.229, 0.224, 0.225)


def test_every_architecture_states_its_preprocessing():
    for name in models.list_models(module=models):
        stated = torchvision_stated(name)
        assert 0.5 < stated["crop_pct"] <= 1
        assert stated["interpolation"] in {"bilinear", "bicubic"}


def test_architectures_are_built_for_any_number_of_classes():
    for name in (SMALL, "googlenet"):
        state = build_torchvision(name, 5).state_dict()
        assert {shape[0] for k, t in state.items() if (shape := t.shape) and "fc.b" in k} <= {
            5,
            1024,
        }
        assert any(tensor.shape[:1] == (5,) for tensor in state.values())


def test_weights_out_of_reach_name_the_ways_out(cached):
    start = time.perf_counter()
    with pytest.raises(
        ModelError, match=r"cannot be fetched.*TORCH_HOME.*--arch torchvision:sque.*--no-pretrained"
    ):
        untrained(SMALL, pretrained=True)
    assert time.perf_counter() - start < 20


def test_an_untrained_head_is_refused(cached):
    with pytest.raises(UsageError, match="was trained for 1000 classes"):
        untrained(SMALL, pretrained=True, num_classes=7)


def test_cached_weights_bring_their_labels(cached, monkeypatch):
    weights = models.get_model_weights(SMALL).IMAGENET1K_V1
    state = models.get_model(SMALL).state_dict()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_, **__: state)
    opened = untrained(f"SqueezeNet1_1_Weights.{weights.name}", pretrained=True)
    assert opened.name == f"torchvision:{SMALL}.IMAGENET1K_V1"
    assert opened.provenance["weights"] == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert opened.labels is not None
    assert opened.labels[0] == "tench"
    assert opened.num_classes == len(opened.labels) == 1000
    assert opened.notes == ()
    assert torch.equal(next(iter(opened.module.state_dict().values())), next(iter(state.values())))


def test_the_normalisation_that_is_assumed_of_a_checkpoint_is_noted():
    module = build_torchvision("googlenet", 7)
    checkpoint = Opened(module, "g.pt", {"source": "checkpoint", "arch": "torchvision:googlenet"})
    (note,) = assumptions(checkpoint)
    assert "--model-kwargs transform_input=False" in note
    module.transform_input = False
    assert assumptions(checkpoint) == ()
    published = untrained("googlenet", model_kwargs={"transform_input": True})
    assert assumptions(published) == ()


def test_a_googlenet_s_note_reaches_the_classifier(tmp_path):
    torch.manual_seed(0)
    torch.save(build_torchvision("googlenet", 3).state_dict(), tmp_path / "g.pt")
    settings = {"arch": "torchvision:googlenet", "overrides": PreprocessingOverrides(img_size=64)}
    told = load(tmp_path / "g.pt", **settings)
    assert any("transform_input" in note for note in told.notes)
    plain = load(tmp_path / "g.pt", model_kwargs={"transform_input": False}, **settings)
    assert not any("transform_input" in note for note in plain.notes)
