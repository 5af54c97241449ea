from __future__ import annotations

import json
from importlib.metadata import version

import pytest
import timm

import semaudit
from semaudit.models.architectures.build import (
    Survey,
    packed,
    survey_timm,
    survey_torchvision,
    torchvision_names,
)
from semaudit.models.architectures.index import DATA, Entry, load, published, unpacked
from semaudit.models.architectures.kin import groups
from semaudit.models.architectures.tree import Planter

SOME = [
    "deit_tiny_distilled_patch16_224",
    "naflexvit_base_patch16_gap",
    "resnet50_clip",
    "test_efficientnet",
    "vit_tiny_patch16_224",
]


def entries() -> dict[str, Entry]:
    return {entry.arch: entry for entry in load().entries if not entry.options.get("aux_logits")}


def differing(survey: Survey, entry: Entry) -> list[str]:
    """What of a survey is not in the index."""
    forest = load().forest
    full, body = forest.flat(entry.full), forest.flat(entry.body)
    held = {
        "leaves": list(full.items()) == list(survey.leaves.items()),
        "head": full.keys() - body.keys() == survey.head,
        "classes": entry.num_classes == survey.num_classes,
        "size": entry.size == survey.size,
        "published": entry.published == frozenset(survey.published),
    }
    return [f"{survey.arch}: {what}" for what, same in held.items() if not same]


def same_timm() -> bool:
    return load().timm == timm.__version__


def test_the_index_is_shipped_small_and_says_what_it_was_made_from():
    assert DATA.is_relative_to(next(iter(semaudit.__path__)))
    assert DATA.stat().st_size < 300_000
    assert load().timm.split(".")[0].isdigit()
    assert load().torchvision.split(".")[0].isdigit()


def test_the_index_holds_all_of_timm_and_torchvision():
    if not same_timm():
        pytest.skip(f"the index was made from timm {load().timm}")
    ours = {arch for arch in entries() if ":" not in arch}
    assert ours == set(timm.list_models())
    theirs = {arch for arch in entries() if ":" in arch}
    assert theirs >= {f"torchvision:{name}" for name in ("resnet50", "vit_b_16", "googlenet")}


def test_marks_tell_what_a_dimension_depends_on():
    forest, vit = load().forest, entries()["vit_tiny_patch16_224"]
    leaves = forest.flat(vit.full)
    assert leaves["head.weight"] == ("c", 192)
    assert leaves["patch_embed.proj.weight"] == (192, "i1", "p16", "p16")
    assert leaves["pos_embed"] == (1, "s197/785/1765", 192)
    assert leaves["blocks.0.attn.qkv.weight"] == (576, 192)
    swin = forest.flat(entries()["swin_tiny_patch4_window7_224"].full)
    table = "blocks.0.attn.relative_position_bias_table"
    assert swin[f"layers.0.{table}"] == ("w169/7/56", 3)
    assert swin[f"layers.3.{table}"] == ("w169/7/7", 24)


def test_some_entries_are_what_building_gives():
    if not same_timm():
        pytest.skip(f"the index was made from timm {load().timm}")
    surveys = [survey_timm(arch) for arch in SOME] + [survey_torchvision("vit_b_16", {})]
    assert [d for s in surveys for d in differing(s, entries()[s.arch])] == []


def test_names_of_one_module_are_kin():
    held = entries()
    assert held["xcit_nano_12_p8_224"].kin == held["xcit_nano_12_p8_384"].kin >= 0
    assert held["resnet18"].kin < 0
    if same_timm():  # deit and vit differ in mean, resnet50 and resnetblur50 in layers
        pairs = ["xcit_nano_12_p8_224", "xcit_nano_12_p8_384"]
        others = ["deit_tiny_patch16_224", "vit_tiny_patch16_224", "resnet18", "resnetblur18"]
        leaves = {arch: load().forest.flat(held[arch].full) for arch in pairs + others}
        found = groups(leaves)
        assert found.kin == dict.fromkeys(pairs, 0)
        assert found.looks["deit_tiny_patch16_224"] != found.looks["vit_tiny_patch16_224"]


def test_one_look_is_the_same_layers_and_colours_at_any_size():
    held = entries()
    names = ["vit_tiny_patch16_224", "vit_tiny_patch16_384", "deit_tiny_patch16_224"]
    own, larger, other = (held[name].look for name in names)
    assert own == larger != other
    assert held["resnet50c"].look < 0
    if same_timm():
        found = groups({name: load().forest.flat(held[name].full) for name in names})
        own, larger, other = (found.looks[name] for name in names)
        assert own == larger != other
        assert found.kin == {}  # their crops differ


def test_the_class_counts_of_published_weights_are_held():
    assert published("swinv2_base_window12_192") == {21841}
    assert published("vit_tiny_patch16_224") == {1000, 21843}
    assert published("vit_small_patch14_dinov2") == {0}
    assert published("resnetblur18") == published("no_such") == frozenset()
    assert published("torchvision:resnet50") == {1000}


@pytest.mark.slow
def test_every_entry_is_what_building_gives():
    shared = [arch for arch in timm.list_models() if arch in entries()]
    assert len(shared) > 1_000
    differ = [d for arch in shared for d in differing(survey_timm(arch), entries()[arch])]
    if same_timm():
        assert differ == []
    else:  # another timm may have changed a few
        assert len(differ) < 0.02 * len(shared)


@pytest.mark.slow
def test_every_torchvision_entry_is_what_building_gives():
    if load().torchvision != version("torchvision").partition("+")[0]:
        pytest.skip(f"the index was made from torchvision {load().torchvision}")
    surveys = [survey_torchvision(n, o) for n, o in torchvision_names() if not o.get("aux_logits")]
    assert [d for s in surveys for d in differing(s, entries()[s.arch])] == []


def test_packing_keeps_everything_and_is_the_same_each_time():
    surveys = [survey_timm(arch) for arch in ("test_vit", "test_resnet", "test_efficientnet")]
    texts = {json.dumps(packed(surveys)) for _ in range(2)}
    assert len(texts) == 1
    index = unpacked(json.loads(texts.pop()))
    for survey, entry in zip(surveys, index.entries, strict=True):
        full, body = index.forest.flat(entry.full), index.forest.flat(entry.body)
        assert list(full.items()) == list(survey.leaves.items())
        assert full.keys() - body.keys() == survey.head
        assert index.forest.counts[entry.full] == len(survey.leaves)
        assert index.forest.contents[entry.full].total() == len(survey.leaves)


@pytest.mark.parametrize("names", [["a.x", "b", "a.y"], ["a", "a.x"]])
def test_names_that_a_tree_would_reorder_are_refused(names):
    with pytest.raises(ValueError, match=r"depth first|below a tensor"):
        Planter().plant(dict.fromkeys(names, (1,)))
