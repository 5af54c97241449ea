"""Imports a Python file that the user named, which runs it."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def module_name(role: str, path: Path) -> str:
    """Name the module of a user's file, such as ``semaudit_plugin_fog_0123abcd``.

    The path is in the name: two files called fog.py do not shadow each other.
    """
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"semaudit_{role}_{path.stem}_{place}"


def import_file(name: str, path: Path) -> ModuleType:
    """Run the file and return it as the module ``name``.

    Raises:
        ImportError: its ending is none that Python imports.
        BaseException: whatever its code raises; the module is then forgotten.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no loader for {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up there
    try:
        with _no_bytecode():
            spec.loader.exec_module(module)
    except BaseException:
        # The file may have taken itself out: a KeyError here would hide what it raised.
        sys.modules.pop(name, None)
        raise
    return module


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Leave no ``__pycache__`` in the folder of a user's file."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
