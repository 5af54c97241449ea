"""The error tree: as its docstring draws it, each class with its exit code."""

from __future__ import annotations

import inspect
import re

import pytest

from semaudit import errors
from semaudit.errors import SemauditError, did_you_mean

CLASSES = {
    name: each
    for name, each in vars(errors).items()
    if inspect.isclass(each) and issubclass(each, SemauditError)
}
DRAWN = {
    name: (len(indent), int(code))
    for indent, name, code in re.findall(
        r"^( *(?:[│├└─ ]+)?)(\w+Error)\s+(\d)", errors.__doc__ or "", re.MULTILINE
    )
}


def test_the_drawing_is_the_tree() -> None:
    assert DRAWN.keys() == CLASSES.keys()
    above: list[str] = []
    for name, (indent, code) in DRAWN.items():
        assert CLASSES[name].exit_code == code
        while above and DRAWN[above[-1]][0] >= indent:
            above.pop()
        assert CLASSES[name].__base__ is (CLASSES[above[-1]] if above else Exception)
        above.append(name)


@pytest.mark.parametrize("name", CLASSES)
def test_no_error_ends_like_a_gate_or_a_success(name: str) -> None:
    assert CLASSES[name].exit_code in {2, 3}
    assert (CLASSES[name].exit_code == 2) == issubclass(CLASSES[name], errors.UsageError)


def test_the_nearest_name() -> None:
    assert did_you_mean("flip_rat", ["shift", "flip_rate"]) == " (did you mean 'flip_rate'?)"
    assert did_you_mean("zzz", ["shift", "flip_rate"]) == ""
    assert did_you_mean("x", iter(())) == ""
