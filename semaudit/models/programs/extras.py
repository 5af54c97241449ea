"""Packages that only some models need."""

from __future__ import annotations

import importlib
from typing import Any

from semaudit.errors import ModelError


def onnx_package(name: str) -> Any:
    """Import ``onnx``, ``onnxruntime`` or ``onnx2torch``, all of the extra ``onnx``.

    Raises:
        ModelError: it is not installed; names the extra.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"ONNX models need the package {error.name or name}: pip install 'semaudit[onnx]'"
        ) from error
