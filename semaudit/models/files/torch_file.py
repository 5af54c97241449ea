"""What torch.save wrote, read as tensors; the file's own code runs only where that is asked for."""

from __future__ import annotations

import io
import pickle
import re
import warnings
from pathlib import Path

import torch

from semaudit.errors import ModelError
from semaudit.models.files.allowed import allowed_globals
from semaudit.models.files.archive import open_archive, read_entry
from semaudit.models.files.pickled import imports, listed
from semaudit.models.files.sniff import SAVE_TENSORS, Kind
from semaudit.models.files.symbols import (
    ForeignError,
    InflatedError,
    Storages,
    UnreadableError,
    UnusableError,
)
from semaudit.models.files.vetting import vet

MAX_PICKLE = 64 << 20
"""Bytes of the pickle that lists an archive's tensors; a large model's takes some 200,000."""
_LEGACY_PICKLES = 5
UNSAFE = "or, if you trust whoever made it with all you have, open it with --unsafe-load"


def read_torch(path: Path, kind: Kind) -> object:
    """Read a file of tensors, refusing every object that would need code to be run.

    Raises:
        ModelError: it is damaged, holds code, or claims more than it has.
    """
    if kind in (Kind.TAR, Kind.PICKLE):
        raise _no_tensors(path, kind)
    try:
        (_vet_archive if kind is Kind.TORCH else _vet_legacy)(path)
        return _load(path, kind, weights_only=True)
    except ModelError:
        raise
    except UnusableError as error:
        raise ModelError(
            f"{path} holds {error}, which cannot be audited; save the model's float weights"
        ) from error
    except InflatedError as error:
        raise ModelError(
            f"{path}: {error} claims more numbers than the file holds; the file is damaged, or a "
            "tensor was expanded: save it contiguous"
        ) from error
    except ForeignError as error:
        raise holds_code(path, kind, str(error)) from error
    except pickle.UnpicklingError as error:
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise holds_code(path, kind, refused[1]) from error
        raise _damaged(path, error) from error
    except Exception as error:  # damaged bytes make the reader raise nearly anything
        raise _damaged(path, error) from error


def read_unsafe(path: Path, kind: Kind) -> object:
    """Load a file as its maker meant it to be, which runs code from it: `--unsafe-load`.

    Raises:
        ModelError: it cannot be loaded here.
    """
    try:
        if kind is Kind.PICKLE:
            with path.open("rb") as file:
                return pickle.load(file)
        return _load(path, kind, weights_only=False)
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{path} needs a module or class that is not here ({error}); install it or put it on "
            f"PYTHONPATH, or in the program that made the file, {SAVE_TENSORS}"
        ) from error
    except Exception as error:  # the file's own code may raise anything
        raise _damaged(path, error) from error


def holds_code(path: Path, kind: Kind, first: str) -> ModelError:
    """Say what a pickle would have imported; ``first`` is what its reader stopped at."""
    try:
        found = imports(path, is_zip=kind is Kind.TORCH)
    except ModelError:
        found = ()
    return ModelError(
        f"{path} holds code ({listed(found or (first[:80],))}), not only tensors, and semaudit "
        f"does not run it. In the program that made it, {SAVE_TENSORS}; {UNSAFE}"
    )


def _vet_archive(path: Path) -> None:
    archive = open_archive(path)
    if any(name.startswith("data/") or name == "data.pkl" for name in archive.packed):
        raise ModelError(
            f"{path} is a compressed zip archive, which torch.save never writes; {SAVE_TENSORS}"
        )
    if archive.sizes["data.pkl"] > MAX_PICKLE:
        raise UnreadableError(f"its list of tensors takes {archive.sizes['data.pkl']:,} bytes")
    content = io.BytesIO(read_entry(archive, "data.pkl", MAX_PICKLE))
    vet(content, Storages(archive.sizes, path.stat().st_size))


def _vet_legacy(path: Path) -> None:
    """Vet the pickles in a row: magic number, version, system, content, order of the storages."""
    storages = Storages(None, path.stat().st_size)
    with path.open("rb") as file:
        for _ in range(_LEGACY_PICKLES):
            vet(file, storages)


def _load(path: Path, kind: Kind, *, weights_only: bool) -> object:
    extra = allowed_globals() if weights_only else []
    with torch.serialization.safe_globals(extra), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a foreign pickle protocol, which then fails
        if path.suffix != ".safetensors":
            mapped = kind is Kind.TORCH
            return torch.load(path, map_location="cpu", weights_only=weights_only, mmap=mapped)
        with path.open("rb") as file:  # by such a name torch would take it for what it is not
            return torch.load(file, map_location="cpu", weights_only=weights_only)


def _no_tensors(path: Path, kind: Kind) -> ModelError:
    if kind is Kind.TAR:
        return ModelError(
            f"{path} is a tar archive of torch before 0.1.10, which cannot be read without running "
            f"code from it. In the program that made it, {SAVE_TENSORS}; {UNSAFE}"
        )
    try:
        found = imports(path, is_zip=False)
    except ModelError as error:
        return error
    what = f"would import {listed(found)}" if found else "holds no tensors, or is damaged"
    return ModelError(
        f"{path} is a Python pickle that torch.save did not make; it {what}. semaudit does not "
        f"run it. In the program that made it, {SAVE_TENSORS}; {UNSAFE}"
    )


def _damaged(path: Path, error: Exception) -> ModelError:
    # Around its reason torch advises to load the file in the unsafe way: leave that out.
    if isinstance(error, UnicodeEncodeError):
        return ModelError(f"{path} cannot be read: torch opens no path that is no UTF-8. Rename it")
    said = re.search(r"WeightsUnpickler error:\s*(.+)", str(error))
    reason = said[1] if said else str(error).partition("\n")[0] or type(error).__name__
    return ModelError(
        f"{path} cannot be read as tensors ({reason[:200]}); it is damaged, cut short, or not made "
        f"by torch.save. Fetch it again, or {SAVE_TENSORS}"
    )
