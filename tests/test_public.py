"""The public names: few, sorted, each there; and `import semaudit` is cheap."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import semaudit


def test_the_public_names_are_few_and_sorted() -> None:
    assert len(semaudit.__all__) <= 16
    assert semaudit.__all__ == sorted(set(semaudit.__all__))


@pytest.mark.parametrize("name", semaudit.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(semaudit, name)
    if not name.startswith("__"):
        assert value.__module__.startswith("semaudit.")
        assert (value.__doc__ or "").strip()


def test_all_that_loads_on_first_use_is_public() -> None:
    assert set(semaudit._HOMES) | {"__version__"} == set(semaudit.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        semaudit.nope  # noqa: B018


def test_the_version_is_one_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", semaudit.__version__)


def test_importing_semaudit_imports_no_torch() -> None:
    code = "import semaudit, sys; print({'torch', 'timm', 'numpy'} & sys.modules.keys() or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""
