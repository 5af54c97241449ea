"""The GitHub Action and the pre-commit hooks, as far as no service is needed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from shared import REPO
from typer.main import get_command

from semaudit.cli import app

ACTION: dict[str, Any] = yaml.safe_load((REPO / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
HOSTILE = "a b\"; touch hacked; $(touch hacked) `touch hacked` '"


def step(name: str) -> dict[str, Any]:
    return next(each for each in STEPS if each["name"] == name)


def run(name: str, folder: Path, program: str = "", **inputs: str) -> tuple[int, list[str]]:
    """Run a step as the runner would; what is called is written down, one word a line."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for tool in ("semaudit", "python"):
        body = f"#!/bin/bash\nprintf '%s\\n' {tool} \"$@\" > called\n{program}\n"
        (tools / tool).write_text(body, encoding="utf-8")
        (tools / tool).chmod(0o755)
    environment = dict.fromkeys(step(name).get("env", {}), "") | inputs
    environment |= {"PATH": f"{tools}:{os.environ['PATH']}", "GITHUB_ACTION_PATH": "/action"}
    environment |= {"GITHUB_OUTPUT": str(folder / "output")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    called = folder / "called"
    return done.returncode, called.read_text().splitlines() if called.exists() else []


def test_every_input_is_explained_and_used_and_never_part_of_a_script() -> None:
    used = {
        name
        for each in STEPS
        for value in {**each.get("env", {}), **each.get("with", {})}.values()
        for name in re.findall(r"inputs\.([\w-]+)", str(value))
    }
    assert used == set(ACTION["inputs"])
    assert all(each["description"] for each in ACTION["inputs"].values())
    assert not any("${{" in each.get("run", "") for each in STEPS)
    assert all(each.get("shell") == "bash" for each in STEPS if "run" in each)


def test_the_inputs_are_the_words_of_a_scan(tmp_path: Path) -> None:
    code, called = run(
        "Scan",
        tmp_path,
        MODEL="model.pt",
        DATA="my photos",
        FAIL_ON="flip_rate<=0.05\naccuracy>=0.7\n",
        BASELINE="base.json",
        ARGS="--select=quick\n--seed\n3",
    )
    assert code == 0
    limits = ["--fail-on=flip_rate<=0.05", "--fail-on=accuracy>=0.7"]
    given = ["semaudit", "scan", "--out", "semaudit-audit", "--data=my photos"]
    more = ["--select=quick", "--seed", "3", "--", "model.pt"]
    assert called == [*given, "--baseline=base.json", *limits, *more]


def test_without_inputs_the_settings_decide(tmp_path: Path) -> None:
    assert run("Scan", tmp_path) == (0, ["semaudit", "scan", "--out", "semaudit-audit"])


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4])
def test_the_step_ends_as_the_scan_does(code: int, tmp_path: Path) -> None:
    assert run("Scan", tmp_path, f"exit {code}")[0] == code
    assert (tmp_path / "output").read_text(encoding="utf-8") == f"exit-code={code}\n"


def test_the_outputs_are_of_steps_that_there_are() -> None:
    ids = {each.get("id") for each in STEPS}
    used = re.findall(r"steps\.(\w+)\.outputs", str(ACTION["outputs"]))
    assert set(used) == ids - {None}
    assert ACTION["outputs"]["audit"]["value"] == step("Keep the audit")["with"]["path"]


@pytest.mark.parametrize("name", ["MODEL", "DATA", "FAIL_ON", "BASELINE", "ARGS"])
def test_inputs_run_nothing(name: str, tmp_path: Path) -> None:
    code, called = run("Scan", tmp_path, **{name: HOSTILE})
    assert code == 0
    assert called[-1].endswith(HOSTILE)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("extras", "code", "last"),
    [
        ("", 0, "/action"),
        ("html", 0, "/action[html]"),
        ("html,onnx", 0, "/action[html,onnx]"),
        ("html] --index-url=x [", 2, ""),
        (HOSTILE, 2, ""),
        ("html\n--index-url=x", 2, ""),
    ],
)
def test_what_is_installed(extras: str, code: int, last: str, tmp_path: Path) -> None:
    ended, called = run("Install semaudit", tmp_path, EXTRAS=extras)
    assert (ended, called[-1] if called else "") == (code, last)


def test_the_readme_gives_the_inputs_and_hooks_that_there_are() -> None:
    text = (REPO / "README.md").read_text(encoding="utf-8")
    job, hooks = (
        yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.S)[-2:]
    )
    (scan,) = (each for each in job["jobs"]["audit"]["steps"] if "semaudit@" in each["uses"])
    assert set(scan["with"]) <= set(ACTION["inputs"])
    known = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [each["id"] for each in hooks["repos"][0]["hooks"]] == [each["id"] for each in known]
    for name in ACTION["inputs"]:
        assert f"`{name}`" in text


def test_the_hooks_call_what_there_is() -> None:
    commands: Any = get_command(app)
    for hook in yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")):
        program, name, *words = shlex.split(hook["entry"])
        known = {o for p in commands.commands[name].params for o in (*p.opts, *p.secondary_opts)}
        assert program == "semaudit"
        assert {word for word in words if word.startswith("--")} <= known
        assert hook["pass_filenames"] is False
        re.compile(hook["files"])
