from __future__ import annotations

import pytest

from semaudit.models.architectures import (
    Recognised,
    by_classes,
    differences,
    likeliest,
    prefer,
    recognise,
)
from semaudit.models.architectures.meta import built, shapes_of

PORT = ["_conv_stem.weight", "_bn0.weight", "_blocks.0._bn1.weight", "_fc.weight"]


def candidates(*archs: str) -> list[Recognised]:
    return [Recognised(arch, 1000, 3) for arch in archs]


RESNETS = candidates("resnet50", "resnetaa50", "resnetblur50")
LITES = candidates("efficientnet_lite0", "tf_efficientnet_lite0")


@pytest.mark.parametrize(
    ("file_name", "tag"),
    [
        ("resnet50.a1_in1k.safetensors", "a1_in1k"),
        ("/data/resnet50_a1_0-14fe96d1.pth", "a1_in1k"),
        ("hub/models--timm--resnet50.a1_in1k/snapshots/0a/model.safetensors", "a1_in1k"),
        ("resnet50.a1_in1k/pytorch_model.bin", "a1_in1k"),
        ("resnet50.pth.tar", None),
    ],
)
def test_a_file_named_as_timms_weights_decides(file_name, tag):
    preferred = prefer(RESNETS, file_name=file_name)
    assert preferred.candidates == (RESNETS[0],)
    assert preferred.tag == tag
    assert "timm's" in str(preferred.evidence)


@pytest.mark.parametrize("file_name", ["", "model.safetensors", "resnet18.pth", "best.pth", "/"])
def test_any_other_name_decides_nothing(file_name):
    preferred = prefer(RESNETS, file_name=file_name)
    assert preferred.candidates == tuple(RESNETS)
    assert (preferred.evidence, preferred.tag) == (None, None)


def test_a_name_of_the_same_module_is_chosen_by_the_file():
    (found,) = recognise(shapes_of(built("xcit_nano_12_p8_384")))
    assert (found.arch, found.also) == ("xcit_nano_12_p8_224", ("xcit_nano_12_p8_384",))
    preferred = prefer([found], file_name="xcit_nano_12_p8_384.fb_dist_in1k.safetensors")
    (chosen,) = preferred.candidates
    assert (chosen.arch, chosen.also) == ("xcit_nano_12_p8_384", ("xcit_nano_12_p8_224",))
    assert preferred.tag == "fb_dist_in1k"


def test_the_likeliest_is_what_was_published_with_as_many_classes():
    swins = ["swinv2_large_window12_192", "swinv2_large_window12to16_192to256"]
    for count, left in ((21841, swins[:1]), (1000, swins[1:])):
        guess = likeliest([Recognised(arch, count, 3) for arch in swins])
        assert guess is not None
        assert [candidate.arch for candidate in guess.candidates] == left
    assert likeliest([Recognised(arch, 7, 3) for arch in swins]) is None


def test_else_the_likeliest_is_what_was_published_at_all():
    guess = likeliest([Recognised(arch, 7, 3) for arch in ("resnet18", "resnetblur18")])
    assert guess is not None
    assert [candidate.arch for candidate in guess.candidates] == ["resnet18"]


def test_a_class_count_that_few_have_is_evidence():
    found = recognise(shapes_of(built("swinv2_base_window12_192")))
    assert len(found) > 4
    assert found[0].arch == "swinv2_base_window12_192"  # published so: it goes first
    preferred = prefer(found, file_name="model.pt")
    assert [each.arch for each in preferred.candidates] == ["swinv2_base_window12_192"]
    assert "has weights for 21841 classes of swinv2_base_window12_192 only" in str(
        preferred.evidence
    )


def test_the_usual_thousand_classes_are_a_guess_and_bring_the_set_to_four():
    found = recognise(shapes_of(built("swinv2_base_window8_256")))
    assert prefer(found).candidates == tuple(found)
    guess = likeliest(found)
    assert guess is not None
    left = {each.arch for each in guess.candidates}
    assert len(left) == 4
    assert "swinv2_base_window12_192" not in left


@pytest.mark.parametrize("classes", [7, 0])
def test_a_class_count_that_none_was_published_with_is_no_evidence(classes):
    found = recognise(shapes_of(built("swinv2_base_window12_192", num_classes=classes)))
    assert by_classes(found) is None
    assert prefer(found) == prefer(tuple(found))
    assert prefer(found).candidates == tuple(found)


def test_what_is_published_without_a_head_is_likelier_where_there_is_none():
    both = candidates("vit_so400m_patch14_siglip_gap_378", "vit_so400m_patch14_siglip_gap_384")
    tagged = [Recognised(each.arch, 0, 3) for each in (*both, *candidates("resnet18"))]
    assert by_classes(tagged) is None
    guess = likeliest(tagged)
    assert guess is not None
    assert guess.candidates == tuple(tagged[:2])
    assert "has weights without a head of vit_so400m_patch14_siglip_gap_378, " in str(
        guess.evidence
    )


def test_a_file_name_outweighs_the_class_count():
    found = recognise(shapes_of(built("swinv2_base_window12_192")))
    preferred = prefer(found, file_name="swinv2_base_window8_256.pth")
    assert [each.arch for each in preferred.candidates] == ["swinv2_base_window8_256"]


def test_of_several_names_the_one_published_so_is_left():
    both = Recognised("vit_tiny_patch16_384", 21843, 3, also=("vit_tiny_patch16_224",))
    preferred = by_classes([both])
    assert preferred is not None
    assert [(c.arch, c.also) for c in preferred.candidates] == [("vit_tiny_patch16_224", ())]


def test_a_single_candidate_is_told_its_tag():
    assert prefer(candidates("resnet18"), file_name="resnet18.a1_in1k.pth").tag == "a1_in1k"


def test_the_dialect_of_the_port_means_tensorflow_padding():
    preferred = prefer(LITES, names=PORT)
    assert preferred.candidates == (LITES[1],)
    assert "pads as TensorFlow does" in str(preferred.evidence)
    assert prefer(LITES, names=PORT[1:]).evidence is None
    assert prefer(RESNETS, names=PORT).evidence is None


def test_a_file_name_outweighs_the_dialect():
    preferred = prefer(LITES, file_name="efficientnet_lite0.ra_in1k.pth", names=PORT)
    assert preferred.candidates == (LITES[0],)


@pytest.mark.parametrize(
    ("archs", "said"),
    [
        (
            ["efficientnet_lite0", "tf_efficientnet_lite0"],
            [["padding symmetric", "BatchNorm eps 1e-05", "mean (0.485, 0.456, 0.406)"],
             ["padding SAME", "BatchNorm eps 0.001", "mean (0.5, 0.5, 0.5)"]],
        ),
        (
            ["resnet50", "resnetaa50", "resnetblur50"],
            [["aa none"], ["aa AvgPool2d"], ["aa BlurPool2d"]],
        ),
        (
            ["vit_huge_patch14_clip_378", "vit_huge_patch14_clip_quickgelu_378"],
            [["activation GELU"], ["activation QuickGELU"]],
        ),
        (
            ["swinv2_tiny_window8_256", "swinv2_tiny_window16_256"],
            [["window size 8"], ["window size 16"]],
        ),
        (
            ["test_efficientnet_gn", "test_efficientnet_ln"],
            [["bn1 GroupNormAct"], ["bn1 LayerNormAct2d"]],
        ),
        (
            ["deit_tiny_patch16_224", "vit_tiny_patch16_224"],
            [["mean (0.485, 0.456, 0.406)"], ["mean (0.5, 0.5, 0.5)"]],
        ),
    ],
)  # fmt: skip
def test_differences_are_told_in_words(archs, said):
    found = differences(archs)
    assert [difference.arch for difference in found] == archs
    for difference, words in zip(found, said, strict=True):
        for word in words:
            assert word in difference.words
        assert "none/" not in difference.words


def test_no_difference_is_told_as_such():
    assert "only the name differs" in differences(["test_vit", "test_vit"])[0].words
