from __future__ import annotations

from pathlib import Path

import pytest
from made import made


@pytest.fixture(scope="session")
def then(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up audit; not to be changed."""
    return made(tmp_path_factory.mktemp("then") / "audit", 400, seed=1)


@pytest.fixture(scope="session")
def now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another of the same pictures, a little worse; not to be changed."""
    return made(tmp_path_factory.mktemp("now") / "audit", 400, seed=2, flip_rate=0.25)
