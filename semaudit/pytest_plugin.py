"""The pytest plugin: the fixture ``continuity``. It imports no torch until a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from semaudit.audit import Audit


@pytest.fixture(scope="session")
def continuity() -> Callable[..., Audit]:
    """``continuity(model, data, flip_rate=0.05)``: see `semaudit.assert_continuous`."""
    from semaudit.testing import assert_continuous

    return assert_continuous
