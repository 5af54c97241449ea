"""Plain copies of foreign values, bounded in size: what a file states is read from a copy."""

from __future__ import annotations

import json
from argparse import Namespace

import torch
from torch import Tensor

from semaudit.models.files.wrappers import entries

LONGEST = 200
"""Characters of text that is no JSON: a name, a tag, a label or a shown value."""
LONGEST_TEXT = 1 << 20
"""Characters of JSON."""
MOST_NODES = 400_000
DEEPEST = 4


class Plain:
    """Copies foreign values into plain ones, up to a bounded number of them."""

    def __init__(self) -> None:
        self._left = MOST_NODES

    def copy(self, value: object, depth: int = 0) -> object:
        """Return a plain copy of a value; None stands for what cannot be copied."""
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            return None
        if isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            return value if abs(value) < 1 << 53 else None
        if isinstance(value, str):
            return _parsed(value) if len(value) <= LONGEST_TEXT else None
        if isinstance(value, Namespace):
            value = value.__dict__
        if isinstance(value, Tensor):
            bare = Tensor.detach(value)  # of attributes that would stand in for its methods
            usable = bare.layout is torch.strided and bare.device.type == "cpu"
            small = usable and bare.numel() <= 16 and not bare.is_quantized
            return bare.flatten().tolist() if small and not bare.is_complex() else None
        if isinstance(value, (list, tuple)):
            return [self.copy(item, depth + 1) for item in value[: self._left]]
        items = entries(value)
        if items is None:
            return None
        named = ((key, item) for key, item in items.items() if isinstance(key, (str, int)))
        copied = {str(key): self.copy(item, depth + 1) for key, item in named if self._left > 0}
        return {key: item for key, item in copied.items() if item is not None}


def _parsed(text: str) -> object:
    """Read text that is a JSON object or list, as a safetensors header keeps one."""
    if text[:1] in ("{", "["):
        try:
            return Plain().copy(json.loads(text), 1)
        except (ValueError, RecursionError):
            pass
    return text[:LONGEST]
