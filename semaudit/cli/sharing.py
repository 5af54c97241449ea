"""Options that one command takes over from another, so that they are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, get_args

from typer.models import ParameterInfo

Command = Callable[..., None]


def takes_over(
    other: Command, *, panels: Collection[str | None], but: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give the decorated command the options of another, in its ``**kwargs``.

    Args:
        other: whose options.
        panels: the help panels of those that are meant; None for those in no panel.
        but: names of some that are not.
    """

    def extend(command: Command) -> Command:
        own = [
            each
            for each in inspect.signature(command, eval_str=True).parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        names = {*but, *(each.name for each in own)}
        shared = [
            each
            for each in inspect.signature(other, eval_str=True).parameters.values()
            if each.name not in names and _panel(each) in panels
        ]
        # What typer reads; the model, an argument, comes first.
        signature = inspect.Signature([*own[:1], *shared, *own[1:]])
        command.__signature__ = signature  # type: ignore[attr-defined]
        return command

    return extend


def _panel(parameter: inspect.Parameter) -> str | None:
    """The help panel of an option or argument; "" of what is neither."""
    infos: list[Any] = [
        each for each in get_args(parameter.annotation) if isinstance(each, ParameterInfo)
    ]
    return infos[0].rich_help_panel if infos else ""
