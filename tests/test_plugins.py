"""Plugins load by file or by entry point, and a broken one is always an error."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from known_models import ON_CPU, Linear, pictures
from shared import REPO, Run

import semaudit
from semaudit.errors import PluginError
from semaudit.metrics import GATEABLE, METRICS, RUNG_FUNCTIONS
from semaudit.metrics import registry as metric_registry
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


METRIC = '''\
from semaudit.metrics import image_metric, path_metric, rung_metric


@rung_metric(bounds=(0, 1))
def largest_change(rung):
    """Largest change of the probability of a class."""
    before, after = rung.clean.log_probabilities, rung.current.log_probabilities
    return (after.exp() - before.exp()).abs().amax(1)


@path_metric(bounds=(0, 1), name="wander")
def total_way(path):
    """Whole way of the output, over the number of steps."""
    return path.distance.mean(1)


@image_metric(bounds=(0, 1))
def brightest(view):
    """Brightest value of the picture."""
    return view.images.flatten(1).amax(1)
'''


class _RolledBackError(Exception):
    pass


@pytest.fixture(autouse=True)
def _own_registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    try:
        with metric_registry.all_or_nothing():
            yield
            raise _RolledBackError
    except _RolledBackError:
        pass


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
    assert (plugin.metrics, plugin.distribution, plugin.version) == ((), None, None)
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
        ("x = 1\n", "registers no perturbation and no metric"),
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


# Installed packages.


def install(folder: Path, package: str, text: str, module: str = "") -> None:
    """Lay a package with an entry point out as an installer would."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(
        "from . import inner\n" if module else text, encoding="utf-8"
    )
    if module:
        (folder / package / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{package}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[semaudit.plugins]\nweather = {package}\n")


@pytest.mark.parametrize("module", ["", "inner"])
def test_installed_plugins_load(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"semaudit_test_weather_{module}"
    install(tmp_path, package, FOG + METRIC, module)
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        (plugin,) = load_entry_points()
        assert plugin.perturbations == ("fog",)
        assert plugin.metrics == ("largest_change", "wander", "brightest")
        assert plugin.path == tmp_path / package / "__init__.py"
        assert (plugin.distribution, plugin.version) == (package, "1.5")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken", "raise OSError('no weather today')\n", "OSError: no weather today .*broken"),
        ("idle", "x = 1\n", "registers no perturbation and no metric"),
        ("clash", FOG.replace("fog", "hue"), "'hue' .* already registered by .*photometric.py"),
        ("needy", "import no_such_module\n", "ModuleNotFoundError: .*no_such_module"),
    ],
)
def test_a_broken_installed_plugin_is_named_with_the_way_out(
    name: str, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"semaudit_test_{name}"
    install(tmp_path, package, text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as caught:
        load_entry_points()
    first, last = str(caught.value).splitlines()
    assert first.startswith(f"plugin 'weather' ({package}, from the package {package}): ")
    assert pytest.raises(PluginError, match=message).matches(caught.value)
    assert last == (
        f"mend the package {package}, or uninstall it: installed plugins are always loaded"
    )


PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "semaudit-test-fog"
version = "2.3"

[project.entry-points."semaudit.plugins"]
weather = "semaudit_test_fog"
"""


@pytest.mark.slow
def test_a_package_that_pip_installed(process: Run, tiny: tuple[str, ...], tmp_path: Path) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    (project / "semaudit_test_fog").mkdir(parents=True)
    (project / "semaudit_test_fog" / "__init__.py").write_text(FOG + METRIC, encoding="utf-8")
    (project / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    flags = ("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    command = [sys.executable, "-m", "pip", *flags, "--target", str(site), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip")
    assert done.returncode == 0, done.stderr
    paths = f"{site}:{REPO}"
    ended = process(*tiny, "--select", "fog", "--out", "audit", PYTHONPATH=paths)
    assert (ended.code, ended.stderr) == (0, "")
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text(encoding="utf-8"))
    assert [probe["name"] for probe in manifest["battery"]] == ["identity", "brightness", "fog"]
    (plugin,) = manifest["plugins"]
    assert (plugin["distribution"], plugin["version"]) == ("semaudit-test-fog", "2.3")
    assert (plugin["perturbations"], plugin["metrics"]) == (
        *(["fog"], ["largest_change", "wander", "brightest"]),
    )
    (site / "semaudit_test_fog" / "__init__.py").write_text("1 / 0\n", encoding="utf-8")
    ended = process(*tiny, "--out", "other", PYTHONPATH=paths)
    assert (ended.code, ended.stdout) == (2, "")
    assert "from the package semaudit-test-fog): ZeroDivisionError" in ended.stderr
    assert "uninstall it" in ended.stderr


# Metrics.


def scan(*plugins: Path, **settings: Any) -> semaudit.Audit:
    size = (3, 8, 8)
    labels = torch.arange(8) % 4
    return semaudit.scan(
        Linear(size, 4, seed=1),
        (pictures(8, size, 2), labels),
        select=["brightness", "gaussian_noise"],
        plugin=[str(plugin) for plugin in plugins],
        input_size=size,
        **ON_CPU,
        **settings,
    )


@pytest.fixture
def metric(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(METRIC, encoding="utf-8")
    return file


def test_a_metric_is_all_that_a_plugin_must_hold(metric: Path) -> None:
    for _ in range(2):  # loading it again is harmless
        plugin = load_plugin(metric)
        assert plugin.perturbations == ()
        assert plugin.metrics == ("largest_change", "wander", "brightest")
    assert "largest_change" in RUNG_FUNCTIONS
    assert GATEABLE["wander"] is METRICS["wander"]
    assert METRICS["wander"].column == "total_way"
    assert METRICS["brightest"].description == "Brightest value of the picture."


def test_a_metric_is_in_samples_summary_gates_and_tables(
    metric: Path, tmp_path: Path, cli: Run
) -> None:
    limits = ["largest_change[brightness@1] <= 0.9", "wander.p95 <= 0.99", "brightest >= 0.001"]
    audit = scan(metric, fail_on=limits, out=tmp_path / "audit")
    assert [(each.value or 0) > 0 for each in audit.verdicts] == [True] * 3

    rungs, paths, images = audit.samples(), audit.paths(), audit.images()
    assert rungs["largest_change"].between(0, 1).all()
    assert rungs["largest_change"].gt(0).any()
    assert paths["total_way"].gt(0).any()
    assert images["brightest"].between(0, 1).all()

    summary: pd.DataFrame = audit.summary().set_index(["metric", "statistic", "scope", "name"])
    counted = rungs[rungs["family"] != "identity"]
    means = counted.groupby("probe")["largest_change"].mean()
    for probe in ("brightness", "gaussian_noise"):
        found = summary.loc[("largest_change", "mean", "probe", probe)]
        assert found["value"] == pytest.approx(means[probe], rel=1e-5)
        assert found["low"] < found["value"] < found["high"]
    assert ("wander", "p95", "all", "all") in summary.index
    assert summary.loc[("brightest", "mean", "all", "all")]["value"] == pytest.approx(
        images["brightest"].mean(), rel=1e-5
    )

    markdown = (tmp_path / "audit" / "report.md").read_text(encoding="utf-8")
    assert "| jump | turn | largest\\_change | wander |" in markdown
    assert "- brightest: " in markdown
    # Judged again without the plugin: the report tells what the metric is.
    for name in ("largest_change", "wander", "brightest"):
        del metric_registry._METRICS[name]
    ended = cli("gate", str(tmp_path / "audit"), "--fail-on", "wander <= 0.99")
    assert (ended.code, ended.stderr) == (0, "")


def test_a_manifest_names_the_metrics_of_a_plugin(metric: Path) -> None:
    (plugin,) = scan(metric).manifest["plugins"]
    assert plugin["metrics"] == ("largest_change", "wander", "brightest")
    assert plugin["sha256"] == hashlib.sha256(METRIC.encode()).hexdigest()


def test_a_limit_on_a_metric_that_no_plugin_brings_is_refused(metric: Path) -> None:
    with pytest.raises(semaudit.SemauditError, match="unknown metric 'wander'"):
        scan(fail_on=["wander <= 0.5"])


BAD_METRIC = """\
import torch
from semaudit.metrics import Rung, image_metric, path_metric, rung_metric

@{decorator}
def {name}(seen):
    \"\"\"What this bad metric says of itself.\"\"\"
    return {value}
"""
RUNG = "rung_metric(bounds=(0, 1))"


@pytest.mark.parametrize(
    ("decorator", "value", "message"),
    [
        (RUNG, "seen.no_such_thing", r"failed: AttributeError: .*no_such_thing"),
        (RUNG, "1 / 0", "failed: ZeroDivisionError"),
        (RUNG, "seen.current.logits", r"torch.float64 of shape \(8, 4\); .* \(8,\)"),
        (RUNG, "seen.current.logits[:5, 0]", r"of shape \(5,\)"),
        (RUNG, "seen.current.logits.sum()", r"of shape \(\)"),
        (RUNG, "0.5", "returned float, not a tensor"),
        (RUNG, "seen.current.logits[:, 0] + 1j", "complex"),
        (RUNG, "torch.full((8,), 1.5)", r"gave 1.5, outside the bounds .*\[0, 1\]"),
        (RUNG, "-seen.difference.abs().amax(1)", "outside the bounds"),
        ("rung_metric(bounds=(0, float('inf')))", "torch.full((8,), torch.inf)", "gave inf"),
        ("path_metric(bounds=(0, 1))", "seen.distance", r"of shape \(8, 1\)"),
        ("path_metric(bounds=(0, 1))", "seen.distance.sum(1) + 2", "outside the bounds"),
        ("image_metric(bounds=(0, 1))", "seen.images", r"of shape \(8, 3, 8, 8\)"),
        ("image_metric(bounds=(0, 1))", "seen.images.sum((1, 2, 3))", "outside the bounds"),
    ],
)
def test_a_metric_that_misbehaves_stops_the_scan_and_is_named(
    decorator: str, value: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(BAD_METRIC.format(decorator=decorator, name="bad", value=value))
    with pytest.raises(PluginError, match=rf"metric 'bad' \(.*bad\.py:4\) .*{message}"):
        scan(file)


def test_a_metric_that_does_not_apply_anywhere_has_no_estimate(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    nothing = "seen.clean.not_applicable"
    file.write_text(BAD_METRIC.format(decorator=RUNG, name="nothing", value=nothing))
    audit = scan(file)
    assert audit.samples()["nothing"].isna().all()
    assert "nothing" not in set(audit.summary()["metric"])


@pytest.mark.parametrize(
    ("decorator", "name", "message"),
    [
        (RUNG, "shift", r"'shift' .*bad.py:4\) is already registered by .*outputs.py:"),
        (RUNG, "flip", r"'flip' .*already registered by .*outputs.py"),
        (RUNG, "flip_rate", "'flip_rate' .*already registered by .*outputs.py"),
        ("path_metric(bounds=(0, 1))", "shift", "'shift' .*already registered by .*outputs.py"),
        ("path_metric(bounds=(0, 1))", "onset", "'onset' .*already registered"),
        (RUNG, "score", "'score' .*already registered"),
        (RUNG, "noise_floor", "'noise_floor' .*already registered"),
        (RUNG, "strength", "'strength' .*have a column 'strength' already"),
        ("image_metric(bounds=(0, 1))", "label", "have a column 'label' already"),
        ("rung_metric(bounds=(0, 1), name='a b')", "mine", "'a b': a name holds letters"),
        ("rung_metric(bounds=(1, 1))", "mine", r"'mine': its bounds must rise, not be \(1, 1\)"),
        ("rung_metric(bounds=(0, float('nan')))", "mine", "its bounds must rise"),
    ],
)
def test_a_metric_that_cannot_be_registered_leaves_nothing_behind(
    decorator: str, name: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.py"
    good = BAD_METRIC.format(decorator=RUNG, name="good", value="seen.clean.not_applicable")
    file.write_text(good + BAD_METRIC.format(decorator=decorator, name=name, value="1"))
    message = message.replace("bad.py:4", r"bad.py:\d+")
    before = dict(GATEABLE)
    with pytest.raises(PluginError, match=rf"bad\.py: PluginError: metric .*{message}"):
        load_plugin(file)
    assert dict(GATEABLE) == before
    assert "good" not in RUNG_FUNCTIONS


def test_a_metric_says_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    text = BAD_METRIC.format(decorator=RUNG, name="mute", value="1")
    file.write_text("\n".join(line for line in text.splitlines() if "bad metric" not in line))
    with pytest.raises(PluginError, match="'mute' has no docstring: its first line is what"):
        load_plugin(file)


def test_another_plugins_metric_is_not_replaced(metric: Path, tmp_path: Path) -> None:
    load_plugin(metric)
    other = tmp_path / "other.py"
    other.write_text(METRIC, encoding="utf-8")
    with pytest.raises(PluginError, match=r"'largest_change' .*already registered by .*mine\.py"):
        load_plugin(other)
