from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from foreign_models import network, save_onnx
from safetensors.torch import save_file

import semaudit
from semaudit.errors import ModelError
from semaudit.models.transformers_layout import transformers_layout

CONFIG = {"architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_size": 8}
PREPROCESSOR = {"image_mean": [0.5, 0.5, 0.4], "image_std": [0.5, 0.5, 0.5], "size": 224}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `save_pretrained` of transformers writes one."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    save_file(
        {
            "vit.encoder.layer.0.attention.attention.query.weight": torch.zeros(8, 8),
            "vit.embeddings.patch_embeddings.projection.weight": torch.zeros(8, 3, 4, 4),
            "classifier.weight": torch.zeros(5, 8),
            "classifier.bias": torch.zeros(5),
        },
        tmp_path / "model.safetensors",
    )
    return tmp_path


@pytest.mark.parametrize("model", ["", "model.safetensors"])
def test_it_is_named_with_the_way_out(folder: Path, model: str) -> None:
    said = transformers_layout(folder / model)
    assert said is not None
    assert "a model of Hugging Face transformers ('ViTForImageClassification', 'vit')" in said
    assert f"AutoModelForImageClassification.from_pretrained('{folder.as_posix()}')" in said
    assert "audit FILE.py:build --mean 0.5,0.5,0.4 --std 0.5,0.5,0.5; or export" in said
    (folder / "preprocessor_config.json").unlink()
    assert "audit FILE.py:build; or" in str(transformers_layout(f"local-dir:{folder}"))


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "resnet18", "num_classes": 5},  # timm's own
        {**CONFIG, "architecture": "resnet18", "model_type": "timm_wrapper"},
        {"hidden_size": 8},
        [],
        {"architectures": None, "model_type": 3},
    ],
)
def test_others_are_not(folder: Path, config: object) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    assert transformers_layout(folder) is None


def test_what_is_no_json_or_not_there_is_not(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff{")
    assert transformers_layout(folder) is None
    (folder / "config.json").unlink()
    assert transformers_layout(folder) is None
    assert transformers_layout("resnet50.a1_in1k") is None
    assert transformers_layout(folder / "none.pt") is None


def test_a_name_with_control_characters_is_shown_plainly(folder: Path) -> None:
    config = {"architectures": ["\x1b[2J" + "x" * 500]}
    (folder / "config.json").write_text(json.dumps(config))
    said = str(transformers_layout(folder))
    assert "\x1b" not in said
    assert "x" * 100 not in said


@pytest.mark.parametrize("model", ["", "model.safetensors"])
def test_a_scan_says_so(folder: Path, model: str) -> None:
    with pytest.raises(ModelError, match="a model of Hugging Face transformers") as caught:
        semaudit.scan(folder / model, torch.rand(4, 3, 8, 8), device="cpu")
    assert "\n(no architecture of timm" in str(caught.value)


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_wrong_with_an_onnx_file_beside_it_comes_first(folder: Path, whole: bool) -> None:
    """As optimum writes one, alone or next to the weights."""
    save_onnx(network("test_resnet"), folder / "model.onnx")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])
    model = folder / "model.onnx" if whole else folder
    if not whole:
        (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError) as caught:
        semaudit.scan(model, torch.rand(4, 3, 8, 8), device="cpu")
    first, rest = str(caught.value).split("\n", 1)
    assert "model.onnx" in first
    assert "transformers" not in first
    assert "a model of Hugging Face transformers" in rest
