"""Tensors from a safetensors file, mapped into memory and not read until they are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from semaudit.errors import ModelError

MAX_HEADER = 16 << 20
"""Bytes of the header: 100,000 tensors. Parsing one takes several times its size."""


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Map the tensors of a safetensors file, in their order in the file, and its metadata.

    Raises:
        ModelError: the header lies or is too large, or the file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise _damaged(path, f"its header claims {length:,} bytes of the file's {size:,}")
    if length > MAX_HEADER:
        raise _damaged(path, f"its header of {length:,} bytes is larger than any model's")
    try:
        with safe_open(path, framework="pt") as file:
            # Before 0.5 safetensors knew no order but the alphabet's.
            names = getattr(file, "offset_keys", file.keys)()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except Exception as error:  # of safetensors, of torch for a type it lacks, or of the system
        raise _damaged(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    kind = "" if isinstance(error, SafetensorError) else f"{type(error).__name__}: "
    return kind + str(error)[:200]


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} is no safetensors file, or is damaged or cut short: {reason}. Fetch it again"
    )
