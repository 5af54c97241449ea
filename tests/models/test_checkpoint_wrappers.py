from __future__ import annotations

import argparse
import itertools
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from semaudit.errors import ModelError, UsageError
from semaudit.models.files.contents import Contents, read
from semaudit.models.files.prefixes import AVERAGED as AVERAGED_PREFIXES
from semaudit.models.files.prefixes import PREFIXES, stages, stripped
from semaudit.models.files.wrappers import AVERAGED, PLAIN, unwrap
from semaudit.models.keys import match

NET = {
    "conv1.weight": torch.full((4, 3, 1, 1), 1.0),
    "bn1.weight": torch.full((4,), 2.0),
    "bn1.bias": torch.full((4,), 3.0),
    "layer1.0.conv.weight": torch.full((4, 4), 4.0),
    "fc.weight": torch.full((2, 4), 5.0),
    "fc.bias": torch.full((2,), 6.0),
}
OTHER = {key: tensor + 10 for key, tensor in NET.items()}


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in state.items()}


def saved(content: object, path: Path, **how: bool) -> Contents:
    torch.save(content, path / "m.pt")
    return read(path / "m.pt", **how)


def same(given: object, expected: dict[str, Tensor]) -> bool:
    assert isinstance(given, dict)
    return list(given) == list(expected) and all(
        map(torch.equal, given.values(), expected.values())
    )


STACKS = [(), *((p,) for p in PREFIXES), *itertools.permutations(PREFIXES[:6], 2)]
STACKS += [("module.", "_orig_mod.", "model.", "backbone."), ("ema_model.", "module.", "0.")]


@pytest.mark.parametrize("prefixes", STACKS, ids="".join)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_prefixes_come_off_in_any_order(prefixes, wrapper):
    prefix = "".join(prefixes)
    state = prefixed(prefix, NET)
    found = unwrap({wrapper: state, "epoch": 3} if wrapper else state)
    stage = stripped(found.state)
    assert same(stage.state, NET)
    assert stage.prefix == prefix
    assert not stage.left_out
    assert same(match(found.state, NET).state, NET)


@pytest.mark.parametrize("outer", [*PLAIN, *AVERAGED])
@pytest.mark.parametrize("inner", [*PLAIN, *AVERAGED, None])
def test_wrappers_nest_in_any_order(outer, inner):
    content = {outer: {inner: NET, "lr": 0.1} if inner else NET, "epoch": 1}
    found = unwrap(content)
    assert found.path == ((outer, inner) if inner else (outer,))
    assert found.averaged == bool({outer, inner} & {*AVERAGED})
    assert same(found.state, NET)


@pytest.mark.parametrize("averaged", AVERAGED)
@pytest.mark.parametrize("plain", PLAIN)
def test_use_ema_picks_the_averaged_weights(tmp_path, plain, averaged):
    content = {averaged: {"module": OTHER} if averaged == "ema" else OTHER, plain: NET}
    contents = saved(content, tmp_path)
    assert same(contents.stripped, NET)
    assert any(f"under {averaged}" in note and "--use-ema" in note for note in contents.notes)
    contents = saved(content, tmp_path, use_ema=True)
    assert same(contents.stripped, OTHER)
    assert "its averaged weights are taken" in contents.notes


@pytest.mark.parametrize("prefix", AVERAGED_PREFIXES)
def test_averaged_weights_beside_plain_ones_in_one_state_dict(tmp_path, prefix):
    content = {"state_dict": prefixed("model.", NET) | prefixed(prefix, OTHER)}
    contents = saved(content, tmp_path)
    assert same(contents.stripped, NET)
    assert any("averaged weights lie beside these" in note for note in contents.notes)
    assert same(saved(content, tmp_path, use_ema=True).stripped, OTHER)


def test_use_ema_without_any_is_an_error_that_names_the_keys(tmp_path):
    with pytest.raises(UsageError, match=r"there are none; .*conv1\.weight, bn1\.weight"):
        saved({"model": NET}, tmp_path, use_ema=True)


def test_only_averaged_weights_are_taken_and_said(tmp_path):
    averaged = prefixed("module.", NET) | {"n_averaged": torch.tensor(7)}
    contents = saved({"model_ema": averaged}, tmp_path)
    assert same(contents.stripped, NET)
    assert "its averaged weights are taken" in contents.notes
    assert "left out, as not the network's: 1 entry (n_averaged)" in contents.notes


FOREIGN = {
    "loss": {"criterion.weight": torch.ones(2)},
    "loss_fn": {"loss_fn.pos_weight": torch.ones(2), "aux_loss.w": torch.ones(1)},
    "metrics": {"train_acc.total": torch.tensor(0), "val_metrics.f1.tp": torch.ones(2)},
    "counter": {"n_averaged": torch.tensor(3)},
    "normalise": {"normalize.mean": torch.rand(1, 3, 1, 1), "normalize.std": torch.rand(3)},
}


@pytest.mark.parametrize("prefix", ["", "model.", "net.", "module.", "_orig_mod.model."])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_the_network_is_left_out_and_named(tmp_path, kind, prefix):
    contents = saved({"state_dict": prefixed(prefix, NET) | FOREIGN[kind]}, tmp_path)
    assert same(contents.stripped, NET)
    assert contents.prefix == prefix
    (note,) = (note for note in contents.notes if note.startswith("left out"))
    assert all(key in note for key in FOREIGN[kind])
    assert contents.state.keys() >= FOREIGN[kind].keys()
    assert same(match(contents.state, NET).state, NET)


def test_normalisation_in_front_becomes_stated_preprocessing(tmp_path):
    mean, std = torch.tensor([0.5, 0.25, 0.125]), torch.tensor([0.25, 0.5, 0.75])
    for key in ("0.", "normalize.", "normalizer.", "module.0."):
        shape = (3,) if key == "0." else (1, 3, 1, 1)
        layer = {f"{key}mean": mean.view(shape), f"{key}std": std.view(shape)}
        rest = "1." if key == "0." else "module.1." if "module" in key else "model."
        contents = saved(layer | prefixed(rest, NET), tmp_path)
        assert same(contents.stripped, NET)
        assert contents.metadata.preprocessing["mean"] == (0.5, 0.25, 0.125)
        assert contents.metadata.preprocessing["std"] == (0.25, 0.5, 0.75)
        assert any("normalising layer" in note for note in contents.notes)


def test_a_head_beside_the_trunk_keeps_its_name():
    state = prefixed("backbone.", {k: t for k, t in NET.items() if "fc" not in k})
    stage = stripped(state | {"fc.weight": NET["fc.weight"], "fc.bias": NET["fc.bias"]})
    assert same(stage.state, NET)
    assert not stage.left_out


@pytest.mark.parametrize(
    "state",
    [
        {"0.weight": torch.ones(3, 3), "0.bias": torch.ones(3), "2.weight": torch.ones(3)},
        {"conv_proj.weight": torch.ones(1), "class_token": torch.ones(1)}
        | prefixed("encoder.layers.", NET),
        {"module.a": torch.zeros(1), "b": torch.zeros(1)},
        prefixed("student.", NET) | prefixed("twin.", NET),
    ],
    ids=["a sequence", "a trunk that is the architecture's", "no majority", "two networks"],
)
def test_what_may_be_the_networks_own_names_stays(state):
    (stage,) = stages(state)
    assert same(stage.state, state)


def test_torchvision_reference_checkpoints(tmp_path):
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    content = {
        "model": NET,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5]).state_dict(),
        "epoch": 89,
        "args": argparse.Namespace(model="resnet50", val_crop_size=224, device="cuda"),
        "model_ema": {"n_averaged": torch.tensor(9)} | prefixed("module.", OTHER),
    }
    contents = saved(content, tmp_path)
    assert same(contents.stripped, NET)
    assert (contents.metadata.arch, contents.metadata.epoch) == ("resnet50", 89)
    assert contents.metadata.arch_from == "args.model"
    assert same(saved(content, tmp_path, use_ema=True).stripped, OTHER)


def test_lightning_checkpoints(tmp_path):
    content = {
        "epoch": 4,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict(prefixed("model.", NET) | FOREIGN["loss"] | FOREIGN["metrics"]),
        "hyper_parameters": {"model_name": "resnet18", "num_classes": 2, "lr": 0.1},
        "optimizer_states": [{}],
        "callbacks": {},
    }
    contents = saved(content, tmp_path)
    assert same(contents.stripped, NET)
    assert (contents.metadata.arch, contents.metadata.num_classes) == ("resnet18", 2)
    assert contents.path == ("state_dict",)


def test_entries_that_are_no_tensors_are_left_out_and_named(tmp_path):
    contents = saved(NET | {"version": 3, "extra_state": None}, tmp_path)
    assert same(contents.stripped, NET)
    assert "left out, as not the network's: 2 entries (version, extra_state)" in contents.notes


def test_a_wrapper_that_holds_no_weights_is_walked_past():
    found = unwrap({"model": {"name": "resnet18"}, "net": {"cfg": 1}, "weights": NET})
    assert found.path == ("weights",)


def test_content_that_holds_itself_or_branches_without_end_is_refused():
    content: dict[str, object] = {}
    content["model"] = content
    with pytest.raises(ModelError, match="no state dict inside"):
        unwrap(content)
    for _ in range(20):
        content = dict.fromkeys((*PLAIN, *AVERAGED), content)
    with pytest.raises(ModelError, match="no state dict inside"):
        unwrap(content)


def test_a_state_dict_of_nothing_but_foreign_keys_is_refused(tmp_path):
    with pytest.raises(ModelError, match="nothing that belongs to a network"):
        saved({"n_averaged": torch.tensor(1), "criterion.weight": torch.ones(2)}, tmp_path)


def test_safetensors_keep_the_order_of_the_file(tmp_path):
    save_file(prefixed("module.", NET), tmp_path / "m.safetensors")
    contents = read(tmp_path / "m.safetensors")
    assert contents.prefix == "module."
    assert contents.stripped.keys() == NET.keys()
    assert all(torch.equal(contents.stripped[key], tensor) for key, tensor in NET.items())
