"""Which kind of model a word, a file or an object is, and who opens it."""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from semaudit.errors import UsageError
from semaudit.models.checkpoint import architectures, open_checkpoint, require_known_arch
from semaudit.models.factory import is_factory, open_factory
from semaudit.models.files.contents import SUFFIXES, find_file
from semaudit.models.files.sniff import Kind, sniff
from semaudit.models.live import open_live
from semaudit.models.opened import Opened
from semaudit.models.reading import Opening, Reading
from semaudit.models.recognition import BEST
from semaudit.models.timm_models import HUB_PREFIXES, LOCAL_PREFIX, local_folder, open_timm
from semaudit.models.torchvision_models import PREFIX as TORCHVISION
from semaudit.models.torchvision_models import open_torchvision

CODELESS = frozenset({Kind.ONNX, Kind.SAFETENSORS})
"""Formats that cannot hold code: what is refused in them is damage."""


def open_source(model: str | Path | nn.Module, opening: Opening, reading: Reading) -> Opened:
    """Open a model of any kind.

    Raises:
        ModelError: it cannot be opened.
        UsageError: the settings do not go together.
    """
    if isinstance(model, nn.Module):
        _refuse_checkpoint_settings(opening, f"a {type(model).__name__}")
        _refuse_unsafe(opening, f"a {type(model).__name__}")
        _refuse_builder_settings(opening, f"a {type(model).__name__} is built already")
        return open_live(model)
    if isinstance(model, Path) or names_a_file(model):
        return _open_file(find_file(Path(model)), opening, reading)
    return _open_name(model, opening, reading)


def fitting_architectures(model: str | Path, opening: Opening) -> list[str]:
    """List the architectures that a checkpoint's tensors fit.

    Raises:
        ModelError: the file cannot be read as tensors, or no architecture fits them.
        UsageError: it is no checkpoint.
    """
    if not (isinstance(model, Path) or names_a_file(model)):
        raise UsageError(f"--arch {BEST} goes with a checkpoint file, and {model} is none")
    path = find_file(Path(model))
    kind = sniff(path)
    if kind.is_whole:
        raise UsageError(f"--arch {BEST} goes with a checkpoint file, and {path} is a whole model")
    if kind in CODELESS:
        _refuse_unsafe(opening, f"{path} ({kind.words})")
    return architectures(path, opening)


def names_a_file(model: str) -> bool:
    """Whether a word is a path rather than a name."""
    if model.startswith((*HUB_PREFIXES, LOCAL_PREFIX, TORCHVISION)):
        return False
    separators = {"/", os.sep}
    if Path(model).exists():
        return True
    if is_factory(model):
        return False
    return model.endswith(SUFFIXES) or any(separator in model for separator in separators)


def _open_file(path: Path, opening: Opening, reading: Reading) -> Opened:
    require_known_arch(opening.arch)
    kind = sniff(path)
    if kind.is_whole:
        _refuse_checkpoint_settings(opening, f"{path}, a whole model,")
        _refuse_builder_settings(opening, f"{path} is a whole model, which nothing builds")
    elif not opening.pretrained:
        raise UsageError(f"--no-pretrained goes with a name, and {path} is a file of weights")
    if kind in CODELESS:
        _refuse_unsafe(opening, f"{path} ({kind.words})")
    # Each brings a library of its own, which takes a while to import.
    if kind is Kind.TORCHSCRIPT:
        from semaudit.models.programs.torchscript import open_torchscript

        return open_torchscript(path, unsafe=opening.unsafe)
    if kind is Kind.EXPORTED:
        from semaudit.models.programs.exported import open_exported

        return open_exported(path, unsafe=opening.unsafe)
    if kind is Kind.ONNX:
        from semaudit.models.programs.onnx_models import open_onnx

        return open_onnx(path)
    return open_checkpoint(path, opening, reading)


def _open_name(model: str, opening: Opening, reading: Reading) -> Opened:
    if model.startswith(LOCAL_PREFIX):
        # Read by our own hands, which trust nothing in it, rather than by timm's.
        return _open_file(find_file(local_folder(model)), opening, reading)
    _refuse_checkpoint_settings(opening, model)
    _refuse_unsafe(opening, model)
    if model.startswith(TORCHVISION):
        return open_torchvision(
            model.removeprefix(TORCHVISION),
            pretrained=opening.pretrained,
            num_classes=reading.num_classes,
            model_kwargs=opening.model_kwargs,
        )
    if is_factory(model):
        if not opening.pretrained:
            raise UsageError(
                f"--no-pretrained goes with a name, and {model} is a factory: hand it what it "
                "takes for that with --model-kwargs"
            )
        return open_factory(model, model_kwargs=opening.model_kwargs)
    return open_timm(
        model,
        num_classes=reading.num_classes,
        in_chans=reading.in_chans,
        overrides=reading.overrides,
        pretrained=opening.pretrained,
        model_kwargs=opening.model_kwargs,
    )


def _refuse_builder_settings(opening: Opening, why: str) -> None:
    """Refuse settings that speak of how a module is built."""
    if opening.model_kwargs:
        raise UsageError(f"--model-kwargs go with a model that is built, and {why}")
    if not opening.pretrained:
        raise UsageError(f"--no-pretrained goes with a name, and {why}")


def _refuse_checkpoint_settings(opening: Opening, model: str) -> None:
    """Refuse settings that speak of a checkpoint."""
    if opening.arch is not None:
        raise UsageError(f"--arch {opening.arch} goes with a checkpoint file, and {model} is none")
    if opening.use_ema:
        raise UsageError(f"--use-ema goes with a checkpoint file, and {model} is none")


def _refuse_unsafe(opening: Opening, model: str) -> None:
    """Refuse a consent that nothing asks for: it would have no effect."""
    if opening.unsafe:
        raise UsageError(
            f"--unsafe-load goes with a file that may hold code (a pickle, TorchScript, "
            f"torch.export), and {model} is none; leave it out"
        )
