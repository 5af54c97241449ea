"""Help, version, completeness of the help texts, and what must not be imported for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from shared import REPO, Run, console_script, importing

import semaudit
from semaudit.cli import app


def _leaves(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All commands by the words that call them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_leaves(typer.main.get_command(app)))
HEAVY = ["torch", "timm", "pandas", "numpy", "scipy", "pyarrow", "torchvision"]


def test_the_commands() -> None:
    probes = ("calibrate", "check", "list", "preview", "show")
    expected = [
        "baseline save",
        "baseline show",
        "compare",
        "config",
        "doctor",
        "finetune",
        "fourier",
        "gate",
        "init",
        "inspect",
        "models describe",
    ]
    expected += [*(f"probes {each}" for each in probes), "report", "reproduce"]
    expected += ["scan", "verify"]
    assert sorted(COMMANDS) == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip()
    for parameter in command.params:
        assert (getattr(parameter, "help", None) or "").strip(), f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_every_option_as_it_is_written(name: str, cli: Run) -> None:
    ended = cli(*name.split(), "--help")
    assert (ended.code, ended.stderr) == (0, "")
    for parameter in COMMANDS[name].params:
        assert max(parameter.opts, key=len) in ended.stdout
    assert cli(*name.split(), "-h").stdout == ended.stdout


def test_brackets_are_not_taken_for_markup(cli: Run) -> None:
    assert "flip_rate[noise]<=0.05" in cli("scan", "--help").stdout
    assert "flip_rate[noise]<=0.05" in cli("gate", "--help").stdout
    assert "[tool.semaudit]" in cli("config", "--help").stdout


@pytest.mark.parametrize("name", ["scan", "gate"])
def test_help_names_the_exit_codes(name: str, cli: Run) -> None:
    lines = [line.strip() for line in cli(name, "--help").stdout.splitlines()]
    start = lines.index("Exit codes:")
    assert [line[:2] for line in lines[start + 1 : start + 6]] == ["0 ", "1 ", "2 ", "3 ", "4 "]


def test_the_version(process: Run, cli: Run) -> None:
    assert cli("--version").stdout == f"semaudit {semaudit.__version__}\n"
    as_module = process("--version", program=(sys.executable, "-m", "semaudit"))
    assert (as_module.code, as_module.stdout) == (0, f"semaudit {semaudit.__version__}\n")
    script = process("--version", program=(console_script(),))
    assert script.stdout == as_module.stdout


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "scan --help",
        "gate --help",
        "finetune --help",
        "compare --help",
        "baseline save --help",
        "init --help",
        "doctor --help",
        "reproduce --help",
        "verify --help",
        "probes --help",
        "probes check -h",
        "config",
        "--version",
    ],
)
def test_nothing_heavy_is_imported_to_answer_at_once(words: str, process: Run) -> None:
    ended = importing(process, words.split(), HEAVY)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize(
    "words", ["", "nope", "scan --nope", "scan --num-samples x", "gate", "scan m d extra"]
)
def test_a_wrong_command_line_is_2(words: str, cli: Run) -> None:
    ended = cli(*words.split())
    assert ended.code == 2


def test_a_wrong_option_names_the_nearest(cli: Run) -> None:
    assert "--select" in cli("scan", "--selekt", "quick").stderr


def test_the_readme_is_there() -> None:
    assert (REPO / "README.md").is_file()
