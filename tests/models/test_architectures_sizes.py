"""Models at picture sizes that are not their own."""

from __future__ import annotations

import pytest
import torch

from semaudit import models
from semaudit.errors import UsageError
from semaudit.models.architectures import (
    Recognised,
    by_classes,
    differences,
    likeliest,
    nearest,
    recognise,
)
from semaudit.models.architectures.fitting import Bindings
from semaudit.models.architectures.index import Entry, load, published
from semaudit.models.architectures.meta import built, shapes_of
from semaudit.models.architectures.sizes import Sizes, solved


def entry(arch: str) -> Entry:
    return next(each for each in load().entries if each.arch == arch)


def found_for(arch: str, **arguments: object) -> dict[str, Recognised]:
    return {each.arch: each for each in recognise(shapes_of(built(arch, **arguments)))}


def admissible(each: Recognised) -> set[object]:
    return {each.img_size, *each.other_sizes}


@pytest.mark.parametrize(
    ("arch", "size", "rival"),
    [
        ("deit_tiny_patch16_224", 384, "vit_tiny_patch16_384"),
        ("deit_small_patch16_224", 384, "vit_small_patch16_384"),
        ("beitv2_base_patch16_224", 384, "beit_base_patch16_384"),
        ("vit_base_patch16_clip_quickgelu_224", 384, "vit_base_patch16_clip_384"),
        # Another of its own layers is nearer in size, but would be made smaller.
        ("vit_huge_patch14_clip_quickgelu_224", 336, "vit_huge_patch14_clip_336"),
    ],
)
@pytest.mark.parametrize("classes", [1000, 7])
def test_at_the_size_of_another_the_set_holds_the_truth(arch, size, rival, classes):
    found = found_for(arch, img_size=size, num_classes=classes)
    assert 2 <= len(found) <= 4
    assert next(iter(found)) == rival  # at its own size it comes first
    assert (found[rival].img_size, found[arch].img_size) == (None, size)
    assert found[arch].num_classes == classes
    built_again = built(arch, num_classes=classes, img_size=found[arch].img_size)
    assert shapes_of(built_again) == shapes_of(built(rival, num_classes=classes))


@pytest.mark.parametrize(
    ("own", "resized"),
    [
        ("vit_small_patch16_384", "deit_small_patch16_224"),
        ("vit_tiny_patch16_384", "deit_tiny_patch16_224"),
        ("beit_base_patch16_384", "beitv2_base_patch16_224"),
    ],
)
@pytest.mark.parametrize("classes", [1000, 7])
def test_what_has_the_size_by_default_is_the_likeliest(own, resized, classes):
    found = recognise(shapes_of(built(own, num_classes=classes)))
    assert resized in [each.arch for each in found]
    guess = likeliest(found)
    assert guess is not None
    assert [each.arch for each in guess.candidates] == [own]
    assert f"of pictures of this size are {own} by default" in str(guess.evidence)
    assert by_classes(found) is None  # no evidence: labelled pictures decide


def test_what_differs_in_the_crop_only_does_not_count_at_another_size():
    own, smaller = entry("vit_tiny_patch16_384"), entry("vit_tiny_patch16_224")
    assert own.look == smaller.look >= 0
    assert own.kin != smaller.kin or own.kin < 0
    assert "vit_tiny_patch16_224" not in found_for("vit_tiny_patch16_384")


def test_what_was_never_published_does_not_count_at_another_size():
    assert not published("vit_base_patch16_gap_224")
    other = entry("vit_base_patch16_siglip_gap_256")
    assert entry("vit_base_patch16_gap_224").look not in (-1, other.look)
    assert "vit_base_patch16_gap_224" not in found_for("vit_base_patch16_siglip_gap_256")


def test_what_would_be_made_smaller_is_mentioned_only():
    found = found_for("maxvit_tiny_tf_224")
    assert list(found) == ["maxvit_tiny_tf_224"]
    assert found["maxvit_tiny_tf_224"].resized == ("maxvit_tiny_tf_384",)
    enlarged = found_for("maxvit_tiny_tf_384")
    assert list(enlarged) == ["maxvit_tiny_tf_384", "maxvit_tiny_tf_224"]
    assert enlarged["maxvit_tiny_tf_384"].resized == ()


def test_named_an_architecture_is_solved_for_at_any_size():
    shapes = shapes_of(built("vit_tiny_patch16_224", img_size=384))
    assert [each.arch for each in recognise(shapes)] == [
        "vit_tiny_patch16_384",
        "deit_tiny_patch16_224",
    ]
    (named,) = recognise(shapes, "vit_tiny_patch16_224")
    assert named.img_size == 384


def test_at_nobodys_size_what_differs_in_the_crop_is_one():
    found = found_for("vit_tiny_patch16_384", img_size=160)
    assert set(found) == {"vit_tiny_patch16_224", "deit_tiny_patch16_224"}
    assert found["vit_tiny_patch16_224"].also == ("vit_tiny_patch16_384",)


def test_the_difference_says_that_the_size_is_not_its_own():
    own, resized = differences(
        ["vit_tiny_patch16_384", "deit_tiny_patch16_224"], {"deit_tiny_patch16_224": 384}
    )
    assert "mean (0.5, 0.5, 0.5)" in own.words
    assert "its own" not in own.words
    assert "mean (0.485, 0.456, 0.406)" in resized.words
    assert "input size (384, 384) and not its own (3, 224, 224)" in resized.words


@pytest.mark.parametrize(
    ("arch", "size"),
    [
        ("vit_tiny_patch16_224", (192, 256)),
        ("vit_tiny_patch16_224", (256, 192)),
        ("deit_tiny_distilled_patch16_224", (224, 336)),
        ("vit_base_patch16_224", (192, 256)),
        ("beit_base_patch16_224", (192, 256)),  # tables of (2h - 1)(2w - 1) + 3
        ("vit_small_patch14_dinov2", (392, 518)),
    ],
)
def test_oblong_pictures_give_sizes_that_hold_the_truth(arch, size):
    found = found_for(arch, img_size=size, num_classes=7)
    assert 1 <= len(found) <= 4
    truth = next(each for each in found.values() if arch in (each.arch, *each.also))
    assert size in admissible(truth)
    assert all(isinstance(each.img_size, tuple) for each in found.values())
    wanted = shapes_of(built(arch, img_size=size, num_classes=7))
    for other in (truth.img_size, *truth.other_sizes):
        assert shapes_of(built(arch, img_size=other, num_classes=7)) == wanted


def test_of_oblong_sizes_the_nearest_to_a_square_and_the_wider_comes_first():
    found = found_for("vit_tiny_patch16_224", img_size=(256, 192))["vit_tiny_patch16_224"]
    assert found.img_size == (192, 256)
    assert found.other_sizes == ((256, 192), (128, 384), (384, 128))


def test_a_square_is_preferred_to_oblong_sizes():
    found = found_for("vit_tiny_patch16_224", img_size=(128, 512))
    assert {each.img_size for each in found.values()} == {256}
    assert {each.other_sizes for each in found.values()} == {()}


def test_an_oblong_size_with_another_patch_is_solved_for():
    found = found_for("vit_tiny_patch16_224", img_size=(96, 128), patch_size=8)
    truth = found["vit_tiny_patch16_224"]
    assert truth.patch_size == 8
    assert (96, 128) in admissible(truth)


@pytest.mark.parametrize(
    ("arch", "size"),
    [
        ("swin_tiny_patch4_window7_224", 192),
        ("swin_tiny_patch4_window7_224", 160),
        ("swin_base_patch4_window12_384", 224),
        ("swin_base_patch4_window12_384", 160),  # the windows of two stages shrink
        ("swin_s3_tiny_224", 192),
    ],
)
def test_swin_is_told_by_its_smaller_windows(arch, size):
    found = found_for(arch, img_size=size, num_classes=7)
    assert (found[arch].img_size, found[arch].num_classes) == (size, 7)
    assert len(found) <= 4


@pytest.mark.parametrize(
    ("arch", "size"),
    [
        ("swin_tiny_patch4_window7_224", 448),  # its windows lie within any larger map
        ("swinv2_tiny_window8_256", 192),  # its tables are computed
    ],
)
def test_where_tensors_do_not_show_the_size_the_default_stays(arch, size):
    found = found_for(arch, img_size=size)
    assert found[arch].img_size is None


@pytest.mark.parametrize(
    "bindings",
    [
        {("p16", 2**31 - 1), ("s197/785/1765", 193)},
        {("p16", 16), ("s197/785/1765", 2**31 - 1)},
        {("w169/7/7", 2**31 - 1)},
        {("w169/7/7", 122)},
        {("w169/7/7", 121), ("w169/7/14", 81)},
    ],
)
def test_absurd_grids_and_windows_have_no_size(bindings: Bindings):
    assert solved(entry("vit_tiny_patch16_224"), frozenset(bindings)) == []


def test_a_window_says_how_large_the_picture_is():
    swin = entry("swin_tiny_patch4_window7_224")
    smaller = frozenset({("w169/7/7", 121), ("w169/7/14", 169)})
    assert solved(swin, smaller) == [Sizes((192, 192), certain=False)]
    assert solved(swin, frozenset({("w169/7/7", 169)})) == [Sizes()]


def test_the_nearest_still_tells_of_windows():
    shapes = shapes_of(built("swin_tiny_patch4_window7_224"))
    table = "layers.0.blocks.0.attn.relative_position_bias_table"
    near = nearest(shapes | {table: (5, 5)})[0]
    assert near.arch == "swin_tiny_patch4_window7_224"
    assert f"{table} is (5, 5) instead of (169, 3)" in near.words


def saved(tmp_path, arch: str, **arguments: object) -> str:
    import timm

    torch.manual_seed(0)
    path = tmp_path / "weights.pt"
    torch.save(timm.create_model(arch, **arguments).state_dict(), path)
    return str(path)


def test_a_checkpoint_at_the_size_of_another_lists_both(tmp_path):
    path = saved(tmp_path, "deit_tiny_patch16_224", img_size=384, num_classes=7)
    with pytest.raises(UsageError) as raised:
        models.load(path)
    message = str(raised.value)
    assert "fits 2 architectures" in message
    assert "(384, 384) and not its own (3, 224, 224)" in message
    chosen = models.load(path, arch="deit_tiny_patch16_224")
    assert chosen.preprocessing.input_size == (3, 384, 384)
    assert chosen.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406))


def test_a_checkpoint_for_oblong_pictures_says_that_the_size_is_a_guess(tmp_path):
    path = saved(tmp_path, "vit_tiny_patch16_224", img_size=(256, 192), num_classes=7)
    opened = models.load(path, arch="vit_tiny_patch16_224")
    assert opened.preprocessing.input_size == (3, 192, 256)
    (note,) = (note for note in opened.notes if "height x width" in note)
    assert "192 x 256" in note
    assert "256 x 192, 128 x 384, 384 x 128 too" in note
    assert opened(torch.zeros(1, 3, 192, 256)).logits.shape == (1, 7)
