"""What is refused, noted and warned of when a model and its pictures are opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from foreign_models import network, quiet, save_exported, save_onnx, save_traced
from known_models import ON_CPU, Linear, pictures
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import semaudit
from semaudit.errors import UsageError
from semaudit.report.terminal import to_text

SIZE = (3, 64, 64)
IMAGES = pictures(4, SIZE, seed=2, low=0.2, high=0.8)
QUICK = {"select": ["brightness"], "gradients": False, **ON_CPU}
WHOLE: dict[str, Callable[[nn.Module, Path], None]] = {
    "m.torchscript": save_traced,
    "m.pt2": save_exported,
    "m.onnx": save_onnx,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures in four class folders."""
    for number, image in enumerate(pictures(8, SIZE, seed=3, low=0, high=1)):
        place = tmp_path / "photos" / "abcd"[number % 4] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * image.permute(1, 2, 0)).byte().numpy()).save(place)
    return tmp_path / "photos"


# Preprocessing that nobody states.


@pytest.mark.parametrize("name", WHOLE)
def test_the_guessed_preprocessing_of_a_whole_model_is_a_warning(
    name: str, folder: Path, tmp_path: Path
) -> None:
    WHOLE[name](network("test_resnet"), tmp_path / name)
    audit = semaudit.scan(tmp_path / name, folder, ignore_labels=True, **QUICK)
    (warning,) = audit.report.warnings
    assert warning.startswith("the preprocessing is a guess")
    assert "--mean 0.485,0.456,0.406, --std 0.229,0.224,0.225, --crop-pct 0.875" in warning
    assert warning.endswith("Give what it was trained with (--mean, --std)")
    assert "--input-size" not in warning  # the program tells it
    assert not any("guess" in note for note in audit.report.model.notes)
    guessed = audit.manifest["model"]["provenance"]["guessed_preprocessing"]
    assert guessed[0] == "--mean 0.485,0.456,0.406"
    (half,) = semaudit.scan(
        tmp_path / name, folder, ignore_labels=True, mean=(0.5,), **QUICK
    ).report.warnings
    assert half.endswith("Give what it was trained with (--std)")
    given = {"mean": (0.5,), "std": (0.5,)}
    stated = semaudit.scan(tmp_path / name, folder, ignore_labels=True, **given, **QUICK)
    assert stated.report.warnings == []


def test_statistics_that_timm_s_weights_disagree_on_are_a_warning(
    folder: Path, tmp_path: Path
) -> None:
    name = "resnet34"  # all of ImageNet's mean but one
    torch.save(network(name).state_dict(), tmp_path / "m.pt")
    given = {"ignore_labels": True, "trust_inputs": True, "img_size": 64, "arch": name, **QUICK}
    (warning,) = semaudit.scan(tmp_path / "m.pt", folder, **given).report.warnings
    assert "mean and std are a guess: the file states none" in warning
    assert "others have mean 0.5,0.5,0.5, std 0.5,0.5,0.5 (ra4_e3600_r224_in1k)" in warning
    (half,) = semaudit.scan(tmp_path / "m.pt", folder, mean=(0.5,), **given).report.warnings
    assert half.startswith("std is a guess: the file states none")
    assert "give --std, or name the weights" in half
    for settled in (
        {"mean": (0.5,), "std": (0.5,)},
        {"arch": f"{name}.ra4_e3600_r224_in1k"},
        {"arch": "resnet50"},
    ):
        if settled.get("arch") == "resnet50":  # all alike: a note
            torch.save(network("resnet50").state_dict(), tmp_path / "m.pt")
        report = semaudit.scan(tmp_path / "m.pt", folder, **{**given, **settled}).report
        assert report.warnings == []
        assert any("the file states no preprocessing" in note for note in report.model.notes)


def test_a_factory_s_size_is_guessed_too(folder: Path, tmp_path: Path) -> None:
    source = "from torch import nn\n\ndef build():\n    return nn.Sequential("
    source += "nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 4))\n"
    (tmp_path / "net.py").write_text(source)
    model = f"{tmp_path}/net.py:build"
    (warning,) = semaudit.scan(
        model, folder, ignore_labels=True, trust_inputs=True, **QUICK
    ).report.warnings
    assert "taken: --input-size 3,224,224, --mean 0.485," in warning
    given = {"img_size": 32, "mean": (0.5,), "std": (0.5,)}
    assert semaudit.scan(model, folder, ignore_labels=True, **given, **QUICK).report.warnings == []


def test_of_pictures_in_memory_only_the_statistics_are_guessed() -> None:
    (warning,) = semaudit.scan(Linear(SIZE, 4, seed=1), IMAGES, **QUICK).report.warnings
    assert "taken: --mean 0,0,0, --std 1,1,1. Give what it" in warning


COLOURS = torch.tensor([[0.8, 0.2, 0.2], [0.2, 0.2, 0.8], [0.2, 0.8, 0.2], [0.5, 0.5, 0.5]])


class NearestColour(nn.Module):
    """The class whose colour is the mean colour's, of pictures normalised with these."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.register_buffer("colours", COLOURS.clone())

    def forward(self, images: Tensor) -> Tensor:
        colour = (images.mean((2, 3)) * self.std + self.mean).clamp(0, 1)
        return -20 * (colour[:, None] - self.colours).square().sum(2)


@pytest.mark.parametrize("live", [True, False])
def test_labelled_pictures_tell_a_wrong_guess(live: bool, tmp_path: Path) -> None:
    """Of a module in memory pictures as they are are the guess, of a file ImageNet's statistics."""
    labels = torch.arange(60) % 4
    noise = 0.2 * (pictures(60, SIZE, seed=5, low=0, high=1) - 0.5)
    images = (COLOURS[labels][:, :, None, None] + noise).clamp(0, 1)
    trained = (0.5, 0.5) if live else (0.0, 1.0)
    model = NearestColour(*trained) if live else tmp_path / "m.pt"
    save_traced(NearestColour(*trained), tmp_path / "m.pt")
    guess, better, *_ = semaudit.scan(model, (images, labels), **QUICK).report.warnings
    assert guess.startswith("the preprocessing is a guess")
    assert better.startswith("the model seems to be trained with another normalisation: with ")
    given = {"mean": trained[:1], "std": trained[1:]}
    assert semaudit.scan(model, (images, labels), **given, **QUICK).report.warnings == []


def test_what_the_module_states_is_no_guess() -> None:
    audit = semaudit.scan(network("test_resnet"), IMAGES, **QUICK)
    assert audit.report.warnings == []
    assert "guessed_preprocessing" not in audit.manifest["model"]["provenance"]


# Settings that would have no effect.


@pytest.mark.parametrize("name", ["m.onnx", "m.safetensors", "test_resnet", "live"])
def test_a_consent_that_nothing_asks_for_is_refused(name: str, tmp_path: Path) -> None:
    module = network("test_resnet")
    if name == "m.onnx":
        save_onnx(module, tmp_path / name)
    save_file(module.state_dict(), tmp_path / "m.safetensors")
    model = {"test_resnet": name, "live": module}.get(name, tmp_path / name)
    with pytest.raises(UsageError, match=r"--unsafe-load goes with a file that may hold code"):
        semaudit.scan(model, IMAGES, unsafe_load=True, **QUICK)


def test_a_background_of_pictures_in_memory_is_refused() -> None:
    with pytest.raises(UsageError, match="background go with pictures on disk"):
        semaudit.scan(network("test_resnet"), IMAGES, background="black", **QUICK)


def test_precision_under_onnxruntime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from semaudit.models.programs import onnx_models

    save_onnx(network("test_resnet"), tmp_path / "m.onnx")
    monkeypatch.setattr(onnx_models, "converted", lambda model: 1 / 0)
    for setting, flag in (
        ({"amp_dtype": "bfloat16"}, "--amp-dtype would have no effect"),
        ({"torchcompile": True}, "--torchcompile would have no effect"),
    ):
        with pytest.raises(UsageError, match=f"{flag}: m.onnx runs through onnxruntime"):
            semaudit.scan(tmp_path / "m.onnx", IMAGES, **{**QUICK, **setting})
    audit = semaudit.scan(tmp_path / "m.onnx", IMAGES, **QUICK)
    assert audit.manifest["runtime"]["amp_dtype"] == "float32"


def test_labels_of_an_embedding_are_refused_by_their_own_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("a 0\nb 1\nc 2\nd 3\n")
    with pytest.raises(UsageError, match="speak of labels, and test_resnet puts out an embedding"):
        semaudit.scan(
            timm.create_model("test_resnet", num_classes=0), folder,
            class_map=tmp_path / "map.txt", **QUICK,
        )  # fmt: skip


# Architectures that labels cannot tell apart.


@pytest.mark.parametrize("arch", [None, "best"])
def test_an_embedding_is_not_told_to_bring_labels(
    arch: str | None, folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("resnet50").state_dict(), tmp_path / "r.pt")
    settings = {"arch": arch, "img_size": 32, "activation": "none", **QUICK}
    with pytest.raises(UsageError, match=r"labelled pictures do not help here, .* an embedding"):
        semaudit.scan(tmp_path / "r.pt", folder, **settings)


def test_a_guessed_embedding_asks_for_a_name_alone(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "r.pt")
    settings = {"img_size": 32, "select": ["identity"], **ON_CPU}
    notes = [
        " ".join(semaudit.scan(tmp_path / "r.pt", folder, **more, **settings).report.model.notes)
        for more in ({"activation": "none"}, {"ignore_labels": True})
    ]
    assert ["or give labelled pictures" in each for each in notes] == [False, True]
    assert all("architecture resnet18 is a guess" in each for each in notes)


# Models that answer by chance.


class Dropping(nn.Module):
    """The mean colours, of which some are forgotten while training."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        return 9 * self.drop(images.mean((2, 3)))


def test_a_network_traced_in_training_mode_is_named(tmp_path: Path) -> None:
    with quiet():
        script = torch.jit.trace(Dropping().train(), IMAGES, check_trace=False)
        torch.jit.save(script, tmp_path / "m.pt")
    settings = {"mean": (0.0,), "std": (1.0,), "fail_on": ["shift<=0.9", "confidence<=0.99"]}
    torch.manual_seed(0)
    report = semaudit.scan(tmp_path / "m.pt", pictures(40, SIZE, 1), **settings, **QUICK).report
    assert any("exported in training mode" in note for note in report.model.notes)
    (warning,) = report.warnings
    assert "the same pictures in another batch move the output" in warning
    shift, confidence = report.verdicts
    assert "the same pictures in another batch make " in shift.reason
    assert "another batch" not in confidence.reason
    # A terminal says it once; the note stays in the document.
    seen = to_text(report)
    assert "warning: the same pictures in another batch" in seen
    assert "exported in training mode" not in seen
    save_traced(Dropping().eval(), tmp_path / "m.pt")
    report = semaudit.scan(tmp_path / "m.pt", pictures(40, SIZE, 1), **settings, **QUICK).report
    assert (report.warnings, report.model.notes) == ([], [])


@pytest.mark.parametrize(("activation", "most"), [("softmax", 2.0), ("sigmoid", 4.0)])
def test_the_entropy_s_interval_ends_where_the_entropy_does(activation: str, most: float) -> None:
    model = Linear(SIZE, 4, seed=1, scale=0.01)
    report = semaudit.scan(model, IMAGES, activation=activation, **QUICK).report
    entropy = report.clean.entropy
    assert entropy is not None
    assert entropy.high is not None
    assert 0.95 * most < entropy.value <= entropy.high <= most
    assert [each.upper for each in report.metrics if each.name == "entropy"] == [most]
