"""The registry of metrics: what a metric is, and the two decorators that make one.

A metric is one pure function from what was seen to one number an image. To add one, write the
function in one of this room's files; samples, summary, gates and table take it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from torch import Tensor

from semaudit.metric import Bounds, Level, Metric
from semaudit.metrics.views import Path, Rung, View

_METRICS: dict[str, Metric] = {}
_RUNG_FUNCTIONS: dict[str, Callable[[Rung], Tensor]] = {}
_PATH_FUNCTIONS: dict[str, Callable[[Path], Tensor]] = {}
_IMAGE_FUNCTIONS: dict[str, Callable[[View], Tensor]] = {}

METRICS = MappingProxyType(_METRICS)
RUNG_FUNCTIONS = MappingProxyType(_RUNG_FUNCTIONS)
PATH_FUNCTIONS = MappingProxyType(_PATH_FUNCTIONS)
IMAGE_FUNCTIONS = MappingProxyType(_IMAGE_FUNCTIONS)


def declare(
    name: str,
    level: Level,
    bounds: Bounds,
    description: str,
    *,
    column: str = "",
    comparable: bool = True,
    needs_classes: bool = False,
) -> Metric:
    """Register a metric whose numbers come from elsewhere (the onset search, the labels)."""
    if name in _METRICS:
        raise ValueError(f"metric {name!r} is registered twice")
    metric = Metric(name, column or name, level, bounds, comparable, description, needs_classes)
    _METRICS[name] = metric
    return metric


def _first_line(function: Callable[..., Tensor]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def rung_metric(
    bounds: Bounds, *, name: str = "", needs_classes: bool = False
) -> Callable[[Callable[[Rung], Tensor]], Callable[[Rung], Tensor]]:
    """Register a function of one rung, (n,): its column is the function's name."""

    def register(function: Callable[[Rung], Tensor]) -> Callable[[Rung], Tensor]:
        column = function.__name__
        declare(
            name or column,
            "rung",
            bounds,
            _first_line(function),
            column=column,
            needs_classes=needs_classes,
        )
        _RUNG_FUNCTIONS[column] = function
        return function

    return register


def path_metric(bounds: Bounds) -> Callable[[Callable[[Path], Tensor]], Callable[[Path], Tensor]]:
    """Register a function of one path, (n,)."""

    def register(function: Callable[[Path], Tensor]) -> Callable[[Path], Tensor]:
        declare(function.__name__, "path", bounds, _first_line(function))
        _PATH_FUNCTIONS[function.__name__] = function
        return function

    return register


def image_metric(
    bounds: Bounds, *, needs_classes: bool = False
) -> Callable[[Callable[[View], Tensor]], Callable[[View], Tensor]]:
    """Register a function of the clean view, (n,)."""

    def register(function: Callable[[View], Tensor]) -> Callable[[View], Tensor]:
        description = _first_line(function)
        declare(function.__name__, "image", bounds, description, needs_classes=needs_classes)
        _IMAGE_FUNCTIONS[function.__name__] = function
        return function

    return register
