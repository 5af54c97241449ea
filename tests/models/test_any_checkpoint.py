"""Checkpoints as people save them, of many families, opened with no flag beyond the path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError
from semaudit.models import candidates, load, weights_sha256

QUICK = (
    *("resnet18", "mobilenetv3_small_050", "efficientnet_lite0", "regnetx_002", "ghostnet_050"),
    *("mobilevit_xxs", "convnext_atto", "test_resnet"),
)
OTHERS = (
    *("resnext26ts", "densenet121", "fbnetc_100", "dla46_c", "repvgg_a0", "edgenext_xx_small"),
    *("vit_tiny_patch16_224", "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"),
    *("cait_xxs24_224", "levit_128s", "mixer_s32_224", "poolformer_s12", "xcit_nano_12_p16_224"),
)
ONE_CHANNEL_TOO_MUCH = ("levit_128s",)

Save = Callable[[dict[str, Tensor], Path], Path]


def as_safetensors(state: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def bare(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "m.pt")
    return folder / "m.pt"


def prefixed(state: dict[str, Tensor], folder: Path) -> Path:
    """As DistributedDataParallel around torch.compile around Lightning leaves it."""
    named = {f"model._orig_mod.module.{name}": tensor for name, tensor in state.items()}
    content = {"state_dict": named, "epoch": 3, "pytorch-lightning_version": "2.4.0"}
    torch.save(content, folder / "last.ckpt")
    return folder / "last.ckpt"


def averaged(state: dict[str, Tensor], folder: Path) -> Path:
    """Averaged weights beside others, as timm's training script keeps them."""
    plain = {n: torch.zeros_like(t) for n, t in state.items()}
    content = {"epoch": 3, "state_dict": plain, "state_dict_ema": state}
    torch.save(content, folder / "model_best.pth.tar")
    return folder / "model_best.pth.tar"


FORMS: dict[str, tuple[Save, dict[str, object], dict[str, int]]] = {
    "safetensors": (as_safetensors, {}, {}),
    "bare": (bare, {}, {}),
    "prefixed": (prefixed, {}, {}),
    "averaged": (averaged, {"use_ema": True}, {}),
    "7 classes": (bare, {}, {"num_classes": 7}),
    "1 channel": (bare, {}, {"in_chans": 1}),
}


@pytest.mark.parametrize(
    "arch", [*QUICK, *(pytest.param(arch, marks=pytest.mark.slow) for arch in OTHERS)]
)
def test_every_form_is_recognised_or_lists_the_truth(arch: str, tmp_path: Path) -> None:
    for form, (save, options, sizes) in FORMS.items():
        if form == "1 channel" and arch in ONE_CHANNEL_TOO_MUCH:
            continue
        module = _module(arch, **sizes)
        folder = tmp_path / form
        folder.mkdir()
        path = save(module.state_dict(), folder)
        fitting = candidates(path, **options)
        assert arch in fitting, form
        assert len(fitting) <= 4, form
        if len(fitting) > 1:
            with pytest.raises(UsageError, match="--arch best"):
                load(path, **options)
            options = {**options, "arch": arch}
        classifier = load(path, **options)
        assert weights_sha256(classifier.module) == weights_sha256(module), form
        assert classifier.num_classes == sizes.get("num_classes", 1000), form
        assert classifier.preprocessing.input_size[0] == sizes.get("in_chans", 3), form


def _module(arch: str, **sizes: int) -> nn.Module:
    module = timm.create_model(arch, **sizes)
    with torch.no_grad():  # zeros at initialisation would hide a swap of two tensors
        for seed, tensor in enumerate(module.state_dict().values()):
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 0.2, generator=torch.Generator().manual_seed(seed))
    return module


def test_other_image_and_patch_sizes_come_from_the_tensors(tmp_path: Path) -> None:
    module = _module("vit_tiny_patch16_224", img_size=96, patch_size=8, num_classes=3)
    path = bare(module.state_dict(), tmp_path).rename(tmp_path / "vit_tiny_patch16_224.pt")
    classifier = load(path)
    assert classifier.preprocessing.input_size == (3, 96, 96)
    assert weights_sha256(classifier.module) == weights_sha256(module)
    classifier.check()


def test_a_head_that_was_replaced(tmp_path: Path) -> None:
    module = _module("resnet26")
    module.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(2048, 7))
    classifier = load(bare(module.state_dict(), tmp_path))
    assert classifier.num_classes == 7
    assert "fc.1.weight as fc.weight" in str(classifier.provenance["keys"])
    module.eval()
    x = torch.rand(2, 3, 64, 64)
    preprocessing = classifier.preprocessing
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    with torch.no_grad():
        torch.testing.assert_close(classifier(x).logits, module((x - mean) / std))


def test_a_trunk_without_a_head_is_an_embedding(tmp_path: Path) -> None:
    classifier = load(bare(_module("regnetx_002", num_classes=0).state_dict(), tmp_path))
    assert (classifier.activation, classifier.num_classes) == ("none", 368)


def test_the_architecture_that_a_file_states_is_believed_if_it_fits(tmp_path: Path) -> None:
    state = _module("efficientnet_lite0").state_dict()
    content = {"args": SimpleNamespace(model="tf_efficientnet_lite0").__dict__, "state_dict": state}
    torch.save(content, tmp_path / "m.pth.tar")
    classifier = load(tmp_path / "m.pth.tar")
    assert classifier.provenance["arch"] == "tf_efficientnet_lite0"
    assert "stated in args.model" in classifier.notes[0]
    content["args"]["model"] = "resnet50"
    torch.save(content, tmp_path / "lie.pth.tar")
    with pytest.raises(UsageError, match="fits 2 architectures"):
        load(tmp_path / "lie.pth.tar")
    assert load(tmp_path / "lie.pth.tar", arch="efficientnet_lite0").num_classes == 1000


def test_what_a_file_states_of_preprocessing_and_classes_is_taken(tmp_path: Path) -> None:
    content = {
        "state_dict": _module("regnetx_002", num_classes=2).state_dict(),
        "class_to_idx": {"cat": 0, "dog": 1},
        "args": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "img_size": 96},
    }
    torch.save(content, tmp_path / "m.pt")
    classifier = load(tmp_path / "m.pt")
    assert classifier.class_names.names == ("cat", "dog")
    preprocessing = classifier.preprocessing
    assert preprocessing.mean == pytest.approx((0.1, 0.2, 0.3))
    assert preprocessing.input_size == (3, 96, 96)
    assert not any("preprocessing" in note for note in classifier.notes)


def test_torchvision_s_own_checkpoint(tmp_path: Path) -> None:
    from torchvision.models import squeezenet1_1

    module = squeezenet1_1(num_classes=5).eval()
    classifier = load(bare(module.state_dict(), tmp_path))
    assert classifier.provenance["arch"] == "torchvision:squeezenet1_1"
    assert classifier.num_classes == 5


def test_weights_go_into_a_network_of_the_user_s_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "def build(width=3):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "                         nn.Linear(width, 4))\n"
    )
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)
    )
    path = bare(module.state_dict(), tmp_path)
    classifier = load(path, arch=f"{tmp_path / 'own.py'}:build", model_kwargs={"width": 5})
    assert weights_sha256(classifier.module) == weights_sha256(module)
    assert classifier.num_classes == 4


@pytest.mark.parametrize("beside", [False, True])
def test_a_file_cannot_have_another_one_unpickled(tmp_path: Path, beside: bool) -> None:
    class Boom:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    state = _module("regnetx_002").state_dict()
    torch.save({"state_dict": state, "x": Boom()}, tmp_path / "notes.txt")
    stated = {"checkpoint_path": str(tmp_path / "notes.txt"), "drop_rate": 0.1}
    content = {"state_dict": state}
    if beside:
        config = {"architecture": "regnetx_002", "model_args": stated}
        (tmp_path / "config.json").write_text(json.dumps(config))
    else:
        content |= {"arch": "regnetx_002", "model_args": stated}
    torch.save(content, tmp_path / "model.pt")
    classifier = load(tmp_path / "model.pt")
    assert any("not taken: checkpoint_path" in note for note in classifier.notes)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UsageError, match="would load another file"):
        load("regnetx_002", pretrained=False, model_kwargs=stated)


def test_a_folder_that_timm_wrote(tmp_path: Path) -> None:
    module = _module("regnetx_002", num_classes=2)
    config = {"label_names": ["cat", "dog"], "mean": (0.1, 0.1, 0.1)}
    timm.models.save_for_hf(module, tmp_path, model_config=config, safe_serialization=True)
    for name in (f"local-dir:{tmp_path}", str(tmp_path)):
        classifier = load(name)
        assert weights_sha256(classifier.module) == weights_sha256(module)
        assert classifier.provenance["arch"] == "regnetx_002.pycls_in1k"
        assert classifier.class_names.names == ("cat", "dog")
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load(f"local-dir:{tmp_path / 'no'}")
