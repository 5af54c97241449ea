"""Whether the weights of an ONNX model are there: in the file, or beside it in its own folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.programs.onnx_graphs import require_few_sides
from semaudit.models.programs.outline import LONGEST

EXTERNAL = 1
# Where a tensor's numbers are when they are not kept as raw bytes.
FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def vet_tensor(tensor: Any, path: Path) -> None:
    """Hold a tensor's shape against the bytes that there are for it.

    Raises:
        ModelError: it claims more, or its bytes are not where they may be.
    """
    require_few_sides(tensor.name, tensor.dims, path)
    count = math.prod(tensor.dims)
    who = f"{path}: the tensor {tensor.name[:LONGEST]!r} of shape {tuple(tensor.dims)}"
    if any(side < 0 for side in tensor.dims):
        raise ModelError(f"{who} has a negative side")
    if tensor.data_location == EXTERNAL:
        held = _external_bytes(tensor, path)
    else:
        held = max(len(tensor.raw_data), *(8 * len(getattr(tensor, name)) for name in FIELDS))
    # At least half a byte a number, whatever the type; the checker knows the types.
    if count > 2 * held:
        raise ModelError(f"{who} claims more numbers than the file holds; it is damaged")


def _external_bytes(tensor: Any, path: Path) -> int:
    """The bytes that a tensor may have of a file beside the model, in the model's own folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    who = f"{path}: the weights {tensor.name[:LONGEST]!r} in {location[:LONGEST]!r}"
    parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
    if not location or absolute or ".." in parts:
        raise ModelError(f"{who} lie outside the model's folder, and only there is read")
    folder = path.resolve().parent
    file = folder / location
    try:
        return _bytes_beside(file, folder, entries, who)
    except (OSError, ValueError) as error:  # such as a name that no system takes
        raise ModelError(f"{who} cannot be looked at ({str(error)[:LONGEST]})") from error


def _bytes_beside(file: Path, folder: Path, entries: Mapping[str, str], who: str) -> int:
    if not file.resolve().is_relative_to(folder) or file.is_symlink():
        raise ModelError(f"{who} lie behind a link out of the model's folder; copy the file there")
    if not file.is_file():
        raise ModelError(f"{who} are not there; copy that file next to the model")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError as error:
        raise ModelError(f"{who} lie at a place that is no number") from error
    there = file.stat().st_size - offset
    if offset < 0 or there < 0 or length > there:
        raise ModelError(f"{who} reach over the end of that file; fetch it again")
    return there if length < 0 else length
