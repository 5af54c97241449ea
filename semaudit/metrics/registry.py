"""The registry of metrics: what a metric is, and the three decorators that make one.

A metric is one pure function from what was seen to one number an image; NaN says that it does not
apply. To add one, write the function in one of this room's files, or in a plugin, under
`rung_metric`, `path_metric` or `image_metric`; samples, summary, gates and table take it from here.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from semaudit.errors import PluginError
from semaudit.layout import Array
from semaudit.metric import CHANGES, NOISE_FLOOR, SCORE, Bounds, Level, Metric
from semaudit.metrics.authors import Function, Seen, checked, is_ours, origin, same_code
from semaudit.metrics.views import Path, Rung, View

_METRICS: dict[str, Metric] = {}
_RUNG_FUNCTIONS: dict[str, Function[Rung]] = {}
_PATH_FUNCTIONS: dict[str, Function[Path]] = {}
_IMAGE_FUNCTIONS: dict[str, Function[View]] = {}
_TABLES: dict[Level, dict[str, Any]] = {
    "image": _IMAGE_FUNCTIONS,
    "path": _PATH_FUNCTIONS,
    "rung": _RUNG_FUNCTIONS,
}

METRICS = MappingProxyType(_METRICS)
RUNG_FUNCTIONS = MappingProxyType(_RUNG_FUNCTIONS)
PATH_FUNCTIONS = MappingProxyType(_PATH_FUNCTIONS)
IMAGE_FUNCTIONS = MappingProxyType(_IMAGE_FUNCTIONS)

GATEABLE: Mapping[str, Metric] = MappingProxyType(
    ChainMap({SCORE.name: SCORE, NOISE_FLOOR.name: NOISE_FLOOR}, _METRICS)
)
"""All that limits may speak of, by name; what a plugin adds is in it at once."""

_TAKEN = {
    "image": ("image", "label", "clean_class", "correct"),
    "path": ("image", "probe", "family", "onset"),
    "rung": ("image", "probe", "family", "rung", "strength", "clean_class", "class"),
}
"""Columns of the tables that no function of a metric gives."""

_NAME = re.compile(r"[A-Za-z_]\w*")


def declare(
    name: str,
    level: Level,
    bounds: Bounds,
    description: str,
    *,
    column: str = "",
    comparable: bool = True,
    needs_classes: bool = False,
    shown: bool = False,
    needs_gradients: bool = False,
) -> Metric:
    """Register a metric whose numbers come from elsewhere (the onset search, the labels)."""
    if name in GATEABLE or name in CHANGES:
        raise ValueError(f"metric {name!r} is registered twice")
    metric = Metric(
        name,
        column or name,
        level,
        bounds,
        comparable,
        description,
        needs_classes,
        shown,
        needs_gradients,
    )
    _METRICS[name] = metric
    return metric


def rung_metric(
    bounds: Bounds, *, name: str = "", needs_classes: bool = False, needs_gradients: bool = False
) -> Callable[[Function[Rung]], Function[Rung]]:
    """Register a function of one rung, (n,): its column is the function's name."""
    return _registering(
        "rung",
        bounds,
        name,
        needs_classes,
        lambda rung: len(rung.clean.images),
        needs_gradients=needs_gradients,
    )


def path_metric(
    bounds: Bounds, *, name: str = "", needs_classes: bool = False
) -> Callable[[Function[Path]], Function[Path]]:
    """Register a function of one path, (n,)."""
    return _registering("path", bounds, name, needs_classes, lambda path: len(path.shift))


def image_metric(
    bounds: Bounds, *, name: str = "", needs_classes: bool = False
) -> Callable[[Function[View]], Function[View]]:
    """Register a function of the clean view, (n,)."""
    return _registering("image", bounds, name, needs_classes, lambda view: len(view.images))


def of_function(metric: Metric) -> Callable[[Any], Tensor]:
    """Return the function of a metric that has one; it checks what it returns."""
    function: Callable[[Any], Tensor] = _TABLES[metric.level][metric.column]
    return function


def from_module(module: str) -> tuple[str, ...]:
    """Return the names of the metrics whose functions a module, or one inside it, defines."""
    return tuple(
        metric.name
        for metric in _METRICS.values()
        if (function := _TABLES[metric.level].get(metric.column)) is not None
        and f"{function.__module__}.".startswith(f"{module}.")
    )


def refuse_out_of_bounds(level: Level, columns: Mapping[str, Array]) -> None:
    """Refuse what a plugin's metric of some level gave outside its bounds; NaN is fine.

    Raises:
        PluginError: names the metric.
    """
    for metric in _METRICS.values():
        function = _TABLES[metric.level].get(metric.column)
        if metric.level != level or function is None or is_ours(function):
            continue
        (low, high), values = metric.bounds, columns[metric.column]
        # As the statistics refuse it; the samples are float32.
        slack = 1e-6 * (high - low) if np.isfinite(high - low) else 1e-6
        wrong = np.isinf(values) | (values < low - slack) | (values > high + slack)
        if wrong.any():
            raise PluginError(
                f"metric {metric.name!r} ({origin(function)}) gave {values[wrong][0]:g}, outside "
                f"the bounds that it states, [{low:g}, {high:g}]"
            )


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Undo what was registered inside when it raises: no half of a plugin stays behind."""
    tables: list[dict[str, Any]] = [_METRICS, *_TABLES.values()]
    before = [dict(table) for table in tables]
    try:
        yield
    except BaseException:
        for table, content in zip(tables, before, strict=True):
            table.clear()
            table.update(content)
        raise


def _registering(
    level: Level,
    bounds: Bounds,
    name: str,
    needs_classes: bool,
    count: Callable[[Seen], int],
    *,
    needs_gradients: bool = False,
) -> Callable[[Function[Seen]], Function[Seen]]:
    def register(function: Function[Seen]) -> Function[Seen]:
        column = function.__name__
        made = name or column
        known = _TABLES[level].get(column)
        if known is not None and same_code(known, function):  # a plugin that is loaded again
            _METRICS.pop(made, None)
        else:
            _refuse(made, column, level, function)
        low, high = bounds
        if not low < high:
            raise PluginError(f"metric {made!r}: its bounds must rise, not be {bounds}")
        lines = (function.__doc__ or "").strip().splitlines()
        if not lines:
            raise PluginError(
                f"metric {made!r} has no docstring: its first line is what reports say of it"
            )
        declare(
            made,
            level,
            bounds,
            lines[0],
            column=column,
            needs_classes=needs_classes,
            shown=not is_ours(function),
            needs_gradients=needs_gradients,
        )
        _TABLES[level][column] = checked(made, function, count)
        return function

    return register


def _refuse(name: str, column: str, level: Level, function: Callable[..., Tensor]) -> None:
    """Refuse a name or a column that is taken, or that no limit could spell."""
    if not _NAME.fullmatch(name):
        raise PluginError(f"metric {name!r}: a name holds letters, digits and _ only")
    known = [each for each in GATEABLE.values() if each.name == name]
    known += [each for each in _METRICS.values() if (each.level, each.column) == (level, column)]
    if known:
        by = _TABLES[known[0].level].get(known[0].column)
        where = f" by {origin(by)}" if by else ""
        raise PluginError(
            f"metric {name!r} ({origin(function)}) is already registered{where}: give one of them "
            "another name"
        )
    if column in _TAKEN[level]:
        raise PluginError(
            f"metric {name!r} ({origin(function)}): the samples have a column {column!r} already; "
            "give the function another name"
        )
