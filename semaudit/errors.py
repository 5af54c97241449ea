"""The errors that a user can meet, each with the exit code that it ends a command with.

::

    SemauditError               3
    ├── UsageError              2   the command line or the configuration is wrong
    │   ├── ProbeError          2   a probe file or a battery selection is wrong
    │   ├── PluginError         2   a plugin file could not be loaded
    │   └── GateError           2   a limit cannot be read, or matches nothing
    ├── ModelError              3   the model cannot be opened, or cannot be audited
    ├── ImageError              3   the pictures cannot be opened or read
    └── AuditError              3   the audit could not be completed

A message says what was wrong, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SemauditError(Exception):
    """Base of every error that ends a command with a message instead of a traceback."""

    exit_code = 3


class UsageError(SemauditError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class ProbeError(UsageError):
    """A probe file or a battery selection is wrong."""


class PluginError(UsageError):
    """A plugin file could not be loaded."""


class GateError(UsageError):
    """A limit cannot be read, is impossible, or matches nothing."""


class ModelError(SemauditError):
    """The model cannot be opened, or cannot be audited."""


class ImageError(SemauditError):
    """The pictures cannot be opened, read or labelled."""


class AuditError(SemauditError):
    """The audit could not be completed."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception, of torch or of Python, says that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def last_line(error: BaseException) -> str:
    """What an exception says; where it brings a traceback of its own, as TorchScript's, its end."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines and "Traceback" in text else text


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest candidate, or an empty string."""
    nearest = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""
