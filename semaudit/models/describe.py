"""What a model file holds, told without building anything from it or running it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import Tensor

from semaudit.errors import ModelError
from semaudit.files import file_sha256
from semaudit.models.architectures import Preference, Recognised, by_dialect, nearest
from semaudit.models.description import Candidate, Description, Listed
from semaudit.models.files.contents import Contents, find_file, read
from semaudit.models.files.sniff import Kind, sniff
from semaudit.models.files.wrappers import StateDict
from semaudit.models.programs.exported_outline import outline_exported
from semaudit.models.programs.onnx_outline import outline_onnx
from semaudit.models.programs.outline import Outline
from semaudit.models.programs.torchscript_outline import outline_torchscript
from semaudit.models.recognition import in_words, recognised, shapes_of
from semaudit.models.stated import read_stated

LONGEST = 200
"""Characters shown of what was saved beside a program."""
UNREAD = "pip install 'semaudit[onnx]' to see what is in an ONNX model"


def describe(path: Path, *, use_ema: bool = False) -> Description:
    """Describe a file, or the one checkpoint in a folder.

    Args:
        path: the file or folder.
        use_ema: describe a checkpoint's averaged weights.

    Raises:
        ModelError: it is no model, or is not safe to read.
    """
    if not path.exists():
        raise ModelError(
            f"{path}: no such file or folder. What is described is read from a file; a model that "
            "has a name, timm's, the hub's or a factory's, is opened by semaudit scan"
        )
    file = find_file(path)
    kind = sniff(file)
    if kind.is_whole:
        return _whole(file, kind)
    return _checkpoint(read(file, use_ema=use_ema))


def _whole(file: Path, kind: Kind) -> Description:
    outline = _outline(file, kind)
    size, sha256 = file.stat().st_size, file_sha256(file)
    if outline is None:
        return Description(str(file), kind.words, True, size, sha256, notes=(UNREAD,))
    more = {**outline.attributes, **outline.beside}
    stated = read_stated(outline.beside, channels=outline.channels)
    return Description(
        file=str(file),
        kind=kind.words,
        whole=True,
        size=size,
        sha256=sha256,
        tensors=outline.tensors,
        numbers=sum(each.numbers for each in outline.tensors),
        weight_bytes=sum(each.nbytes for each in outline.tensors),
        program=outline.program,
        labels=stated.labels,
        preprocessing=stated.preprocessing,
        metadata={name[:LONGEST]: _shown(value) for name, value in more.items()},
    )


def _outline(file: Path, kind: Kind) -> Outline | None:
    """Read a program; None where the package for it is not installed."""
    if kind is Kind.TORCHSCRIPT:
        return outline_torchscript(file)
    if kind is Kind.EXPORTED:
        return outline_exported(file)
    return outline_onnx(file) if importlib.util.find_spec("onnx") else None


def _shown(value: object) -> str:
    """The start of what was saved beside a program; bytes that are no text are only counted."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return f"{len(value):,} bytes"
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _checkpoint(contents: Contents) -> Description:
    state, metadata = contents.state, contents.metadata
    candidates, evidence, names = _recognised(contents)
    listed = tuple(_listed(name, tensor) for name, tensor in state.items())
    return Description(
        file=str(contents.file),
        kind=contents.kind.words,
        whole=False,
        size=contents.file.stat().st_size,
        sha256=file_sha256(contents.file),
        tensors=listed,
        numbers=sum(each.numbers for each in listed),
        weight_bytes=sum(each.nbytes for each in listed),
        wrapped=tuple(part for part in (*contents.path, contents.prefix) if part),
        candidates=tuple(map(_candidate, candidates)),
        evidence=evidence,
        nearest=() if candidates else _nearest(names),
        labels=metadata.labels,
        preprocessing=metadata.preprocessing,
        metadata=metadata.raw,
        notes=contents.notes,
    )


def _recognised(contents: Contents) -> tuple[tuple[Recognised, ...], str, StateDict]:
    """The architectures that the tensors fit, how they were told, and the tensors' names."""
    state, found = recognised(contents)
    stated = contents.metadata
    if named := [each for each in found if each.arch == stated.arch]:
        return tuple(named), f"stated in {stated.arch_from}, and its tensors fit", state
    if not found:
        return (), "", state
    # Without the file's name, for which timm would have to be imported.
    preference = by_dialect(found, state) or Preference(tuple(found))
    return preference.candidates, in_words(preference), state


def _candidate(each: Recognised) -> Candidate:
    return Candidate(each.arch, each.num_classes, each.in_chans, each.img_size, each.patch_size)


def _nearest(state: StateDict) -> tuple[tuple[str, str], ...]:
    return tuple((near.arch, near.words) for near in nearest(shapes_of(state)))


def _listed(name: str, tensor: Tensor) -> Listed:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Listed(name, tuple(tensor.shape), dtype, tensor.nbytes)
