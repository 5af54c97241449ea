"""Trees of classes: from weights, against scipy; from files, with every mistake named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from known_models import Constant, Linear, classifier
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform
from torch import nn

from semaudit.errors import ModelError, UsageError
from semaudit.models.names import ClassNames, class_names
from semaudit.taxonomy import Taxonomy, open_taxonomy
from semaudit.taxonomy.file import read_tree
from semaudit.taxonomy.head import head_tree

SIZE = (3, 4, 4)
NAMES = ClassNames(
    ("tabby", "tiger cat", "beagle", "teapot"),
    (("tabby", "tabby cat"), ("tiger cat",), ("beagle",), ("teapot",)),
    ("n02123045", "n02123159", "n02088364", "n04398044"),
)


def distances(tree: Taxonomy) -> np.ndarray:
    """Between every two classes, as the transport of one certainty into the other."""
    sure = torch.eye(tree.num_classes, dtype=torch.float64)
    return torch.stack([tree.transport(sure, row.expand_as(sure)) for row in sure], 1).numpy()


def read(folder: Path, text: str, name: str = "tree.yaml", names: ClassNames = NAMES) -> Taxonomy:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_tree(path, names, len(names.names))


# From weights.


def upgma(weight: np.ndarray) -> np.ndarray:
    joined = linkage(pdist(weight - weight.mean(0), "cosine"), "average")
    return squareform(cophenet(joined) / joined[-1, 2])


@pytest.mark.parametrize("classes", [2, 3, 40, 120])
def test_the_tree_of_weights_is_scipys(classes: int) -> None:
    module = Linear(SIZE, classes, seed=classes)
    got = distances(head_tree(classifier(module, SIZE)))
    np.testing.assert_allclose(got, upgma(module.head.weight.detach().numpy()), atol=1e-12)


def test_what_is_common_to_all_rows_does_not_count() -> None:
    module = Linear(SIZE, 9, seed=1)
    before = distances(head_tree(classifier(module, SIZE)))
    with torch.no_grad():
        module.head.weight += 100 * torch.randn(48, generator=torch.Generator().manual_seed(2))
    np.testing.assert_allclose(distances(head_tree(classifier(module, SIZE))), before, atol=1e-10)


def test_equal_rows_are_no_distance_apart_and_a_row_in_the_middle_is_far_from_all() -> None:
    module = Linear(SIZE, 4, seed=1)
    row = torch.randn(48, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    module.head.weight.data = torch.stack([row, row, torch.zeros(48).double(), -2 * row])
    got = distances(head_tree(classifier(module, SIZE)))
    assert got[0, 1] == pytest.approx(0, abs=1e-12)
    assert got[0, 3] == 1
    assert 0 < got[0, 2] == got[1, 2] <= 1
    assert 0 < got[2, 3] <= 1


@pytest.mark.parametrize("arch", ["test_resnet", "test_vit", "test_efficientnet"])
def test_the_head_of_a_timm_model_is_found(arch: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(arch, num_classes=6).eval()
    size = timm.data.resolve_model_data_config(module)["input_size"]
    tree = head_tree(classifier(module, size))
    weight = module.get_classifier().weight.detach().double().numpy()
    np.testing.assert_allclose(distances(tree), upgma(weight), atol=1e-9)


def test_a_convolution_is_a_head_too() -> None:
    conv = nn.Conv2d(3, 5, 1)
    conv.weight.data = torch.randn((5, 3, 1, 1), generator=torch.Generator().manual_seed(4))
    module = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    tree = head_tree(classifier(module, SIZE))
    weight = conv.weight.detach().flatten(1).double().numpy()
    np.testing.assert_allclose(distances(tree), upgma(weight), atol=1e-9)


def test_a_single_output_tells_two_classes_apart() -> None:
    head = nn.Linear(48, 1)
    nn.init.constant_(head.weight, 0.1)
    nn.init.constant_(head.bias, 3)
    module = nn.Sequential(nn.Flatten(), head)
    tree = open_taxonomy("head", classifier(module, SIZE))
    assert tree is not None
    np.testing.assert_allclose(distances(tree), [[0, 1], [1, 0]])


def test_a_model_without_a_head_is_told_to_use_a_file() -> None:
    with pytest.raises(ModelError, match=r"no linear layer of 3 outputs .* give --taxonomy a file"):
        open_taxonomy("head", classifier(Constant(), SIZE))


def test_weights_that_are_all_equal_make_no_tree() -> None:
    module = Linear(SIZE, 4, seed=1)
    module.head.weight.data = module.head.weight.data[:1].repeat(4, 1)
    got = distances(head_tree(classifier(module, SIZE)))
    # Rows that point nowhere are equally far from each other.
    np.testing.assert_allclose(got, 1 - np.eye(4))


# From files.

CATS = np.array([[0, 2, 4, 3], [2, 0, 4, 3], [4, 4, 0, 3], [3, 3, 3, 0]]) / 4


@pytest.mark.parametrize(
    "text",
    [
        "cats: [tabby, tiger cat]\ndogs: [beagle]\nteapot:\n",
        "- [tabby, tiger cat]\n- [beagle]\n- teapot\n",
        "- cats: [tabby_cat, Tiger-Cat]\n- dogs: [beagle]\n- teapot\n",
        "cats: [n02123045, 1]\ndogs: {beagle: 1}\n3: 1.0\n",
        "cats: {length: 1, children: {tabby: , tiger cat: 1e0}}\ndogs: [2]\nteapot: ~\n",
    ],
)
def test_ways_to_write_one_tree(text: str, tmp_path: Path) -> None:
    np.testing.assert_allclose(distances(read(tmp_path, text)), CATS, atol=1e-12)


def test_json(tmp_path: Path) -> None:
    tree = {"cats": ["tabby", "tiger cat"], "dogs": ["n02088364"], "teapot": None}
    for indent in (None, 2, "\t"):
        got = read(tmp_path, json.dumps(tree, indent=indent), "tree.json")
        np.testing.assert_allclose(distances(got), CATS, atol=1e-12)
    # The content tells trees apart, not the way that they are written.
    assert got.sha256 == read(tmp_path, json.dumps(tree), "b.json").sha256
    assert got.sha256 != read(tmp_path, "[0, 1, 2, 3]", "c.json").sha256


def test_lengths_count(tmp_path: Path) -> None:
    text = "cats:\n  length: 3\n  children: {tabby: 0.5, tiger cat: 0}\nbeagle: 0\nteapot: 5\n"
    got = distances(read(tmp_path, text))
    expected = np.array([[0, 0.5, 3.5, 8.5], [0, 0, 3, 8], [0, 0, 0, 5], [0, 0, 0, 0]])
    np.testing.assert_allclose(got, (expected + expected.T) / 8.5, atol=1e-12)


def test_a_group_may_be_called_children_and_a_class_length(tmp_path: Path) -> None:
    names = ClassNames(("boy", "girl", "length", "no"), (("boy",), ("girl",), ("length",), ("no",)))
    got = distances(read(tmp_path, "children: [boy, girl]\nlength: 2\nno:\n", names=names))
    expected = np.array([[0, 2, 4, 3], [0, 0, 4, 3], [0, 0, 0, 3], [0, 0, 0, 0]])
    np.testing.assert_allclose(got, (expected + expected.T) / 4, atol=1e-12)


def test_the_thousand_of_imagenet_by_wordnet_id(tmp_path: Path) -> None:
    names = class_names(1000)
    groups = {f"group {k}": list(names.wordnet_ids[k::10]) for k in range(10)}
    tree = read(tmp_path, json.dumps(groups), "tree.json", names)
    sure = torch.eye(1000, dtype=torch.float64)[[3, 3, 13, 4]]
    assert tree.transport(sure[:2], sure[2:]).tolist() == [0.5, 1]
    by_name = {f"group {k}": list(names.names[k::10]) for k in range(10)}
    with pytest.raises(UsageError, match=r"crane.*several classes \(use output indices|twice"):
        read(tmp_path, json.dumps(by_name), "tree.json", names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tabby, tiger cat, beagle]", r"once; missing: 'teapot' \(output 3\)$"),
        ("[0, 1, 2, 3, tabby]", r"once; given twice: 'tabby' \(output 0\)$"),
        ("[tabby, tiger cat, beagel, 9]", r"no class of the model: 'beagel' .*'beagle'\?\), '9'"),
        ("[0, 1, 2, [3, []]]", r":1: a group without classes"),
        ("cats: [0, 1]\ndogs: beagle\n", r":2: 'dogs' is followed by 'beagle'.*are a list"),
        ("cats: [0, 1]\nbeagle: -1\n", r":2: 'beagle' is followed by '-1'"),
        ("cats: [0, 1]\nbeagle: .inf\n", r":2: 'beagle' is followed by '.inf'"),
        ("a: [0, 1]\nb: {length: x, children: [2, 3]}", r":2: 'length' is followed by 'x'"),
        ("a: [0, 1]\nb: {length: 2, children: 3}", r":2: children must be a list or a mapping"),
        ("a: [0, 1]\na: [2, 3]\n", r":1: 'a' is given twice"),
        ("a: &x [0, 1]\nb: *x\n", r":1: anchors and aliases"),
        ("a: &x [0, *x]\n", r":1: anchors and aliases"),
        ("? [0]\n: [1, 2, 3]\n", r":1: a key must be the name"),
        ("a: [0, 1", r":1: .*expected"),
        ("teapot", r"must hold a tree"),
        ("", r"must hold a tree"),
        ("{0: 0, 1: 0, 2: 0, 3: 0}", r"all classes are at distance 0"),
        ("[" * 5000 + "]" * 5000, r"nested too deeply"),
    ],
)
def test_a_mistake_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "tree.yaml") in str(caught.value)


def test_only_the_first_of_many_mistakes_are_named(tmp_path: Path) -> None:
    names = class_names(1000)
    with pytest.raises(UsageError, match=r"'goldfish' \(output 1\).*, and 994 more$"):
        read(tmp_path, "[tench]", names=names)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--taxonomy .*nope\.yaml: cannot be read"):
        read_tree(tmp_path / "nope.yaml", NAMES, 4)
    (tmp_path / "tree.yaml").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read_tree(tmp_path / "tree.yaml", NAMES, 4)


def test_the_names_of_the_data_go_before_those_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "tree.yaml"
    path.write_text("pets: [cat, dog]\ncar:\n")
    model = classifier(Linear(SIZE, 3, seed=0), SIZE)
    tree = open_taxonomy(str(path), model, ["cat", "car", "dog"])
    assert tree is not None
    assert re.search(r"tree\.yaml$", tree.origin)
    assert distances(tree)[0].tolist() == pytest.approx([0, 1, 2 / 3])
    with pytest.raises(UsageError, match="no class of the model: 'cat'"):
        open_taxonomy(str(path), model)
