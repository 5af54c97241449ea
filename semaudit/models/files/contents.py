"""A checkpoint, read: its weights, the way to them, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError
from semaudit.models.files.prefixes import (
    Stage,
    is_network,
    split_averaged,
    statistics,
    stripped,
)
from semaudit.models.files.safetensors_file import read_safetensors
from semaudit.models.files.sniff import Kind, sniff
from semaudit.models.files.torch_file import read_torch, read_unsafe
from semaudit.models.files.wrappers import SHOWN, StateDict, unwrap
from semaudit.models.metadata import Metadata, metadata_of

SUFFIXES = (
    *(".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".pth.tar", ".pkl", ".tar", ".model"),
    *(".pt2", ".onnx"),
)
_CONFIG = "config.json"
_LARGEST_CONFIG = 16 << 20
# What training frameworks put beside the weights under the same endings.
_BESIDE = ("optimizer", "scheduler", "random_states", "training_args", "scaler", "rng_state")


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds.

    Attributes:
        file: the file that was read.
        kind: of the file.
        state: the weights, in the file's order, under the file's own names; not yet upcast.
        stripped: the network's weights with every wrapping prefix off.
        prefix: what ``stripped`` took off; more than one prefix may be stacked in it.
        path: the keys that led to ``state``.
        metadata: what the file says of itself.
        notes: what a reader should know, a sentence each: what was left out, what lies there too.
        module: the whole module, when one was loaded with ``unsafe``.
    """

    file: Path
    kind: Kind
    state: StateDict
    stripped: StateDict
    prefix: str
    path: tuple[str, ...]
    metadata: Metadata
    notes: tuple[str, ...]
    module: nn.Module | None = None


def read(path: Path, *, use_ema: bool = False, unsafe: bool = False) -> Contents:
    """Read a checkpoint. Its tensors are mapped into memory, not copied, where the kind allows.

    Args:
        path: a file, or a folder that holds exactly one checkpoint.
        use_ema: take the averaged weights; else the plain ones where there are both.
        unsafe: load what holds code too, which runs code from the file.

    Raises:
        ModelError: it cannot be read, is no checkpoint, or holds code and ``unsafe`` is not set.
        UsageError: it has no averaged weights though ``use_ema`` is set.
    """
    path = find_file(path)
    kind = sniff(path)
    if kind.is_whole:
        raise ModelError(
            f"{path} is {kind.words}, a whole model; it is opened as one, without "
            "--arch, and has no state dict to read"
        )
    content, header = _content(path, kind, unsafe=unsafe)
    try:
        return _contents(path, kind, content, header, use_ema=use_ema)
    except (ModelError, UsageError) as error:
        raise type(error)(f"{path}: {error}") from error


def find_file(path: Path) -> Path:
    """Return the file to be read: ``path``, or the one checkpoint in the folder ``path``.

    Raises:
        ModelError: no such file, or a folder with none or several.
    """
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir() if _is_checkpoint(file))
        if {"model.safetensors", "pytorch_model.bin"} == set(names):  # the same weights twice
            names = ["model.safetensors"]
        if len(names) != 1:
            what = f"several ({', '.join(names[:SHOWN])}, ...)" if names else "none"
            raise ModelError(f"{path} is a folder; pass the checkpoint file in it: it has {what}")
        return path / names[0]
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file. A model of the Hugging Face hub is named hf-hub:OWNER/NAME"
        )
    return path


def _is_checkpoint(file: Path) -> bool:
    named = file.name.endswith(SUFFIXES) and not file.name.startswith(_BESIDE)
    return named and file.is_file()


def _content(path: Path, kind: Kind, *, unsafe: bool) -> tuple[object, Mapping[str, str] | None]:
    """What the file holds, and the header's metadata where the format has one."""
    if kind is Kind.SAFETENSORS:
        return read_safetensors(path)
    return (read_unsafe if unsafe else read_torch)(path, kind), None


def _contents(
    path: Path, kind: Kind, content: object, header: Mapping[str, str] | None, *, use_ema: bool
) -> Contents:
    found = unwrap(content, averaged=use_ema)
    state, averaged, notes = _choose(found.state, found.averaged, found.others, use_ema)
    _require_numbers(state)
    stage = stripped(state)
    if not stage.state or not is_network(stage.state):
        raise ModelError("it holds nothing that belongs to a network")
    if averaged:
        notes.append("its averaged weights are taken")
    notes += _left_out(stage, found.dropped)
    metadata = metadata_of(content if header is None else header, beside=_config(path, notes))
    if normalised := statistics(stage.left_out):
        # The layer that was trained with outweighs what is written about it.
        stated = {**metadata.preprocessing, **normalised}
        metadata = replace(metadata, preprocessing=stated)
        notes.append("mean and std are those of the normalising layer that it holds")
    return Contents(
        file=path,
        kind=kind,
        state=state,
        stripped=stage.state,
        prefix=stage.prefix,
        path=found.path,
        metadata=metadata,
        notes=(*notes, *metadata.notes),
        module=found.module,
    )


def _choose(
    state: StateDict, averaged: bool, others: tuple[str, ...] | None, use_ema: bool
) -> tuple[StateDict, bool, list[str]]:
    """Choose between plain and averaged weights: the state, whether it is averaged, and notes.

    Raises:
        UsageError: averaged weights are asked for and there are none.
    """
    plain, beside = split_averaged(state)
    if beside and is_network(plain):
        notes = (
            [] if use_ema else [f"averaged weights lie beside these ({_first(beside)}): --use-ema"]
        )
        return (beside, True, notes) if use_ema else (plain, averaged, notes)
    averaged = averaged or bool(beside)
    if use_ema and not averaged:
        raise UsageError(
            "--use-ema asks for averaged weights and there are none; the weights are named "
            f"{_first(state)}. Leave the flag out"
        )
    if others and not averaged:
        return (
            state,
            False,
            [f"averaged weights lie beside these, under {'.'.join(others)}: --use-ema"],
        )
    return state, averaged, []


def _require_numbers(state: StateDict) -> None:
    """Refuse tensors whose numbers cannot be used, or are not there."""
    for name, tensor in state.items():
        what = None
        if tensor.is_quantized:
            what = "quantised"
        elif tensor.layout is not torch.strided:
            what = "sparse"
        elif tensor.is_complex():
            what = "complex"
        elif tensor.is_meta:
            what = "on the meta device, without numbers"
        if what:
            raise ModelError(f"tensor {name[:80]!r} is {what}; save the model's float weights")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ModelError(
                f"tensor {name[:80]!r} of shape {tuple(tensor.shape)} claims more numbers than "
                "the file holds; save it contiguous"
            )


def _left_out(stage: Stage, dropped: tuple[str, ...]) -> list[str]:
    named = {**stage.left_out, **dict.fromkeys(dropped)}
    if not named:
        return []
    count = f"{len(named)} entries" if len(named) > 1 else "1 entry"
    return [f"left out, as not the network's: {count} ({_first(named)})"]


def _config(path: Path, notes: list[str]) -> object:
    """Read the config.json that timm and transformers put beside weights, if there is one."""
    beside = path.parent / _CONFIG
    try:
        if not beside.is_file() or beside.stat().st_size > _LARGEST_CONFIG:
            return None
        return json.loads(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        notes.append(f"the {_CONFIG} beside it is no JSON and was passed over")
        return None


def _first(keys: Mapping[str, Tensor | None]) -> str:
    names = [key[:80] for key in list(keys)[:SHOWN]]
    return ", ".join(names) + (", ..." if len(keys) > SHOWN else "")
