"""A clause of the contract, and how a function that looks becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from semaudit.contract.cases import Function


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Attributes:
        name: the clause, in words.
        remedy: what an author does who breaks it.
        function: what looks.
        basic: whether the later checks mean nothing where this one fails.
    """

    name: str
    remedy: str
    function: Function
    basic: bool = False


def into(checks: list[Check]) -> Callable[..., Callable[[Function], Function]]:
    """Return a decorator that adds a function to a list of checks, under its name in words."""

    def check(remedy: str, *, basic: bool = False) -> Callable[[Function], Function]:
        def add(function: Function) -> Function:
            checks.append(Check(function.__name__.replace("_", " "), remedy, function, basic))
            return function

        return add

    return check
