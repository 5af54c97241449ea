"""The functions behind metrics, which anybody may have written: whose, from where, and checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import TypeVar

from torch import Tensor

from semaudit.errors import PluginError, SemauditError, out_of_memory
from semaudit.metrics.views import Path, Rung, View

Seen = TypeVar("Seen", View, Rung, Path)
Function = Callable[[Seen], Tensor]


def checked(name: str, function: Function[Seen], count: Callable[[Seen], int]) -> Function[Seen]:
    """The function, whose failures name the metric."""

    @wraps(function)
    def measured(seen: Seen) -> Tensor:
        who = f"metric {name!r} ({origin(function)})"
        try:
            values: object = function(seen)
        except SemauditError:
            raise
        except Exception as error:  # an author's code may raise anything
            if out_of_memory(error):
                raise
            raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error
        if not isinstance(values, Tensor):
            raise PluginError(f"{who} returned {type(values).__name__}, not a tensor")
        if values.shape != (count(seen),) or values.is_complex():
            raise PluginError(
                f"{who} returned {values.dtype} of shape {tuple(values.shape)}; it must be one "
                f"number a picture, ({count(seen)},)"
            )
        return values

    return measured


def is_ours(function: Callable[..., Tensor]) -> bool:
    """Whether semaudit ships it."""
    return function.__module__.startswith("semaudit.")


def same_code(known: Callable[..., Tensor], other: Callable[..., Tensor]) -> bool:
    """Whether both come from the same text, as when a plugin file is loaded a second time."""
    first = getattr(known, "__wrapped__", known)
    if not (isinstance(first, FunctionType) and isinstance(other, FunctionType)):
        return first is other
    one, two = first.__code__, other.__code__
    return one.co_filename == two.co_filename and one == two


def origin(function: Callable[..., Tensor]) -> str:
    """Where it is written: file and line."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
