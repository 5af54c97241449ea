"""Plugins load by file or by entry point, and a broken one is always an error."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from semaudit.errors import PluginError
from semaudit.perturbations import Draw, get, registered, registry
from semaudit.plugins import load_entry_points, load_plugin
from semaudit.probes import load_probes, select_battery

FOG = '''\
import torch

from semaudit.perturbations import perturbation


@perturbation(family="weather", ladder=(0.05, 0.1, 0.2))
def fog(images, strength, draw):
    """Blend toward white by `strength`."""
    return images.lerp(torch.ones_like(images), strength)
'''


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))


@pytest.fixture
def fog(tmp_path: Path) -> Path:
    file = tmp_path / "fog.py"
    file.write_text(FOG, encoding="utf-8")
    return file


def test_the_fog_of_the_readme(fog: Path) -> None:
    plugin = load_plugin(fog)
    assert plugin.path == fog
    assert plugin.perturbations == ("fog",)
    assert plugin.sha256 == hashlib.sha256(fog.read_bytes()).hexdigest()
    _, probe = select_battery(load_probes(), ["fog"])
    assert probe.claim == "Blend toward white by `strength`."
    assert "def fog" in probe.source_text
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    draw = Draw.of(0, probe.name, ["a", "b"])
    expected = images + (1 - images) * 0.2
    torch.testing.assert_close(get("fog")(images, 0.2, draw), expected)
    torch.testing.assert_close(get("fog")(images, torch.tensor([0.2, 0.2]), draw), expected)


def test_loading_a_file_twice_is_harmless(fog: Path) -> None:
    assert load_plugin(fog) == load_plugin(fog)


def test_the_same_name_from_another_file_is_refused(fog: Path, tmp_path: Path) -> None:
    load_plugin(fog)
    other = tmp_path / "other.py"
    other.write_text(FOG, encoding="utf-8")
    with pytest.raises(PluginError, match=r"other\.py: PluginError: .*already registered by .*fog"):
        load_plugin(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import torch\nx = missing\n", r"NameError: .*'missing'.*broken\.py:2\)"),
        ("x = 1\ndef (:\n", r"SyntaxError: .*broken\.py:2\)"),
        ("\n\nimport no_such_module_at_all\n", r"ModuleNotFoundError: .*broken\.py:3\)"),
        ("import sys\nsys.exit(0)\n", r"SystemExit: 0 .*broken\.py:2\)"),
        ("x = 1\n", "registers no perturbation"),
        (FOG.replace("0.05, 0.1", "0.1, 0.05"), r"must rise strictly .*broken\.py:[67]\)"),
        (FOG + "\nraise RuntimeError('late')\n", r"RuntimeError: late .*broken\.py:11\)"),
    ],
)
def test_a_broken_plugin_says_where(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text, encoding="utf-8")
    before = dict(registered())
    with pytest.raises(PluginError, match=message):
        load_plugin(file)
    assert registered() == before


def test_a_plugin_must_be_a_python_file(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no such file"):
        load_plugin(tmp_path / "none.py")
    (tmp_path / "fog.txt").write_text(FOG, encoding="utf-8")
    with pytest.raises(PluginError, match=r"must be a Python file"):
        load_plugin(tmp_path / "fog.txt")


def install(folder: Path, package: str, text: str) -> None:
    """Lay a package with an entry point out as an installer would."""
    (folder / f"{package}.py").write_text(text, encoding="utf-8")
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[semaudit.plugins]\nweather = {package}\n")


def test_installed_plugins_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "semaudit_test_weather", FOG)
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        (plugin,) = load_entry_points()
        assert plugin.perturbations == ("fog",)
        assert plugin.path == tmp_path / "semaudit_test_weather.py"


def test_a_broken_installed_plugin_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "semaudit_test_broken", "raise OSError('no weather today')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        PluginError, match=r"'weather' .*package semaudit_test_broken.*OSError: no weather today"
    ):
        load_entry_points()


def test_an_idle_installed_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "semaudit_test_idle", "x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"'weather' .*registers no perturbation"):
        load_entry_points()
