"""Which kind of model a file holds, told by its content; its name is never believed."""

from __future__ import annotations

import io
import pickletools
import tarfile
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from semaudit.errors import ModelError
from semaudit.models.files.archive import Archive, open_archive
from semaudit.models.files.mistakes import is_text, json_index, mistake

SAVE_TENSORS = "save a state dict instead: torch.save(model.state_dict(), PATH)"
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
"""What every file of torch.save's older format begins with, after the pickle's own first bytes."""
_START = 4096
_LARGEST_INDEX = 16 << 20
_MOST_MEMBERS = 10_000


class Kind(Enum):
    """The kinds of files that some room of semaudit opens."""

    SAFETENSORS = "safetensors"
    TORCH = "torch zip"
    LEGACY = "torch legacy"
    TAR = "torch tar"
    PICKLE = "pickle"
    TORCHSCRIPT = "torchscript"
    EXPORTED = "exported"
    ONNX = "onnx"

    @property
    def words(self) -> str:
        """What to call a file of this kind."""
        return _WORDS[self]

    @property
    def is_whole(self) -> bool:
        """Whether such a file is a whole model, which brings its own program."""
        return self in (Kind.TORCHSCRIPT, Kind.EXPORTED, Kind.ONNX)


_WORDS = {
    Kind.SAFETENSORS: "safetensors",
    Kind.TORCH: "a PyTorch checkpoint",
    Kind.LEGACY: "a PyTorch checkpoint in the older format",
    Kind.TAR: "a PyTorch checkpoint in the oldest format",
    Kind.PICKLE: "a pickle",
    Kind.TORCHSCRIPT: "a TorchScript archive",
    Kind.EXPORTED: "a torch.export archive",
    Kind.ONNX: "an ONNX model",
}


def sniff(path: Path) -> Kind:
    """Tell what kind of model a file holds. Nothing is unpacked or unpickled.

    Raises:
        ModelError: it is none, with what it is instead; or an archive that is not safe to open.
    """
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"{path} is empty; was it cut short while it was saved or copied?")
    with path.open("rb") as file:
        start = file.read(_START)
        if start[:4] == b"PK\x03\x04":
            return _of_zip(open_archive(path))
        if _is_safetensors(start, path):
            return Kind.SAFETENSORS
        if start[:1] == b"\x80" and MAGIC in start[:32]:
            return Kind.LEGACY
        if said := mistake(start):
            raise ModelError(f"{path} {_index(path, start, size) or said}")
        if start[257:262] == b"ustar":
            return _of_tar(path)
        if _is_pickle(start):
            return Kind.PICKLE
        if (fields := _protobuf_fields(file, size)) is not None:
            return _of_protobuf(path, fields)
    text = "is plain text, and " if is_text(start) else ""
    raise ModelError(
        f"{path} {text}is not a PyTorch checkpoint, or is damaged at its start; {SAVE_TENSORS}"
    )


def _of_zip(archive: Archive) -> Kind:
    """Tell archives apart by the names in them, as torch's own readers do."""
    names = archive.sizes.keys()
    if "constants.pkl" in names:
        return Kind.TORCHSCRIPT
    exported = {"archive_format", "serialized_exported_program.json"}
    if names & exported:
        return Kind.EXPORTED
    if "data.pkl" in names:
        return Kind.TORCH
    if any(name.endswith("model.weights.h5") for name in names):
        what = "a Keras model; convert it to ONNX or PyTorch"
    elif names and all(name.endswith(".npy") for name in names):
        what = "a NumPy archive (.npz); save the weights as a state dict or as safetensors"
    else:
        listed = ", ".join(sorted(name[:60] for name in names)[:3]) or "nothing"
        what = f"an ordinary zip archive of {listed}; unpack it and pass the checkpoint inside"
    raise ModelError(f"{archive.path} is {what}")


def _of_tar(path: Path) -> Kind:
    """Tell torch's oldest format, a tar of three members, from any other tar."""
    try:
        with tarfile.open(path, "r:") as archive:
            names = [member.name[:60] for member in islice(archive, _MOST_MEMBERS)]
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"{path} is a tar archive that is damaged or cut short ({error}); fetch it again"
        ) from error
    if {"storages", "tensors", "pickle"} <= set(names):
        return Kind.TAR
    raise ModelError(
        f"{path} is an ordinary tar archive of {', '.join(names[:3]) or 'nothing'}; unpack it and "
        "pass the checkpoint inside"
    )


def _is_safetensors(start: bytes, path: Path) -> bool:
    """Whether 8 bytes of a header's length and the start of its JSON come first."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and (length < 1 << 40 or path.suffix == ".safetensors")


def _is_pickle(start: bytes) -> bool:
    """Whether the first bytes are a pickle's: by its mark, else by its first steps."""
    if start[:1] == b"\x80":
        return start[1:2] <= b"\x05"
    steps = 0
    try:
        for opcode, _, _ in islice(pickletools.genops(io.BytesIO(start)), 8):
            steps += 1
            if opcode.name == "STOP":
                return steps > 1
    except Exception:  # whatever is no pickle makes its reader raise nearly anything
        return False
    return steps == 8


def _index(path: Path, start: bytes, size: int) -> str | None:
    """What to say of a sharded checkpoint's index, if the file is one."""
    is_json = start.lstrip()[:1] == b"{" and size <= _LARGEST_INDEX
    return json_index(path.read_bytes()) if is_json else None


def _of_protobuf(path: Path, fields: set[int]) -> Kind:
    """Tell ONNX, which holds a graph in field 7, from TensorFlow's two files."""
    if {1, 7} <= fields:
        return Kind.ONNX
    if fields <= {1, 2, 3, 4, 5}:
        raise ModelError(
            f"{path} looks like a TensorFlow graph (.pb); convert the model to ONNX or PyTorch"
        )
    raise ModelError(f"{path} is not a PyTorch checkpoint, or is damaged; {SAVE_TENSORS}")


def _protobuf_fields(file: BinaryIO, size: int) -> set[int] | None:
    """The numbers of a protobuf message's outermost fields, or None if the file is no message."""
    fields, position = set[int](), 0
    for _ in range(_MOST_MEMBERS):
        if position == size:
            return fields
        file.seek(position)
        varints = _varints(file.read(20))
        tag, used = next(varints, (0, 0))
        number, wire = tag >> 3, tag & 7
        if not 1 <= number <= 100:
            return None
        if wire in (0, 2):
            value, more = next(varints, (0, 0))
            used += more
            if not more:
                return None
            position += used + (value if wire == 2 else 0)
        elif wire in (1, 5):
            position += used + (8 if wire == 1 else 4)
        else:
            return None
        if position > size:
            return None
        fields.add(number)
    return fields


def _varints(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each number and the bytes it took, until ``data`` ends."""
    value = used = 0
    for byte in data:
        value |= (byte & 0x7F) << (7 * used)
        used += 1
        if byte < 0x80:
            yield value, used
            value = used = 0
