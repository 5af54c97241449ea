from __future__ import annotations

import copy
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from foreign_models import (
    CLASSES,
    SIZE,
    assert_equal_for_any_batch,
    assert_gradient_as_claimed,
    network,
    pictures,
    quiet,
    rewritten,
    save_scripted,
    save_traced,
)
from program_files import (
    DEMO_SIZE,
    assert_like_the_original,
    assert_same_logits,
    cut_short,
    network_of,
    sound_file,
)
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models import load, weights_sha256
from semaudit.models.programs.torchscript import open_torchscript


def safely(path: Path):
    return open_torchscript(path, unsafe=False)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_file(tmp_path_factory, save_scripted, "m.pt")


@pytest.fixture
def scripted(untouched: Path, tmp_path: Path) -> Path:
    """A sound archive, to be made unsound."""
    return Path(shutil.copy(untouched, tmp_path / "m.pt"))


@pytest.mark.parametrize(
    ("arch", "save"), [("test_efficientnet", save_traced), ("test_vit", save_scripted)]
)
def test_outputs_and_gradients_are_the_originals(tmp_path, arch, save):
    module = network_of(arch)
    path = tmp_path / "m.pt"
    save(module, path)
    assert_like_the_original(safely(path), module, path, "torchscript", tolerance=1e-6)


def test_a_traced_model_keeps_the_size_of_its_pictures(tmp_path):
    save_traced(network(in_chans=1), tmp_path / "m.pt", (1, 48, 80))
    opened = safely(tmp_path / "m.pt")
    assert opened.stated == {"input_size": (1, 48, 80)}
    assert opened.notes == ()


def test_a_fixed_size_that_is_not_stated_is_found_by_trial(tmp_path):
    layers = (nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 24 * 24, 10))
    save_scripted(nn.Sequential(*layers), tmp_path / "m.pt")
    opened = safely(tmp_path / "m.pt")
    assert opened.stated == {"input_size": (1, 28, 28)}
    assert "does not state the size" in opened.notes[0]


def test_metadata_beside_the_model_is_read(tmp_path):
    config = {"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "crop_pct": 0.9}}
    labels = "\n".join(f"kind {index}" for index in range(CLASSES))
    path = tmp_path / "m.pt"
    save_traced(network(), path, config__json=json.dumps(config), labels__txt=labels)
    opened = safely(path)
    assert opened.stated == {
        "mean": (0.1, 0.2, 0.3),
        "std": (0.4, 0.5, 0.6),
        "crop_pct": 0.9,
        "input_size": SIZE,
    }
    assert opened.labels == tuple(f"kind {index}" for index in range(CLASSES))


def test_a_frozen_script_is_copied_moved_and_run(tmp_path):
    module = network(in_chans=2)
    path = tmp_path / "m.pt"
    with quiet():
        torch.jit.freeze(torch.jit.script(module)).save(path)
    opened = safely(path)
    assert opened.stated == {}
    assert opened.in_chans == 2
    assert_equal_for_any_batch(opened, module, 1e-5, (2, 64, 64))
    assert_gradient_as_claimed(opened, module, (2, 64, 64))


def test_half_precision(tmp_path):
    path = tmp_path / "m.pt"
    save_scripted(network("test_resnet").half(), path)
    opened = safely(path)
    assert opened.module(pictures(2).half()).dtype == torch.float16


def test_a_model_without_gradients_says_so(tmp_path):
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, CLASSES, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(images.detach().round()).mean((2, 3))

    save_scripted(Blind().requires_grad_(False), tmp_path / "m.pt")
    opened = safely(tmp_path / "m.pt")
    assert not opened.differentiable
    assert "no input gradient" in opened.notes[-1]


class Elsewhere(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        zeros = torch.zeros(1, device=torch.device("cuda:0"))
        return images.mean((2, 3)) + zeros


def test_a_device_in_the_code_is_replaced(tmp_path):
    save_scripted(Elsewhere(), tmp_path / "m.pt")
    opened = safely(tmp_path / "m.pt")
    assert opened.module(pictures(2)).shape == (2, 3)
    moved = opened.module.to("meta")
    assert moved(pictures(2).to("meta")).device.type == "meta"


def test_copies_do_not_share_weights(tmp_path):
    save_scripted(network(), tmp_path / "m.pt")
    opened = safely(tmp_path / "m.pt")
    before = weights_sha256(opened.module)
    twin = copy.deepcopy(opened.module)
    assert weights_sha256(twin) == before
    with torch.no_grad():
        next(iter(twin.parameters())).zero_()
    assert weights_sha256(opened.module) == before != weights_sha256(twin)


class Writer(nn.Module):
    """Writes a file by one of TorchScript's own operators."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, self.path)
        return images.mean((2, 3))


class Mapper(nn.Module):
    """Makes a file by mapping it into memory."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) + torch.from_file(self.path, True, 3)


@pytest.mark.parametrize(("kind", "said"), [(Writer, "save"), (Mapper, "from_file")])
def test_operators_that_write_files_are_refused(tmp_path, kind, said):
    marker, path = tmp_path / "marker", tmp_path / "m.pt"
    save_scripted(kind(str(marker)), path)
    with pytest.raises(ModelError, match=rf"could do more than compute.*{said}.*--unsafe-load"):
        safely(path)
    assert not marker.exists()
    open_torchscript(path, unsafe=True)
    assert marker.exists()  # it would have


class Wakes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> int:
        return 3

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_code_that_runs_on_loading_is_refused(tmp_path):
    save_scripted(Wakes(), tmp_path / "m.pt")
    with pytest.raises(ModelError, match="which runs while the file is loaded"):
        safely(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('ops.aten.save(x, "p")', "ops.aten.save"),
        ("ops.image.read_file(x)", "ops.image.read_file"),
        ("ops.inductor._alloc_from_pool(x)", "ops.inductor"),
        ("y = ops", "ops without a name"),
        ("y = torch", "by itself"),
        ("y = ops. aten.relu(x)", "without a name"),
        ('x.save("p")', "'save'"),
        ('x . save("p")', "'save'"),
        ('y = getattr(x, "sa\\x76e")', "not plain"),
        ('y = getattr(x, "save")', "not plain"),
        ("y = getattr", "not plain"),
        ("y = __torch__.torch.classes.dist_c10d.Store()", "custom class"),
        ("y = __torch__ .torch.classes.dist_c10d.Store()", "pieces"),
        ("y = __torch__.torch. classes.dist_c10d.Store()", "pieces"),
        ("y = torch.classes.dist_c10d.Store()", "custom class"),
        ("ops.prim.rpc_sync(x)", "rpc_sync"),
    ],
)
def test_what_code_may_not_say(scripted, line, said):

    def hide(name: str, content: bytes) -> bytes:
        is_code = name.endswith(".py")
        return (
            content + f"\ndef hidden(x: Tensor) -> Tensor:\n  {line}\n".encode()
            if is_code
            else content
        )

    rewritten(scripted, hide)
    with pytest.raises(ModelError, match=said):
        safely(scripted)


def test_a_custom_class_in_the_pickle_is_refused(scripted):
    hostile = b"\x80\x02c__torch__.torch\nclasses.dist_c10d.Store\n)\x81."
    rewritten(scripted, lambda name, content: hostile if name == "data.pkl" else content)
    with pytest.raises(ModelError, match=r"custom class __torch__\.torch\.classes\.dist_c10d"):
        safely(scripted)


@pytest.mark.parametrize("keep", [0, 10, 1000, -30])
def test_damaged_files_are_errors(scripted, keep):
    with pytest.raises(ModelError, match="damaged"):
        safely(cut_short(scripted, keep))


def test_a_tensor_that_claims_more_than_there_is(tmp_path):
    module = nn.Conv2d(3, 2, 3)
    module.register_buffer("huge", torch.zeros(1).expand(10**12))
    save_scripted(module, tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"'script.huge' of shape \(1000000000000,\) claims more"):
        safely(tmp_path / "m.pt")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        safely(tmp_path / "gone.pt")


def test_damaged_code_is_an_error(scripted):
    rewritten(scripted, lambda name, content: b"def" if name.endswith(".py") else content)
    with pytest.raises(ModelError, match="cannot be loaded as TorchScript"):
        safely(scripted)


def test_other_archives_are_told_apart(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pt")
    with pytest.raises(ModelError, match="holds no code"):
        safely(tmp_path / "state.pt")
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError):
        safely(tmp_path / "plain.zip")


def test_a_model_that_takes_no_pictures_is_an_error(tmp_path):
    save_scripted(nn.Linear(5, 2), tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"does not run on square pictures of 3 channels"):
        safely(tmp_path / "m.pt")


@pytest.mark.slow
def test_real_weights_give_the_same_logits(tmp_path, demo_weights):
    module = load(demo_weights, arch="tf_efficientnet_lite0").module
    save_traced(module, tmp_path / "m.pt", DEMO_SIZE)
    opened = safely(tmp_path / "m.pt")
    assert opened.stated["input_size"] == DEMO_SIZE
    assert_same_logits(opened, module)
