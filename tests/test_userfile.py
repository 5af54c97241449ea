from __future__ import annotations

import sys
from pathlib import Path

import pytest

from semaudit.userfile import import_file, module_name


def written(folder: Path, code: str, name: str = "own.py") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(code)
    return folder / name


def imported(path: Path) -> object:
    return import_file(module_name("test", path), path)


def test_files_of_one_name_do_not_shadow_each_other(tmp_path):
    first = imported(written(tmp_path / "a", "number = 1"))
    second = imported(written(tmp_path / "b", "number = 2"))
    assert (first.number, second.number) == (1, 2)
    assert first.__name__ != second.__name__
    assert sys.modules[first.__name__] is first


def test_no_bytecode_stays_and_the_setting_returns(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = written(tmp_path / "a", "import sys\nseen = sys.dont_write_bytecode")
    assert imported(path).seen is True
    assert sys.dont_write_bytecode is False
    assert [each.name for each in path.parent.iterdir()] == ["own.py"]


def test_a_module_that_fails_is_forgotten(tmp_path):
    path = written(tmp_path / "a", "raise SystemExit(3)")
    name = module_name("test", path)
    with pytest.raises(SystemExit):
        import_file(name, path)
    assert name not in sys.modules


def test_a_module_that_takes_itself_out_and_fails_shows_its_own_error(tmp_path):
    code = "import sys\nsys.modules.pop(__name__)\nraise ValueError('own')"
    with pytest.raises(ValueError, match="own"):
        imported(written(tmp_path / "a", code))


def test_a_file_that_is_no_python_is_an_error(tmp_path):
    with pytest.raises(ImportError, match="no loader for"):
        imported(written(tmp_path / "a", "number = 1", "own.txt"))
