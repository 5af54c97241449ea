"""The README says what is so: its snippets run, its flags exist, its tables are the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.main import get_command

import semaudit
from semaudit.battery import open_battery
from semaudit.cli import app
from semaudit.metrics import METRICS
from semaudit.plugins import load_plugin
from semaudit.probes import load_probes, select_battery
from semaudit.settings import resolve

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_it_opens_with_the_two_commands() -> None:
    first = re.search(r"^```\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first[1].splitlines()] == [
        "make demo",
        "make test",
    ]


def commands(group: Any) -> Iterator[Any]:
    """All commands, and those of groups within."""
    for command in group.commands.values():
        yield from commands(command) if hasattr(command, "commands") else [command]


def test_every_flag_exists() -> None:
    known = {
        option
        for command in commands(get_command(app))
        for p in command.params
        for option in (*p.opts, *p.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README)) - {
        "--help",
        "--install-completion",
    }
    assert named - known == set()


def test_every_command_is_named() -> None:
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert f"semaudit {name}" in README


def test_every_metric_has_its_formula() -> None:
    table = README.split("## The formulas")[1]
    image_level = {"accuracy", "confidence", "entropy", "logit_norm"}
    for name in set(METRICS) - image_level:
        assert name in table, name


def test_the_yaml_is_a_configuration(tmp_path: Path) -> None:
    (text,) = [each for each in snippets("yaml") if "fail_on" in each]
    path = tmp_path / "semaudit.yaml"
    path.write_text(text, encoding="utf-8")
    settings = resolve(config=path, environment={}).settings
    assert settings.fail_on == ("flip_rate <= 0.05", "accuracy >= 0.7")


def test_the_battery_is_one(tmp_path: Path) -> None:
    (text,) = [each for each in snippets("yaml") if "strong_haze" in each]
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    ladders = {probe.name: probe.ladder for probe in open_battery(path).probes}
    assert ladders["gaussian_noise"] == (0.02, 0.04)
    assert ladders["strong_haze"] == (0.3, 0.6)
    assert not {"patch", "hue"} & set(ladders)


def test_the_python_api_works_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = [each for each in snippets("python") if "audit.summary()" in each]
    images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    scope = {"model": model, "images": images, "labels": torch.tensor([0, 1, 2, 3, 0, 1])}
    exec(text, scope)
    assert isinstance(scope["audit"], semaudit.Audit)


@pytest.mark.parametrize("source", ["README", "examples/fog.py"])
def test_the_plugin_is_a_probe(source: str, tmp_path: Path) -> None:
    if source == "README":
        (text,) = [each for each in snippets("python") if "@perturbation" in each]
    else:
        text = (REPO / source).read_text(encoding="utf-8")
    path = tmp_path / "fog.py"
    path.write_text(text.replace("def fog", f"def fog_{source[0]}"), encoding="utf-8")
    plugin = load_plugin(path)
    assert plugin.perturbations == (f"fog_{source[0]}",)
    (probe,) = select_battery(load_probes(), plugin.perturbations, ["identity"])
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    draw = semaudit.Draw.of(0, probe.name, ["a", "b"])
    perturbed = semaudit.perturbations.get(probe.perturbation)(images, 0.2, draw)
    torch.testing.assert_close(perturbed, images + 0.2 * (1 - images))


def test_the_tags_are_as_the_table_says() -> None:
    shipped = [probe for probe in load_probes() if not probe.name.startswith("fog")]
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+)(?: films| in (\d+) families)[^|]*\| (\d*) ?\|", README, re.M
    )
    assert [tag for tag, *_ in rows] == ["quick", "standard", "full", "sequence"]
    for tag, probes, families, rungs in rows:
        battery = [p for p in select_battery(shipped, [tag]) if p.family != "identity"]
        assert len(battery) == int(probes), tag
        assert len({probe.family for probe in battery}) == int(families or 1), tag
        if rungs:
            assert {len(probe.ladder) for probe in battery} == {int(rungs)}, tag


def test_the_live_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(REPO / "examples" / "live_model.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "continuity score" in done.stdout
    assert "pass: accuracy>=0.8" in done.stdout
