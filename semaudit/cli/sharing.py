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
        but: names of some that are not. What the command has itself takes the other's place.
    """

    def extend(command: Command) -> Command:
        own = [
            each
            for each in inspect.signature(command, eval_str=True).parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        named = {each.name: each for each in own}
        # An option of the same name stands in its place, where its panel is taken over at all.
        shared = [
            named.get(each.name, each)
            for each in inspect.signature(other, eval_str=True).parameters.values()
            if each.name not in but and _panel(named.get(each.name, each)) in panels
        ]
        rest = [each for each in own[1:] if each not in shared]
        # What typer reads; the model, an argument, comes first.
        signature = inspect.Signature([*own[:1], *shared, *rest])
        command.__signature__ = signature  # type: ignore[attr-defined]
        return command

    return extend


def _panel(parameter: inspect.Parameter) -> str | None:
    """The help panel of an option or argument; "" of what is neither."""
    infos: list[Any] = [
        each for each in get_args(parameter.annotation) if isinstance(each, ParameterInfo)
    ]
    return infos[0].rich_help_panel if infos else ""
