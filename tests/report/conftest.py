"""A finished audit with all that an HTML report shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from known_models import ON_CPU
from shared import ARCH

import semaudit
from semaudit.report.document import Report
from semaudit.report.file import read_report


@pytest.fixture(scope="session")
def kept_audit(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, pictures: Path) -> Path:
    out = tmp_path_factory.mktemp("html") / "audit"
    semaudit.scan(
        checkpoint, pictures, arch=ARCH, img_size=32, select="quick", worst_case=True,
        keep_pictures=4, fail_on=["flip_rate<=0.5", "accuracy>=0.99"], out=out, **ON_CPU,
    )  # fmt: skip
    return out


@pytest.fixture(scope="session")
def kept_report(kept_audit: Path) -> Report:
    return read_report(kept_audit / "report.json")
