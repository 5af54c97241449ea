"""What the tests of TorchScript, torch.export and ONNX share beside `foreign_models`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from foreign_models import (
    CLASSES,
    assert_equal_for_any_batch,
    assert_gradient_as_claimed,
    network,
    pictures,
)
from torch import nn

from semaudit.files import file_sha256
from semaudit.models.opened import Opened

DEMO_SIZE = (3, 224, 224)
ARGUMENTS = {"test_vit": {"img_size": 64}}
"""Arguments of architectures that need some to take pictures of `foreign_models.SIZE`."""


def network_of(arch: str) -> nn.Module:
    """A small network of an architecture that takes pictures of `foreign_models.SIZE`."""
    return network(arch, **ARGUMENTS.get(arch, {}))


def sound_file(
    folders: pytest.TempPathFactory, save: Callable[[nn.Module, Path], None], name: str
) -> Path:
    """A small network, saved by ``save`` in a folder of its own."""
    path = folders.mktemp("sound") / name
    save(network("test_resnet"), path)
    return path


def assert_like_the_original(
    opened: Opened,
    original: nn.Module,
    path: Path,
    source: str,
    *,
    tolerance: float,
    batch: int | None = None,
) -> None:
    """The original's outputs and gradients, with the provenance of the file at ``path``."""
    assert opened.differentiable
    assert opened.num_classes == CLASSES
    assert opened.batch == batch
    own = {"source": source, "file": str(path), "file_sha256": file_sha256(path)}
    assert own.items() <= opened.provenance.items()
    assert_equal_for_any_batch(opened, original, tolerance)
    assert_gradient_as_claimed(opened, original)


def assert_same_logits(opened: Opened, original: nn.Module) -> None:
    """The demo network's logits, for pictures of its size."""
    images = pictures(2, DEMO_SIZE)
    torch.testing.assert_close(opened.module(images), original(images), atol=1e-4, rtol=0)


def cut_short(path: Path, keep: int) -> Path:
    """Leave the first ``keep`` bytes of a file, or all but the last ``-keep``."""
    path.write_bytes(path.read_bytes()[:keep])
    return path
