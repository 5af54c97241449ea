"""Types of settings that a flag, a variable or a file may spell in several ways."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field


def split(value: object) -> object:
    """One string is a list with commas between."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _keywords(value: object) -> object:
    """key=value pairs as timm reads them: a Python literal, else a string."""
    if isinstance(value, Mapping):
        return dict(value)
    pairs = split(value)
    if not isinstance(pairs, (list, tuple)):
        return value
    broken = [pair for pair in pairs if "=" not in str(pair)]
    if broken:
        raise ValueError(f"{broken[0]!r} is not key=value")
    return {key: _literal(text) for key, _, text in (str(pair).partition("=") for pair in pairs)}


def _colour(value: object) -> object:
    """A colour as Pillow reads them: a name, #808080, rgb(128, 128, 128)."""
    if not isinstance(value, str):
        return value
    from PIL import ImageColor  # not at the top: `semaudit --help` has no use for it

    return ImageColor.getrgb(value)[:3]


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


Format = Literal["table", "json", "markdown", "github", "junit", "sarif", "html", "csv"]
"""The renderings, by name; `semaudit.report.renderings` says what they are."""
Strings = Annotated[tuple[str, ...], BeforeValidator(split)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(split)]
Keywords = Annotated[dict[str, Any], BeforeValidator(_keywords)]
Level = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[int, Field(ge=1)]
Few = Annotated[int, Field(ge=0, le=100)]
Colour = Annotated[tuple[Level, Level, Level], BeforeValidator(_colour)]
Size = Annotated[tuple[Positive, Positive, Positive], BeforeValidator(split)]
Share = Annotated[float, Field(ge=0, le=1)]
