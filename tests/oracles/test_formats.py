"""One network in every format, and one data set under every kind of label: the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from foreign_models import save_exported, save_onnx, save_traced
from known_models import ON_CPU
from safetensors.torch import save_file

import semaudit
from semaudit import models

PATTERN = r"imagenet_\d+_(\d+)\.jpg"
SIZE = (3, 224, 224)


def scan(model: Path | str, pictures: Path, **settings: object) -> semaudit.Audit:
    return semaudit.scan(
        model,
        pictures,
        label_pattern=PATTERN,
        select=["brightness", "gaussian_noise"],
        trust_inputs=True,
        workers=0,
        gradients=False,  # of outputs is the question here
        **ON_CPU,
        **settings,
    )


@pytest.fixture(scope="module")
def saved(demo_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("formats")
    module = models.load(demo_weights).module
    files = {
        "safetensors": folder / "lite0.safetensors",
        "TorchScript": folder / "lite0.torchscript.pt",
        "torch.export": folder / "lite0.pt2",
        "ONNX": folder / "lite0.onnx",
    }
    metadata = {"arch": "tf_efficientnet_lite0"}
    save_file(module.state_dict(), files["safetensors"], metadata=metadata)
    save_traced(module, files["TorchScript"], SIZE)
    save_exported(module, files["torch.export"], size=SIZE)
    save_onnx(module, files["ONNX"], size=SIZE)
    return files


@pytest.fixture(scope="module")
def plain(demo_weights: Path, imagenet_pictures: Path) -> pd.DataFrame:
    audit = scan(demo_weights, imagenet_pictures)
    assert audit.report.clean.accuracy is not None
    assert audit.report.clean.accuracy.value == pytest.approx(0.9)
    return audit.samples()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["safetensors", "TorchScript", "torch.export", "ONNX"])
def test_the_demo_network_in_every_format(
    name: str, saved: dict[str, Path], plain: pd.DataFrame, imagenet_pictures: Path
) -> None:
    # A whole model does not say how its pictures are to be preprocessed.
    stated = {} if name == "safetensors" else {"mean": (0.5,), "std": (0.5,)}
    audit = scan(saved[name], imagenet_pictures, **stated)
    got = audit.samples()
    assert (got["class"] == plain["class"]).all()
    for column in ("shift", "flip", "input_rms", "ssim"):
        np.testing.assert_allclose(got[column], plain[column], atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [{}, {"arch": "best"}])
def test_labelled_pictures_choose_the_architecture(
    asked: dict[str, str],
    saved: dict[str, Path],
    plain: pd.DataFrame,
    imagenet_pictures: Path,
    tmp_path: Path,
) -> None:
    silent = tmp_path / "silent.safetensors"  # of its architecture
    save_file(models.load(saved["safetensors"]).module.state_dict(), silent)
    audit = scan(silent, imagenet_pictures, **asked)
    (note,) = [note for note in audit.report.model.notes if "labelled pictures chose" in note]
    assert "chose tf_efficientnet_lite0 of the 2 architectures that fit (" in note
    assert "tf_efficientnet_lite0: accuracy 0.900" in note
    assert "; efficientnet_lite0: accuracy " in note
    assert audit.manifest["model"]["provenance"]["arch"] == "tf_efficientnet_lite0"
    np.testing.assert_array_equal(audit.samples()["shift"], plain["shift"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"mean": (0.0,), "std": (1.0,)}, "mean 0 is not the model's own (0.5)"),
        ({"crop_mode": "squash"}, "crop-mode squash is not the model's own (center)"),
        ({"crop_pct": 1.0}, "crop-pct 1.0 is not the model's own (0.875)"),
    ],
)
def test_a_wrong_setting_draws_a_warning(
    mistake: dict[str, object], said: str, demo_weights: Path, imagenet_pictures: Path
) -> None:
    audit = semaudit.scan(
        demo_weights, imagenet_pictures, label_pattern=PATTERN, select=["identity"], **ON_CPU,
        **mistake,
    )  # fmt: skip
    assert any(said in warning for warning in audit.report.warnings), audit.report.warnings


@pytest.mark.slow
def test_pictures_in_bgr_draw_a_warning_and_right_ones_do_not(
    demo_weights: Path, imagenet_pictures: Path, tmp_path: Path
) -> None:
    from PIL import Image

    for path in sorted(imagenet_pictures.glob("imagenet_*.jpg")):
        red, green, blue = Image.open(path).convert("RGB").split()
        Image.merge("RGB", (blue, green, red)).save(tmp_path / f"{path.stem}.png")
    settings = {"select": ["identity"], **ON_CPU}
    swapped = semaudit.scan(
        demo_weights, tmp_path, label_pattern=r"imagenet_\d+_(\d+)\.png", **settings
    )
    assert any("BGR" in warning for warning in swapped.report.warnings)
    right = semaudit.scan(demo_weights, imagenet_pictures, label_pattern=PATTERN, **settings)
    assert right.report.warnings == []


def test_the_three_labels_of_a_class_are_one(tmp_path: Path, checkpoint: Path) -> None:
    """Indices and names of a checkpoint with class names lead to the same outputs."""
    torch.manual_seed(0)
    state = torch.load(checkpoint, weights_only=True)
    torch.save({"model": state, "classes": ["red", "green", "blue", "grey"]}, tmp_path / "m.pt")
    from shared import paint

    (tmp_path / "by_index").mkdir()
    folders = paint(tmp_path / "by_index")
    for letter, index in zip("abcd", (2, 0, 3, 1), strict=True):
        (folders / letter).rename(folders / str(index))
    by_name = tmp_path / "by_name"
    by_name.mkdir()
    for index, name in enumerate(("red", "green", "blue", "grey")):
        (by_name / name).symlink_to(folders / str(index))
    audits = [
        semaudit.scan(tmp_path / "m.pt", data, arch="test_vit", select=["identity"], **ON_CPU)
        for data in (folders, by_name)
    ]
    labels = [audit.images().groupby("label")["confidence"].mean() for audit in audits]
    np.testing.assert_allclose(*labels, rtol=1e-6)
    assert list(labels[0].index) == list(labels[1].index)
