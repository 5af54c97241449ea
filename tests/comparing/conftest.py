from __future__ import annotations

from pathlib import Path

import pytest
from pairs import scanned

import semaudit
from semaudit.comparing import Comparison


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit; not to be changed."""
    return scanned(0.0, tmp_path_factory.mktemp("before") / "audit")


@pytest.fixture(scope="session")
def after(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit of another model on the same pictures; not to be changed."""
    return scanned(0.06, tmp_path_factory.mktemp("after") / "audit")


@pytest.fixture(scope="session")
def found(before: Path, after: Path) -> Comparison:
    return semaudit.compare(before, after, seen={"noise", "blur"})
