"""Pictures with the spectrum of natural scenes, made on the spot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

from semaudit.contract import scenes as made

Scenes = Callable[..., Tensor]


@pytest.fixture
def scenes() -> Scenes:
    """Return make(count, channels, height, width) -> images in [0, 1], a fresh copy each time."""
    return made
