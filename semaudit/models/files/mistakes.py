"""Files that people pass for a checkpoint and that are none: what each is, and what to do."""

from __future__ import annotations

import json

FETCH_AGAIN = "it was not downloaded, only a page about it; fetch the file itself"

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (
        0,
        b"version https://git-lfs",
        "is a git-lfs pointer, not the weights themselves; fetch them with: git lfs pull",
    ),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        "is an HDF5 file, as Keras and TensorFlow write; convert the model to ONNX or PyTorch",
    ),
    (4, b"TFL3", "is a TensorFlow Lite model; convert the model to ONNX or PyTorch"),
    (0, b"GGUF", "is a GGUF file of a quantised language model, not an image classifier"),
    (0, b"\x93NUMPY", "is a NumPy array; save the weights as a state dict or as safetensors"),
    (0, b"\x1f\x8b", "is compressed with gzip; unpack it and pass what is inside"),
    (0, b"BZh", "is compressed with bzip2; unpack it and pass what is inside"),
    (0, b"\xfd7zXZ\x00", "is compressed with xz; unpack it and pass what is inside"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it and pass what is inside"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it and pass the checkpoint inside"),
    (0, b"Rar!", "is a RAR archive; unpack it and pass the checkpoint inside"),
    (0, b"\x89PNG", "is a picture, not a model; pass pictures with --data"),
    (0, b"\xff\xd8\xff", "is a picture, not a model; pass pictures with --data"),
    (0, b"PK", "starts like a zip archive but is damaged or cut short; fetch it again"),
)


def mistake(start: bytes) -> str | None:
    """Say what a file is that no room of semaudit opens, by its first bytes; None if unknown."""
    for offset, signature, said in SIGNATURES:
        if start[offset : offset + len(signature)] == signature:
            return said
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    head = text[:200].lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return f"is a web page (HTML): {FETCH_AGAIN}"
    if head.startswith((b"<?xml", b"<error")):
        return f"is an XML answer of a server: {FETCH_AGAIN}"
    if text[:1] in {b"{", b"["} and _is_text(text):
        return _of_json(text)
    return None


def is_text(start: bytes) -> bool:
    """Whether a file's first bytes are plain text."""
    return _is_text(start)


def json_index(text: bytes) -> str | None:
    """Say which files a sharded checkpoint's index names, given the whole of it, or None."""
    try:
        index = json.loads(text)
        shards = sorted({str(name) for name in index["weight_map"].values()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    more = f" and {len(shards) - 3} more" if len(shards) > 3 else ""
    listed = ", ".join(name[:80] for name in shards[:3])
    return (
        f"is the index of a checkpoint in {len(shards)} parts ({listed}{more}), not weights; "
        "merge the parts into one file: build the model, load every part into it, and save "
        "model.state_dict()"
    )


def _of_json(text: bytes) -> str:
    if b'"weight_map"' in text or b'"total_size"' in text:
        return (
            "is the index of a checkpoint in several parts, not weights; merge the parts into one "
            "file: build the model, load every part into it, and save model.state_dict()"
        )
    return f"is JSON text, not weights: a configuration, or a server's answer. If so, {FETCH_AGAIN}"


def _is_text(start: bytes) -> bool:
    try:
        text = start[:4096].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start[:4096]) - 4:  # not a character that the cut fell into
            return False
        text = start[: error.start].decode("utf-8")
    return bool(text) and all(char.isprintable() or char in "\t\r\n\f" for char in text)
