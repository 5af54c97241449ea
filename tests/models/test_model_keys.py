from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semaudit.errors import ModelError
from semaudit.models.files.wrappers import unwrap
from semaudit.models.keys import Implied, implied_sizes, match, prefix_candidates


def state(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {key.replace("__", "."): torch.rand(shape) for key, shape in shapes.items()}


TARGET = state(conv__weight=(4, 3, 1, 1), bn__weight=(4,), bn__bias=(4,), fc__weight=(2, 4))
COUNTER = {"bn.num_batches_tracked": torch.tensor(5)}


def renamed(given: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {key.replace(old, new): tensor for key, tensor in given.items()}


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda s: s, ()),
        (lambda s: {"state_dict": s, "epoch": 3}, ("state_dict",)),
        (lambda s: {"model": {"state_dict": s, "lr": 0.1}}, ("model", "state_dict")),
        (lambda s: {"state_dict_ema": {}, "state_dict": s}, ("state_dict",)),
        (lambda s: {"model_ema": s, "epoch": 3}, ("model_ema",)),
    ],
)
def test_unwrap_finds_the_state_dict_and_tells_the_way(wrap, path):
    unwrapped = unwrap(wrap(TARGET))
    assert unwrapped.state == TARGET
    assert unwrapped.path == path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epoch": 3, "optimizer": {}}, "top-level keys: epoch, optimizer"),
        ({}, "top-level keys: none"),
        ([1, 2], "it holds a list"),
        (torch.zeros(3), "it holds a Tensor"),
        ({"state_dict": {}}, "top-level keys: state_dict"),
        ({1: torch.zeros(3)}, "top-level keys: 1"),
    ],
)
def test_unwrap_refuses_what_holds_no_state_dict(content, said):
    with pytest.raises(ModelError, match=said):
        unwrap(content)


def test_exact_match():
    matched = match(TARGET, TARGET)
    assert matched.how == "exact"
    assert matched.state == TARGET


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_are_stripped(prefix):
    matched = match({prefix + key: tensor for key, tensor in TARGET.items()}, TARGET)
    assert matched.how == f"prefix '{prefix}' stripped"
    assert matched.state == TARGET


def test_a_prefix_of_the_architecture_itself_stays():
    target = {f"model.{key}": tensor for key, tensor in TARGET.items()}
    assert match(target, target).how == "exact"


def test_a_prefix_of_some_keys_only_stays():
    mixed = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    assert [how for _, how in prefix_candidates(mixed)] == ["exact"]


@pytest.mark.parametrize(
    ("given", "target"), [(TARGET | COUNTER, TARGET), (TARGET, TARGET | COUNTER)]
)
def test_counters_may_be_missing_on_either_side(given, target):
    assert match(given, target).how == "exact"
    assert match(renamed(given, "bn", "norm"), target).how == "by order and shape"


def test_match_by_order_takes_every_tensor_to_its_place():
    given = renamed(renamed(TARGET, "bn", "norm"), "fc", "_fc")
    matched = match(given, TARGET)
    assert matched.how == "by order and shape"
    assert list(matched.state) == list(TARGET)
    assert all(matched.state[key] is TARGET[key] for key in TARGET)


def test_order_match_refuses_swapped_roles_of_the_same_shape():
    given = state(c__weight=(4, 3, 1, 1), n__bias=(4,), n__weight=(4,), f__weight=(2, 4))
    with pytest.raises(ModelError, match=r"part at number 2: n\.bias for bn\.weight"):
        match(given, TARGET)


def test_order_match_refuses_a_known_name_at_another_place():
    target = state(a__scale=(4,), b__scale=(4,), c__scale=(4,))
    given = state(b__scale=(4,), a__scale=(4,), z__scale=(4,))
    with pytest.raises(ModelError, match="that name stands elsewhere"):
        match(given, target)


def test_order_match_refuses_other_shapes_and_counts():
    with pytest.raises(ModelError, match=r"part at number 4: f\.weight for fc\.weight, \(3, 4\)"):
        match(state(c__weight=(4, 3, 1, 1), n__weight=(4,), n__bias=(4,), f__weight=(3, 4)), TARGET)
    with pytest.raises(ModelError, match="its 1 tensors cannot be matched in order to 4"):
        match(state(x__weight=(1,)), TARGET)


def test_a_misfit_is_counted_and_named():
    given = TARGET | state(fc__weight=(9, 4))
    with pytest.raises(ModelError, match=r"3 of 4 tensors fit.*1 misshapen \(fc.weight \(9, 4\)"):
        match(given, TARGET)
    given = {key: tensor for key, tensor in TARGET.items() if key != "bn.bias"}
    with pytest.raises(ModelError, match=r"1 missing \(bn.bias\), 1 unexpected \(extra\)"):
        match(given | state(extra=(4, 4)), TARGET)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_sizes_come_from_the_named_layers(prefix):
    given = state(conv__weight=(4, 1, 1, 1), fc__weight=(7, 4), other__weight=(5, 5))
    given = {prefix + key: tensor for key, tensor in given.items()}
    implied = implied_sizes(given, TARGET, classifiers=["fc"], first_convs=["conv"], in_chans=3)
    assert implied == Implied(num_classes=7, in_chans=1)


def test_sizes_come_from_the_outermost_layers_when_names_differ():
    given = state(_stem__weight=(4, 2, 1, 1), mid__weight=(5, 5), _fc__weight=(7, 4))
    implied = implied_sizes(given, TARGET, classifiers=["fc"], first_convs=["conv"], in_chans=3)
    assert implied == Implied(num_classes=7, in_chans=2)


def test_a_stem_that_folds_pixels_into_channels_is_read_by_its_ratio():
    target, given = state(c__weight=(4, 48, 1, 1)), state(c__weight=(4, 16, 1, 1))
    implied = implied_sizes(given, target, classifiers=[], first_convs=["c"], in_chans=3)
    assert implied.in_chans == 1
