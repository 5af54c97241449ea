from __future__ import annotations

import argparse
import json
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from semaudit.models.files.contents import read
from semaudit.models.metadata import Metadata, metadata_of

NET = {"conv.weight": torch.ones(4, 3, 1, 1), "fc.weight": torch.ones(2, 4)}
TIMM = {
    "architecture": "resnet50",
    "num_classes": 3,
    "label_names": ["cat", "dog", "eel"],
    "model_args": {"img_size": 96, "act_layer": "gelu"},
    "pretrained_cfg": {
        "tag": "a1_in1k",
        "input_size": [3, 96, 96],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
    },
}


def test_nothing_stated():
    assert metadata_of({"state_dict": NET}) == Metadata()


@pytest.mark.parametrize(
    ("content", "arch", "where"),
    [
        ({"arch": "resnet50"}, "resnet50", "arch"),
        ({"model_name": "timm/resnet50"}, "resnet50", "model_name"),
        ({"args": argparse.Namespace(model="vit_tiny")}, "vit_tiny", "args.model"),
        ({"hyper_parameters": {"backbone": "resnet18"}}, "resnet18", "hyper_parameters.backbone"),
        ({"hparams": {"model": {"name": "resnet18"}}}, "resnet18", "hparams.model.name"),
        ({"config": '{"architecture": "resnet18"}'}, "resnet18", "config.architecture"),
        ({"args": {"model": "x"}, "arch": "resnet50"}, "resnet50", "arch"),
    ],
)
def test_the_architecture_and_where_it_was_found(content, arch, where):
    found = metadata_of({**content, "state_dict": NET})
    assert (found.arch, found.arch_from) == (arch, where)


def test_a_tag_is_parted_from_the_name():
    found = metadata_of({"arch": "hf_hub:timm/resnet50.a1_in1k"})
    assert (found.arch, found.tag) == ("resnet50", "a1_in1k")


@pytest.mark.parametrize(
    "stated",
    [
        {"classes": ["cat", "dog"]},
        {"class_to_idx": OrderedDict(dog=1, cat=0)},
        {"id2label": {"0": "cat", "1": "dog"}},
        {"id2label": {0: "cat", 1: "dog"}},
        {"config": {"label_names": ["cat", "dog"]}},
    ],
)
def test_labels_in_the_order_of_the_outputs(stated):
    found = metadata_of(stated)
    assert found.labels == ("cat", "dog")
    assert found.num_classes == 2


def test_timm_training_arguments():
    args = argparse.Namespace(
        **{"model": "resnet50", "num_classes": 7, "img_size": 64, "input_size": None},
        **{"mean": [0.5], "std": [0.25], "crop_pct": 0.9, "interpolation": "", "in_chans": 1},
    )
    found = metadata_of({"state_dict": NET, "epoch": 12, "args": args})
    assert (found.arch, found.num_classes, found.epoch) == ("resnet50", 7, 12)
    expected = {"input_size": (1, 64, 64), "mean": (0.5,), "std": (0.25,), "crop_pct": 0.9}
    assert found.preprocessing == expected
    assert found.raw["args.img_size"] == "64"


def test_a_config_beside_the_file(tmp_path):
    save_file(NET, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(TIMM))
    found = read(tmp_path).metadata
    assert (found.arch, found.tag, found.num_classes) == ("resnet50", "a1_in1k", 3)
    assert found.arch_from == "config.json.architecture"
    assert found.labels == ("cat", "dog", "eel")
    assert found.model_args == {"img_size": 96, "act_layer": "gelu"}
    assert found.preprocessing == {
        **{"input_size": (3, 96, 96), "mean": (0.5,) * 3, "std": (0.25,) * 3},
        **{"crop_pct": 0.95, "interpolation": "bicubic"},
    }


def test_the_file_is_believed_before_the_config_beside_it(tmp_path):
    save_file(NET, tmp_path / "m.safetensors", {"arch": "resnet18", "num_classes": "5"})
    (tmp_path / "config.json").write_text(json.dumps({**TIMM, "label_names": None}))
    found = read(tmp_path / "m.safetensors").metadata
    assert (found.arch, found.num_classes, found.arch_from) == ("resnet18", 5, "arch")


def test_a_broken_config_is_passed_over_with_a_note(tmp_path):
    save_file(NET, tmp_path / "m.safetensors")
    for text in ("{broken", "[" * 100_000, "\xff"):
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
        contents = read(tmp_path / "m.safetensors")
        assert any("config.json beside it is no JSON" in note for note in contents.notes)


def endless() -> dict[str, object]:
    value: dict[str, object] = {"lr": 1}
    for _ in range(30):
        value = dict.fromkeys(("args", "config", "cfg", "hparams", "meta"), value)
    return value


def itself() -> dict[str, object]:
    value: dict[str, object] = {}
    value["args"] = value
    value["classes"] = [value, [value]]
    return value


@pytest.mark.parametrize(
    "hostile",
    [
        {"arch": 3, "epoch": "many", "num_classes": -1, "classes": [1, 2]},
        {"arch": "a" * 10_000, "epoch": True, "num_classes": 10**400, "class_to_idx": {"a": 5}},
        {"arch": "rm -rf /\x1b[2J", "id2label": {"x": "y"}, "classes": "cat"},
        {"arch": ["resnet50"], "classes": ["a\n", ""], "num_classes": 0.5},
        {"args": argparse.Namespace(mean="x", std=[0, 0, 0], img_size=-3, crop_pct=7)},
        {"args": {"mean": [float("nan")] * 3, "std": [1.0] * 3, "input_size": [3, 1e9, 1e9]}},
        {"mean": torch.ones(3, device="meta"), "std": torch.ones(3, dtype=torch.complex64)},
        endless(),
        itself(),
    ],
)
def test_wrong_types_are_left_out(hostile):
    found = metadata_of(hostile, beside=hostile)
    assert (found.arch, found.num_classes, found.labels, found.epoch) == (None,) * 4
    assert found.preprocessing == {}
    assert all(text.isprintable() and len(text) <= 200 for text in found.raw.values())
    assert all(len(note) < 200 for note in found.notes)


def test_what_is_left_out_is_noted():
    found = metadata_of({"arch": 3, "epoch": -1, "classes": [1, 2]})
    assert len(found.notes) == 3
    assert found.notes[0] == "arch names no architecture ('3'); left out"


def test_labels_that_contradict_the_class_count_are_left_out():
    found = metadata_of({"classes": ["a", "b"], "num_classes": 5})
    assert (found.labels, found.num_classes) == (None, 5)
    assert "names 2 classes but states 5" in found.notes[0]
