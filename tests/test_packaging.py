"""The probes are found from a wheel, an editable install and a bare checkout alike."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from shared import REPO

import semaudit
from semaudit.report.file import schema

Build = Callable[[str], Path]

# Without the `site` module no .pth file of this environment brings this checkout in.
RUN = """
import site, sys
site.addsitedir({place!r})
sys.path.append({packages!r})
import semaudit
from semaudit.probes import load_probes, probes_dir
print(semaudit.__file__)
print(probes_dir())
print(len(load_probes()))
sys.argv = ["semaudit", "--version"]
import runpy
runpy.run_module("semaudit", run_name="__main__")
"""


def where(place: Path, elsewhere: Path) -> tuple[Path, Path]:
    """Where semaudit and its probes are, with its distribution in ``place``."""
    code = RUN.format(place=str(place), packages=sysconfig.get_paths()["purelib"])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=elsewhere,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    module, probes, count, version = done.stdout.splitlines()
    assert int(count) >= 16
    assert version == f"semaudit {semaudit.__version__}"
    return Path(module).parent, Path(probes)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _built("build_wheel", tmp_path_factory.mktemp("wheel"))


def _built(hook: str, folder: Path) -> Path:
    """Call a hook of the build backend, as pip does without isolation."""
    code = f"from hatchling import build; print(build.{hook}({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder


def test_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    place = unpacked(wheel, tmp_path / "site")
    assert where(place, tmp_path) == (place / "semaudit", place / "semaudit" / "_probes")


def test_from_an_editable_install(tmp_path: Path) -> None:
    place = unpacked(_built("build_editable", tmp_path), tmp_path / "site")
    assert not (place / "semaudit").exists()
    assert where(place, tmp_path) == (REPO / "semaudit", REPO / "probes")


def test_from_a_bare_checkout(tmp_path: Path) -> None:
    assert where(REPO, tmp_path) == (REPO / "semaudit", REPO / "probes")


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        points = file.read(f"semaudit-{semaudit.__version__}.dist-info/entry_points.txt").decode()
    package = {
        path.relative_to(REPO).as_posix()
        for suffix in ("*.py", "*.json", "*.xz", "*.j2", "*.css", "*.js", "py.typed")
        for path in (REPO / "semaudit").rglob(suffix)
    }
    probes = {f"semaudit/_probes/{path.name}" for path in (REPO / "probes").iterdir()}
    assert len(probes) > 8
    assert "semaudit/_probes/calibration.json" in probes
    assert {name for name in names if ".dist-info/" not in name} == package | probes
    assert f"semaudit-{semaudit.__version__}.dist-info/licenses/LICENSE" in names
    assert "semaudit = semaudit.cli:main" in points
    assert "semaudit = semaudit.pytest_plugin" in points


def test_pip_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *flags, "--wheel-dir", str(tmp_path), "."]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip")
    assert done.returncode == 0, done.stderr
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(wheel) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_the_schema_is_shipped(wheel: Path, tmp_path: Path) -> None:
    import json

    place = unpacked(wheel, tmp_path)
    shipped = place / "semaudit" / "report" / "report.schema.json"
    assert json.loads(shipped.read_text(encoding="utf-8")) == schema()
