"""YAML is read with the line of every key, and strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from semaudit.errors import UsageError
from semaudit.yamlfile import line_of, load_yaml


def test_yaml_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb:\n  c:\n    - x\n    - y\n", encoding="utf-8")
    data, lines = load_yaml(file)
    assert data == {"a": 1, "b": {"c": ["x", "y"]}}
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 4, ("b", "c", 1): 5}
    assert line_of(lines, ("b", "c", "missing")) == 3
    assert line_of(lines, ("none",)) == 1


def test_an_empty_yaml_file_is_an_empty_mapping(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("# nothing\n", encoding="utf-8")
    assert load_yaml(file) == ({}, {(): 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1\n", r"a\.yaml:2: "),
        (b"\n- 1\n", r"a\.yaml:2: must hold a mapping"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a: \x00\n", r"a\.yaml: "),
        (b"a: 1\n---\nb: 2\n", r"a\.yaml:2: .*another document"),
        (None, "cannot be read: No such file"),
    ],
)
def test_yaml_errors(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_yaml(file)
