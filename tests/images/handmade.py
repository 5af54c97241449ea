"""Pictures and profiles written byte by byte, for what no library here writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

# Colour: matrices by the book, so that they are no one's library.
D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
TO_D50 = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
PRIMARIES = {
    "srgb": [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)],
    "p3": [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)],
    "adobe": [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)],
}


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(
    width: int,
    depth: int,
    colour_type: int,
    rows: Sequence[bytes],
    chunks: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """A PNG from its packed rows; ``chunks`` come before the pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def tiff(
    pixels: np.ndarray,
    photometric: int,
    *,
    bits: int | None = None,
    kind: int = 1,
    extra: int | None = None,
    raw: bytes | None = None,
) -> bytes:
    """An uncompressed TIFF of an array (h, w, c) in the array's byte order.

    ``kind`` is 1 for unsigned, 2 for signed, 3 for float; ``extra`` says what the last channel is.
    """
    height, width, channels = pixels.shape
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    data = pixels.tobytes() if raw is None else raw
    shorts = {258: [bits or 8 * pixels.itemsize] * channels, 259: [1], 262: [photometric]}
    shorts |= {277: [channels], 339: [kind] * channels}
    if extra is not None:
        shorts[338] = [extra]
    longs = {256: [width], 257: [height], 273: [0], 278: [height], 279: [len(data)]}
    fields = {tag: ("H", 3, values) for tag, values in shorts.items()}
    fields |= {tag: ("I", 4, values) for tag, values in longs.items()}
    start = 8 + 2 + 12 * len(fields) + 4
    spill = {
        tag: struct.pack(order + code * len(values), *values)
        for tag, (code, _, values) in sorted(fields.items())
        if struct.calcsize(code) * len(values) > 4
    }
    fields[273] = ("I", 4, [start + sum(map(len, spill.values()))])
    directory, at = struct.pack(order + "H", len(fields)), start
    for tag, (code, number, values) in sorted(fields.items()):
        if tag in spill:
            field, at = struct.pack(order + "I", at), at + len(spill[tag])
        else:
            field = struct.pack(order + code * len(values), *values).ljust(4, b"\0")
        directory += struct.pack(order + "HHI", tag, number, len(values)) + field
    mark = b"MM\0*" if order == ">" else b"II*\0"
    head = mark + struct.pack(order + "I", 8)
    return head + directory + b"\0\0\0\0" + b"".join(spill.values()) + data


def ycck_jpeg(inks: np.ndarray) -> bytes:
    """A YCCK JPEG, as Adobe writes it, of inks (h, w, 4), 255 for full."""
    # Adobe stores 255 - ink, and the transform takes 255 less that for red, green and blue.
    red, green, blue = (inks[..., i].astype(float) for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402, 255.0 - inks[..., 3]]
    stored = np.stack([np.rint(plane).clip(0, 255) for plane in planes], -1).astype(np.uint8)
    # Pillow inverts what it saves as CMYK.
    content = bytearray(encoded(Image.frombytes("CMYK", inks.shape[1::-1], 255 - stored), "JPEG"))
    content[content.index(b"Adobe") + 11] = 2  # the transform: YCCK
    return bytes(content)


def to_xyz(primaries: str) -> np.ndarray:
    """Linear RGB to XYZ under D65, (3, 3)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[primaries]]).T
    return columns * np.linalg.solve(columns, D65)


def srgb_decoded(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    safe = np.clip(linear, 0, 1)
    return np.where(safe <= 0.0031308, 12.92 * safe, 1.055 * safe ** (1 / 2.4) - 0.055)


def gamma_curve(gamma: float) -> bytes:
    return _parametric(0, [gamma])


def srgb_curve() -> bytes:
    return _parametric(3, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def rgb_profile(primaries: str, curve: bytes) -> bytes:
    """A display profile of three primaries under D65 and one curve."""
    columns = (TO_D50 @ to_xyz(primaries)).T
    names = (b"r", b"g", b"b")
    colours = [(name + b"XYZ", _xyz(xyz)) for name, xyz in zip(names, columns, strict=True)]
    return _profile(b"RGB ", [*colours, *((name + b"TRC", curve) for name in names)])


def grey_profile(curve: bytes) -> bytes:
    return _profile(b"GRAY", [(b"kTRC", curve)])


def _profile(space: bytes, tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    every = [(b"desc", name), (b"wtpt", _xyz(D50)), *tags]
    padded = [(sign, data + b"\0" * (-len(data) % 4)) for sign, data in every]
    offset = 128 + 4 + 12 * len(padded)
    table, body = struct.pack(">I", len(padded)), b""
    for (sign, data), (_, unpadded) in zip(padded, every, strict=True):
        table += sign + struct.pack(">II", offset + len(body), len(unpadded))
        body += data
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return head.ljust(128, b"\0") + table + body


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _parametric(kind: int, values: Sequence[float]) -> bytes:
    numbers = b"".join(struct.pack(">i", round(value * 65536)) for value in values)
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + numbers
