"""What a model file holds, told without building anything from it or running it."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from semaudit.models.architectures import Preference, Recognised, by_dialect, nearest, recognise
from semaudit.models.files.contents import Contents, find_file, read
from semaudit.models.files.prefixes import stages
from semaudit.models.files.sniff import Kind, sniff
from semaudit.models.weights import file_sha256

WHOLE = {
    Kind.TORCHSCRIPT: "a TorchScript archive",
    Kind.EXPORTED: "a torch.export archive",
    Kind.ONNX: "an ONNX model",
}
CHECKPOINTS = {
    Kind.SAFETENSORS: "safetensors",
    Kind.TORCH: "a PyTorch checkpoint",
    Kind.LEGACY: "a PyTorch checkpoint in the older format",
    Kind.TAR: "a PyTorch checkpoint in the oldest format",
    Kind.PICKLE: "a pickle",
}


@dataclass(frozen=True)
class Listed:
    """One tensor, without its numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Candidate:
    """An architecture that the tensors fit, and the sizes that they tell."""

    arch: str
    num_classes: int
    in_chans: int
    img_size: int | tuple[int, int] | None
    patch_size: int | None


@dataclass(frozen=True)
class Description:
    """What a model file holds; fit for JSON after `dataclasses.asdict`.

    Attributes:
        file: that was read.
        kind: of the file, in words.
        whole: whether it is a whole model, which brings its own architecture.
        size: of the file, bytes.
        sha256: of the file.
        tensors: in the file's order; of a whole model none.
        numbers: how many numbers the tensors hold in all.
        wrapped: the keys and the prefix that lead to the network's tensors.
        candidates: the architectures that they fit; one where it is recognised.
        evidence: how these were told.
        nearest: where none fits, the architectures that come near, and what differs.
        labels: the names of the classes that the file states, or None.
        preprocessing: that the file states, in timm's keys.
        metadata: whatever else the file says of itself.
        notes: what a reader should know.
    """

    file: str
    kind: str
    whole: bool
    size: int
    sha256: str
    tensors: tuple[Listed, ...] = ()
    numbers: int = 0
    wrapped: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    evidence: str = ""
    nearest: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] | None = None
    preprocessing: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def dtypes(self) -> Mapping[str, int]:
        """How many tensors there are of each type."""
        return Counter(each.dtype for each in self.tensors)


def describe(path: Path, *, use_ema: bool = False) -> Description:
    """Describe a file, or the one checkpoint in a folder.

    Args:
        path: the file or folder.
        use_ema: describe a checkpoint's averaged weights.

    Raises:
        ModelError: it is no model, or is not safe to read.
    """
    file = find_file(path)
    kind = sniff(file)
    size, sha256 = file.stat().st_size, file_sha256(file)
    if kind in WHOLE:
        return Description(
            file=str(file),
            kind=WHOLE[kind],
            whole=True,
            size=size,
            sha256=sha256,
            notes=_members(file),
        )
    contents = read(file, use_ema=use_ema)
    found, names = _recognised(contents)
    return Description(
        file=str(file),
        kind=CHECKPOINTS[kind],
        whole=False,
        size=size,
        sha256=sha256,
        tensors=tuple(_listed(name, tensor) for name, tensor in contents.state.items()),
        numbers=sum(tensor.numel() for tensor in contents.state.values()),
        wrapped=tuple(part for part in (*contents.path, contents.prefix) if part),
        candidates=found.candidates,
        evidence=found.evidence,
        nearest=() if found.candidates else _nearest(names),
        labels=contents.metadata.labels,
        preprocessing=contents.metadata.preprocessing,
        metadata=contents.metadata.raw,
        notes=contents.notes,
    )


@dataclass(frozen=True)
class _Found:
    candidates: tuple[Candidate, ...]
    evidence: str


def _recognised(contents: Contents) -> tuple[_Found, dict[str, tuple[int, ...]]]:
    stated = contents.metadata.arch
    shapes = dict[str, tuple[int, ...]]()
    for stage in reversed(list(stages(contents.state))):
        shapes = {name: tuple(tensor.shape) for name, tensor in stage.state.items()}
        found = recognise(shapes)
        if named := [each for each in found if each.arch == stated]:
            where = f"stated in {contents.metadata.arch_from}, and its tensors fit"
            return _Found(tuple(_candidate(each) for each in named), where), shapes
        if found:
            how = f"recognised by the {found[0].how} of its tensors"
            if len(found) == 1:
                return _Found((_candidate(found[0]),), how), shapes
            preference = by_dialect(found, shapes) or Preference(tuple(found))
            evidence = f", and {preference.evidence}" if preference.evidence else ""
            candidates = tuple(_candidate(each) for each in preference.candidates)
            return _Found(candidates, f"{how}{evidence}"), shapes
    return _Found((), ""), shapes


def _candidate(each: Recognised) -> Candidate:
    return Candidate(each.arch, each.num_classes, each.in_chans, each.img_size, each.patch_size)


def _nearest(shapes: dict[str, tuple[int, ...]]) -> tuple[tuple[str, str], ...]:
    return tuple((near.arch, near.words) for near in nearest(shapes))


def _listed(name: str, tensor: Tensor) -> Listed:
    return Listed(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _members(file: Path) -> tuple[str, ...]:
    """What an archive is made of; its program is read only when it is audited."""
    if not zipfile.is_zipfile(file):
        return ()
    with zipfile.ZipFile(file) as archive:
        return (f"an archive of {len(archive.namelist())} members",)
