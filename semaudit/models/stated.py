"""What a source says of its own preprocessing and classes, read from whatever it put beside them.

Metadata comes as text from foreign hands: what cannot be understood is left out, not guessed.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from semaudit.models.preprocessing import CROP_MODES, INTERPOLATIONS

LABEL_KEYS = ("label_names", "class_names", "labels", "classes", "names", "id2label")
# Other programs' names for timm's keys; those of transformers and of Ultralytics are common.
SYNONYMS = {
    "image_mean": "mean",
    "image_std": "std",
    "imgsz": "input_size",
    "img_size": "input_size",
}
LONGEST_LITERAL = 10_000_000  # characters; 21,843 labels take under a million
LARGEST_SIDE = 20_000
LARGEST_WHOLE = 1 << 53
"""What stays whole as a float; Python takes larger ones in text, and fails to write them."""


@dataclass(frozen=True)
class Stated:
    """Preprocessing in timm's keys, and the names of the classes by output, or None."""

    preprocessing: Mapping[str, object]
    labels: tuple[str, ...] | None


def read_stated(metadata: Mapping[str, object], *, channels: int = 3) -> Stated:
    """Find preprocessing and labels in a source's metadata.

    Args:
        metadata: names, or names of files, to values: plain ones, JSON text or Python literals.
            Mappings inside, such as timm's ``pretrained_cfg``, are looked into.
        channels: of an input size that is stated as height and width only.
    """
    flat = _flatten(metadata, 0)
    labels = next((found for key in LABEL_KEYS if (found := _labels(flat.get(key)))), None)
    mean, std = _numbers(flat.get("mean")), _numbers(flat.get("std"))
    stated: dict[str, object] = {}
    if mean and std and all(value > 0 for value in std):
        scale = 255.0 if max(mean) > 1.5 else 1.0  # some state them for values up to 255
        stated["mean"] = tuple(value / scale for value in mean)
        stated["std"] = tuple(value / scale for value in std)
    if size := _size(flat.get("input_size"), channels):
        stated["input_size"] = size
    crop = flat.get("crop_pct")
    if isinstance(crop, (int, float)) and 0 < crop <= 1:
        stated["crop_pct"] = float(crop)
    for key, allowed in (("crop_mode", CROP_MODES), ("interpolation", INTERPOLATIONS)):
        if flat.get(key) in allowed:
            stated[key] = flat[key]
    return Stated(stated, labels)


def _flatten(metadata: Mapping[str, object], depth: int) -> dict[str, object]:
    """Lift what nested mappings hold to the top; the outermost value of a key wins."""
    flat: dict[str, object] = {}
    inner: list[Mapping[str, object]] = []
    for name, value in metadata.items():
        parsed = _parsed(value)
        key = PurePosixPath(str(name)).stem.lower()
        key = SYNONYMS.get(key, key)
        flat.setdefault(key, parsed)
        if isinstance(parsed, Mapping) and key not in LABEL_KEYS and depth < 3:
            inner.append(parsed)
    for mapping in inner:
        flat = {**_flatten(mapping, depth + 1), **flat}
    return flat


def _parsed(value: object) -> object:
    """Read text as JSON, else as a Python literal, else as lines when there are several."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str) or len(value) > LONGEST_LITERAL:
        return value
    text = value.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        pass
    if text[:1] in {"{", "[", "("}:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return text
    return text.splitlines() if "\n" in text else text


def _labels(value: object) -> tuple[str, ...] | None:
    """Names from a list, a mapping of indices to names, or text of names between commas."""
    if isinstance(value, Mapping):
        try:
            by_index = {int(key): name for key, name in value.items()}
        except (TypeError, ValueError, OverflowError):
            return None
        if sorted(by_index) != list(range(len(by_index))):
            return None
        value = [by_index[index] for index in range(len(by_index))]
    if isinstance(value, str) and "," in value:
        value = [word.strip() for word in value.split(",")]
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not all(isinstance(v, str) or (isinstance(v, int) and _is_plain(v)) for v in value):
        return None
    return tuple(map(str, value))


def _is_plain(value: object) -> bool:
    """Whether this is a number of a size that preprocessing has."""
    if isinstance(value, int):
        return abs(value) < LARGEST_WHOLE
    return isinstance(value, float) and math.isfinite(value)


def _numbers(value: object) -> tuple[float, ...] | None:
    if isinstance(value, str):  # "0.485, 0.456, 0.406", with or without brackets
        value = _parsed(f"[{value.strip('[]() ')}]")
    if isinstance(value, (int, float)):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not all(map(_is_plain, value)):
        return None
    return tuple(float(v) for v in value)


def _size(value: object, channels: int) -> tuple[int, int, int] | None:
    sides = _numbers(value)
    if sides is None or any(side != int(side) or not 1 <= side <= LARGEST_SIDE for side in sides):
        return None
    whole = tuple(int(side) for side in sides)
    if len(whole) == 1:
        return (channels, whole[0], whole[0])
    if len(whole) == 2:
        return (channels, whole[0], whole[1])
    return (whole[0], whole[1], whole[2]) if len(whole) == 3 else None
