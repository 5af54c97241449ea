"""Weights from a file, into an architecture of timm's. No file's code is ever run."""

from __future__ import annotations

import argparse
import hashlib
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from semaudit.errors import ModelError
from semaudit.models.classifier import Classifier, Provenance
from semaudit.models.keys import Implied, StateDict, implied_sizes, match, unwrap
from semaudit.models.preprocessing import PreprocessingOverrides, input_channels, timm_config
from semaudit.models.timm_models import assemble, build, classes_of, default_channels, require_known

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pth.tar", ".safetensors")
SAVE_TENSORS = "save a state dict instead: torch.save(model.state_dict(), PATH)"


def load_checkpoint(
    path: Path,
    *,
    arch: str,
    num_classes: int | None,
    in_chans: int | None,
    overrides: PreprocessingOverrides,
) -> Classifier:
    """Open a checkpoint of the timm architecture ``arch``.

    The class count and the input channels come from the tensors unless they are given.

    Raises:
        ModelError: the file cannot be read as tensors, or they do not fit the architecture.
    """
    require_known(arch)
    content = read_checkpoint(path)
    try:
        unwrapped = unwrap(content)
        _refuse_inflated(path, unwrapped.state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    asked = input_channels(in_chans, overrides)
    module = build(arch, num_classes=num_classes, in_chans=asked, overrides=overrides)
    built = (classes_of(module), asked or default_channels(module))
    implied = _implied(unwrapped.state, module, built[1])
    classes = num_classes or implied.num_classes or built[0]
    channels = asked or implied.in_chans or built[1]
    if (classes, channels) != built:
        module = build(arch, num_classes=classes, in_chans=channels, overrides=overrides)
    try:
        matched = match(unwrapped.state, module.state_dict())
    except ModelError as error:
        raise ModelError(
            f"{path} does not fit {arch}: {error}. Check --arch, --num-classes, --in-chans and, "
            "for a model of fixed size, --img-size"
        ) from error
    # Not strict: `match` lets nothing but batch counters be missing.
    module.load_state_dict(matched.state, strict=False)
    provenance: Provenance = {
        "source": "checkpoint",
        "arch": arch,
        "file": str(path),
        "file_sha256": file_sha256(path),
        "keys": matched.how,
        "unwrapped": list(unwrapped.path),
    }
    return assemble(module, path.name, provenance, in_chans=channels, overrides=overrides)


def _refuse_inflated(path: Path, state: StateDict) -> None:
    """Refuse tensors that claim more numbers than the file holds: copying one could fill memory."""
    for name, tensor in state.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ModelError(
                f"{path}: tensor {name!r} of shape {tuple(tensor.shape)} claims more numbers than "
                "the file holds; save it contiguous"
            )


def require_file(path: Path) -> None:
    """Refuse a path that is not a file.

    Raises:
        ModelError: no such file, or a folder.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder; pass the checkpoint file in it")
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file. A model of the Hugging Face hub is named hf-hub:OWNER/NAME"
        )


def read_checkpoint(path: Path) -> object:
    """Read a file of tensors, refusing every object that would need code to be run.

    Raises:
        ModelError: the file is missing, empty, damaged, no checkpoint, or holds code.
    """
    require_file(path)
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty; was it cut short while it was saved or copied?")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def file_sha256(path: Path) -> str:
    """Hash a file, a megabyte at a time. Returns 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is no safetensors file, or is damaged: {error}") from error


def _read_torch(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(2)
    is_zip = zipfile.is_zipfile(path)
    # Looked at first: torch answers other files in ways that depend on how they begin.
    if not (is_zip or start == b"PK" or start[:1] == b"\x80"):
        raise ModelError(f"{path} is not a PyTorch checkpoint; {SAVE_TENSORS}")
    if is_zip and _is_torchscript(path):
        raise ModelError(f"{path} is a TorchScript archive, which holds code; {SAVE_TENSORS}")
    try:
        # Namespace, a plain bag of values, is what timm's training script saves its flags in.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a foreign pickle protocol, which then fails
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise ModelError(
                f"{path} holds code ({refused[1]}), not only tensors, and semaudit does not run "
                f"it. In the program that made it, {SAVE_TENSORS}"
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:  # damaged bytes make the reader raise nearly anything
        raise _damaged(path, error) from error


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _damaged(path: Path, error: Exception) -> ModelError:
    # Around its reason torch advises to load the file in the unsafe way: leave that out.
    said = re.search(r"WeightsUnpickler error:\s*(.+)", str(error))
    reason = said[1] if said else str(error).partition("\n")[0] or type(error).__name__
    return ModelError(
        f"{path} cannot be read as tensors ({reason}); it is damaged, cut short, or not made by "
        f"torch.save. Fetch it again, or {SAVE_TENSORS}"
    )


def _implied(state: StateDict, module: nn.Module, in_chans: int) -> Implied:
    config = timm_config(module) or {}
    return implied_sizes(
        state,
        module.state_dict(),
        classifiers=_layer_names(config.get("classifier")),
        first_convs=_layer_names(config.get("first_conv")),
        in_chans=in_chans,
    )


def _layer_names(names: object) -> tuple[str, ...]:
    """timm states one name, several, or none."""
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, (tuple, list)) else ()
