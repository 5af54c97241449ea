from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semaudit.models.names import ClassNames
from semaudit.models.preprocessing import Preprocessing

Paint = Callable[..., Path]


@pytest.fixture(scope="session")
def photos() -> Path:
    """160 real pictures, 20 of them ImageNet photographs named ``imagenet_NN_INDEX.jpg``."""
    spec = importlib.util.find_spec("foolbox")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


@pytest.fixture
def paint() -> Paint:
    """Save a small random picture, with any folders that its path needs."""

    def save(path: Path, size: tuple[int, int] = (24, 16), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return save


@pytest.fixture
def preprocessing() -> Preprocessing:
    return Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bilinear")


@pytest.fixture
def animals() -> ClassNames:
    """Four named classes; two are called crane."""
    return ClassNames(
        names=("tench", "crane", "crane", "killer whale"),
        synonyms=(
            ("tench", "Tinca tinca"),
            ("crane",),
            ("crane",),
            ("killer whale", "orca"),
        ),
        wordnet_ids=("n01440764", "n02012849", "n03126707", "n02071294"),
    )


def nameless(count: int) -> ClassNames:
    names = tuple(f"class {index}" for index in range(count))
    return ClassNames(names, tuple((name,) for name in names))
