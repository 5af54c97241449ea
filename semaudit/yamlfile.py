"""YAML files read strictly, with the line of every key kept for the error messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from semaudit.errors import UsageError

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it; () is the whole file."""


def load_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Read a file that holds one mapping; return it with the line, from 1, of each key path.

    An empty file is an empty mapping. A key given twice, an alias, a tag that would run code and a
    mistake in the YAML itself are UsageErrors that name the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return {}, {(): 1}
        if not isinstance(root, yaml.MappingNode):
            raise UsageError(f"{path}:{_line(root)}: must hold a mapping of keys to values")
        lines = dict(_walk(root, (), path, set()))
        return yaml.safe_load(text), lines
    except yaml.MarkedYAMLError as error:
        where = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        raise UsageError(f"{where}: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from error


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of a key path, or of the nearest thing around it that the file holds."""
    known = next(path[:end] for end in range(len(path), -1, -1) if path[:end] in lines)
    return lines[known]


def _walk(
    node: yaml.Node, path: KeyPath, file: Path, seen: set[int]
) -> Iterator[tuple[KeyPath, int]]:
    """Yield each key path below `node` with its line, refusing what a reader would miss."""
    if id(node) in seen:
        raise UsageError(f"{file}:{_line(node)}: anchors and aliases are not supported")
    seen.add(id(node))
    if not path:
        yield path, _line(node)
    if isinstance(node, yaml.MappingNode):
        here: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in here:
                raise UsageError(f"{file}:{_line(key)}: key {name!r} is given twice")
            here.add(name)
            yield (*path, name), _line(key)
            yield from _walk(value, (*path, name), file, seen)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield (*path, position), _line(value)
            yield from _walk(value, (*path, position), file, seen)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
