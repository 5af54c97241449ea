"""Opens arrays in files without running anything in them: ``.npy``, ``.npz`` members, IDX."""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, cast

import numpy as np

from semaudit.errors import ImageError
from semaudit.images.sources.stacks import Block, Mapped

IDX_MARK = "-ubyte"
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_LOCAL_HEADER = struct.Struct("<26x2H")
_LARGEST = 1 << 30  # bytes that a compressed array may unpack to
_CHUNK = 1 << 24


def open_npy(path: Path) -> Mapped:
    """Map an ``.npy`` file.

    Raises:
        ImageError: it cannot be read, is damaged, or needs pickle.
    """
    with _failures(path), path.open("rb") as file:
        mapped = _mapped(path, file)
        _check_end(path, mapped, path.stat().st_size)
    return mapped


def names_in_npz(path: Path) -> list[str]:
    """Return the names of the arrays in an ``.npz``.

    Raises:
        ImageError: it cannot be read or is damaged.
    """
    with _failures(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def open_member(path: Path, name: str) -> Block:
    """Open one array of an ``.npz``: mapped where it is stored plainly, else unpacked.

    Raises:
        ImageError: it cannot be read, is damaged, needs pickle, or unpacks to too much.
    """
    with _failures(path), zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
            with path.open("rb") as file:
                file.seek(info.header_offset)
                start = info.header_offset + _LOCAL_HEADER.size
                start += sum(_LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size)))
                file.seek(start)
                mapped = _mapped(path, file)
                _check_end(path, mapped, start + info.file_size)
                return mapped
        with archive.open(info) as member:
            return _unpacked(path, member, _mapped(path, member))


def open_idx(path: Path) -> Block:
    """Open an IDX file: mapped, or unpacked where it is compressed with gzip.

    Raises:
        ImageError: it cannot be read or is damaged.
    """
    with _failures(path), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            mapped = _idx_header(path, raw)
            _check_end(path, mapped, path.stat().st_size)
            return mapped
        with gzip.GzipFile(fileobj=raw) as file:
            stream = cast("IO[bytes]", file)
            return _unpacked(path, stream, _idx_header(path, stream))


def _idx_header(path: Path, file: IO[bytes]) -> Mapped:
    zeros, kind, rank = struct.unpack(">HBB", file.read(4))
    if zeros or kind not in _IDX_TYPES or not 1 <= rank <= 4:
        raise ImageError(f"{path} is no IDX file: it starts with none of their type marks")
    shape = struct.unpack(f">{rank}I", file.read(4 * rank))
    return Mapped(str(path), 4 + 4 * rank, shape, _IDX_TYPES[kind])


def _mapped(path: Path, file: IO[bytes]) -> Mapped:
    """Read the header of an array, which starts where ``file`` stands."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ImageError(
            f"{path} has version {version} of NumPy's format; save it with plain types"
        )
    shape, fortran, dtype = read(file)
    if dtype.hasobject or dtype.names:
        raise ImageError(
            f"{path} holds Python objects or records, which are not opened: opening them could "
            "run code; save plain arrays of numbers"
        )
    # Inside what is being unpacked, the place in the file is unknown and not needed.
    packed = isinstance(file, (zipfile.ZipExtFile, gzip.GzipFile))
    return Mapped(str(path), 0 if packed else file.tell(), shape, dtype.str, fortran)


def _check_end(path: Path, mapped: Mapped, end: int) -> None:
    wanted = mapped.offset + prod(mapped.shape) * np.dtype(mapped.dtype).itemsize
    if wanted > end:
        raise ImageError(f"{path} is cut short: {wanted - end} bytes of its arrays are missing")


def _unpacked(path: Path, file: IO[bytes], header: Mapped) -> Block:
    dtype = np.dtype(header.dtype)
    size = prod(header.shape) * dtype.itemsize
    if size > _LARGEST:
        raise ImageError(
            f"{path} unpacks to {size >> 30} GiB; save the array uncompressed, so that it need "
            "not be held in memory"
        )
    # Grown as it comes: a header may claim more than there is.
    content = bytearray()
    while len(content) < size and (chunk := file.read(min(_CHUNK, size - len(content)))):
        content += chunk
    if len(content) < size:
        raise ImageError(f"{path} is cut short: {size - len(content)} bytes are missing")
    values = np.frombuffer(content, dtype)
    return values.reshape(header.shape, order="F" if header.fortran else "C")


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Turn what damaged files raise into an `ImageError`."""
    try:
        yield
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise ImageError(f"{path} does not fit in memory; save it uncompressed") from error
    except ImageError:
        raise
    # NumPy parses headers as Python, so damage shows in a dozen kinds, down to tokenize's.
    except Exception as error:
        raise ImageError(
            f"{path} is damaged, or not what its name says: {error or type(error).__name__}"
        ) from error


__all__ = ["IDX_MARK", "names_in_npz", "open_idx", "open_member", "open_npy"]
