"""Silence for libraries in C that print to the standard error themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_STDERR = 2
_LOCK = threading.Lock()


@contextmanager
def silenced() -> Iterator[None]:
    """Send what the process prints to its standard error nowhere, for the moment.

    One thread at a time does: another one runs on unsilenced, rather than wait or restore a
    standard error that is already silent.
    """
    with ExitStack() as stack:
        if _LOCK.acquire(blocking=False):
            stack.callback(_LOCK.release)
            with suppress(OSError):  # a process may have no standard error
                kept = os.dup(_STDERR)
                stack.callback(os.close, kept)
                stack.callback(os.dup2, kept, _STDERR)
                with Path(os.devnull).open("wb") as nowhere:
                    os.dup2(nowhere.fileno(), _STDERR)
        yield


__all__ = ["silenced"]
