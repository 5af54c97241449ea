"""Where settings come from beside the command line: a file, and the environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError
from semaudit.yamlfile import line_of, load_yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT = "SEMAUDIT_"
YAML_FILE, TOML_FILE = "semaudit.yaml", "pyproject.toml"

Sourced = tuple[dict[str, Any], dict[str, str]]
"""Settings, and the place of each, by name."""


def config_file(config: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read: the one that is named, or else the first that is there.

    Raises:
        UsageError: the one that is named is not there.
    """
    named = config or (
        Path(environment[f"{ENVIRONMENT}CONFIG"]) if f"{ENVIRONMENT}CONFIG" in environment else None
    )
    if named is not None:
        if not named.is_file():
            raise UsageError(f"--config {named}: no such file")
        return named
    return next((p for p in (folder / YAML_FILE, folder / TOML_FILE) if p.is_file()), None)


def from_file(path: Path | None) -> Sourced:
    """What a YAML or TOML file sets.

    Raises:
        UsageError: it cannot be read.
    """
    if path is None:
        return {}, {}
    if path.suffix == ".toml":
        return _from_toml(path)
    data, lines = load_yaml(path)
    values = {_field(key): value for key, value in data.items()}
    return values, {_field(key): f"{path}:{line_of(lines, (key,))}" for key in data}


def _from_toml(path: Path) -> Sourced:
    try:
        text = path.read_text(encoding="utf-8")
        table: Any = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    for key in ("tool", "semaudit"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {key!r} must be a table, as [tool.semaudit]")
    lines = text.splitlines()
    origins = {_field(key): f"{path}:{_toml_line(lines, key)}" for key in table}
    return {_field(key): value for key, value in table.items()}, origins


def _toml_line(lines: Sequence[str], key: str) -> int:
    """The line, from 1, of a key of [tool.semaudit]; tomllib does not tell."""
    header = re.compile(r"\s*\[\s*tool\s*\.\s*semaudit\s*\]")
    start = next((n for n, line in enumerate(lines) if header.match(line)), 0)
    given = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    return next((n for n in range(start, len(lines)) if given.match(lines[n])), start) + 1


def _field(key: object) -> str:
    return str(key).replace("-", "_")


def from_environment(environment: Mapping[str, str]) -> Sourced:
    """What variables set."""
    names = [n for n in environment if n.startswith(ENVIRONMENT) and n != f"{ENVIRONMENT}CONFIG"]
    fields = {name.removeprefix(ENVIRONMENT).lower(): name for name in names}
    return (
        {field: environment[name] for field, name in fields.items()},
        {field: f"environment {name}" for field, name in fields.items()},
    )
