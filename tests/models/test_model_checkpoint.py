from __future__ import annotations

import argparse
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semaudit.errors import ModelError, UsageError
from semaudit.files import file_sha256
from semaudit.models import PreprocessingOverrides, candidates, load, weights_sha256
from semaudit.models.files.contents import read
from semaudit.models.files.sniff import sniff

ARCH = "test_resnet"


def save_renamed(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(
        {f"net{n}.{k.rpartition('.')[2]}": t for n, (k, t) in enumerate(state.items())}, path
    )


SAVERS = {
    "bare": ("m.pt", lambda s, p: torch.save(s, p), "exact", []),
    "legacy": (
        "m.pth",
        lambda s, p: torch.save(s, p, _use_new_zipfile_serialization=False),
        "exact",
        [],
    ),
    "wrapped": ("m.ckpt", lambda s, p: torch.save({"state_dict": s}, p), "exact", ["state_dict"]),
    "trainer": (
        "m.pth.tar",
        lambda s, p: torch.save({"model": s, "args": argparse.Namespace(lr=1)}, p),
        "exact",
        ["model"],
    ),
    "parallel": (
        "m.bin",
        lambda s, p: torch.save({f"module.{k}": t for k, t in s.items()}, p),
        "prefix 'module.' stripped",
        [],
    ),
    "safetensors": ("m.safetensors", save_file, "exact", []),
    "renamed": ("m.pth", save_renamed, "by order and shape", []),
}


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("sizes", [{}, {"num_classes": 7, "in_chans": 1}])
def test_round_trip(tiny, tmp_path, kind, sizes):
    name, save, how, unwrapped = SAVERS[kind]
    module = tiny(ARCH, **sizes)
    path = tmp_path / name
    save(module.state_dict(), path)
    classifier = load(path, arch=ARCH)
    assert weights_sha256(classifier.module) == weights_sha256(module)
    assert classifier.num_classes == module.num_classes
    assert classifier.preprocessing.input_size[0] == sizes.get("in_chans", 3)
    assert len(classifier.preprocessing.mean) == sizes.get("in_chans", 3)
    assert classifier.provenance == {
        "source": "checkpoint",
        "arch": ARCH,
        "arch_from": "named by --arch",
        "file": str(path),
        "file_kind": sniff(path).value,
        "file_sha256": file_sha256(path),
        "keys": how,
        "unwrapped": unwrapped,
        "weights_sha256": weights_sha256(module),
    }
    classifier.check()


def test_size_known_at_construction_is_handed_over(tiny, tmp_path):
    module = tiny("test_vit", num_classes=4, img_size=96)
    path = tmp_path / "vit.pt"
    torch.save(module.state_dict(), path)
    with pytest.raises(UsageError, match=r"misshapen \(pos_embed .*--img-size"):
        load(path, arch="test_vit", overrides=PreprocessingOverrides(img_size=64))
    for overrides in (None, PreprocessingOverrides(img_size=96)):
        classifier = load(path, arch="test_vit", overrides=overrides)
        assert classifier.preprocessing.input_size == (3, 96, 96)
        classifier.check()


def test_explicit_sizes_win_over_the_tensors(tiny, tmp_path):
    path = tmp_path / "m.pt"
    torch.save(tiny(ARCH, num_classes=7).state_dict(), path)
    with pytest.raises(UsageError, match=r"misshapen \(fc.weight .7, .*--num-classes"):
        load(path, arch=ARCH, num_classes=8)


def test_wrong_architecture_is_told_with_counts(tiny, tmp_path):
    path = tmp_path / "m.pt"
    torch.save(tiny(ARCH).state_dict(), path)
    with pytest.raises(UsageError, match=r"does not fit test_vit: .* missing \(.* unexpected \("):
        load(path, arch="test_vit")


def test_unknown_architecture_is_told_before_the_file_is_read(tmp_path):
    path = tmp_path / "m.pt"
    path.write_bytes(b"not looked at")
    with pytest.raises(UsageError, match="did you mean 'resnet50'"):
        load(path, arch="resnt50")


def test_weights_that_are_not_numbers_are_named(tiny, tmp_path):
    module = tiny(ARCH)
    with torch.no_grad():
        module.fc.bias[3] = torch.nan
        module.fc.weight[0, 0] = torch.inf
    path = tmp_path / "m.pt"
    torch.save(module.state_dict(), path)
    with pytest.raises(ModelError, match=r"m\.pt: .*NaN or infinite in fc\.weight, fc\.bias;"):
        load(path, arch=ARCH)


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickle_does_not_run(tmp_path, protocol):
    marker, path = tmp_path / "marker", tmp_path / "m.pt"
    path.write_bytes(pickle.dumps({"state_dict": Hostile(marker)}, protocol=protocol))
    with pytest.raises(ModelError):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize("new", [True, False])
def test_hostile_checkpoint_does_not_run(tmp_path, new):
    marker, path = tmp_path / "marker", tmp_path / "m.pt"
    torch.save({"state_dict": Hostile(marker)}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(ModelError, match=r"holds code .*does not run it.*save a state dict"):
        read(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # it would have run


def test_pickled_module_is_refused(tmp_path):
    path = tmp_path / "m.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ModelError, match=r"holds code \(torch\.nn\.modules\.linear\.Linear\)"):
        read(path)


def test_torchscript_is_refused(tmp_path):
    path = tmp_path / "m.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))
    with pytest.raises(ModelError, match="TorchScript archive"):
        read(path)


@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("kind", ["bare", "legacy", "safetensors"])
def test_cut_short_file_is_refused(tiny, tmp_path, kind, share):
    name, save, _, _ = SAVERS[kind]
    path = tmp_path / name
    save(tiny(ARCH).state_dict(), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ModelError, match="damaged"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.pt", b"", "is empty"),
        ("m.safetensors", b"", "is empty"),
        ("m.pt", b"class names\nare not weights\n", "not a PyTorch checkpoint"),
        ("m.pt", b"\x80\x02garbage", "damaged"),
        ("m.pt", b"PK\x03\x04garbage", "damaged"),
        ("m.safetensors", b"plain text", "damaged"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read(path)


def test_no_state_dict_inside_names_file_and_keys(tmp_path):
    path = tmp_path / "m.pt"
    torch.save({"epoch": 3, "history": [1.0]}, path)
    with pytest.raises(ModelError, match=r"m\.pt: no state dict inside; .*epoch, history"):
        load(path, arch=ARCH)


def test_missing_file_and_folder(tmp_path):
    for missing in ("nowhere.pth", str(tmp_path / "nowhere"), tmp_path / "nowhere.pt"):
        with pytest.raises(ModelError, match="no such file"):
            load(missing)
    with pytest.raises(ModelError, match="is a folder"):
        load(str(tmp_path), arch=ARCH)


def test_a_checkpoint_that_fits_several_architectures_is_a_usage_error(tiny, tmp_path):
    path = tmp_path / "m.pt"
    torch.save(tiny("efficientnet_lite0").state_dict(), path)
    with pytest.raises(UsageError, match=r"fits 2 architectures(.|\n)*--arch best"):
        load(str(path))
    assert candidates(path) == ["efficientnet_lite0", "tf_efficientnet_lite0"]


def test_sizes_that_a_recognised_file_does_not_have_are_a_wrong_setting(tiny, tmp_path):
    path = tmp_path / "m.pt"
    torch.save(tiny(ARCH, num_classes=7).state_dict(), path)
    with pytest.raises(UsageError, match=r"misshapen(.|\n)*\(under --num-classes\)"):
        load(path, num_classes=8)
