from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from torch import nn

Build = Callable[..., nn.Module]


@pytest.fixture
def tiny() -> Build:
    """Builds a small timm model with random but repeatable weights, in eval mode."""

    def build(arch: str = "test_resnet", **arguments: object) -> nn.Module:
        torch.manual_seed(0)
        return timm.create_model(arch, **arguments).eval()

    return build


@pytest.fixture
def demo_pictures(imagenet_pictures: Path) -> list[Path]:
    """Twenty ImageNet pictures, named imagenet_NN_LABEL.jpg."""
    return sorted(imagenet_pictures.glob("imagenet_*.jpg"))


@pytest.fixture
def lonely_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub at a port where nothing listens, and its empty cache."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path
