from __future__ import annotations

import io
import json
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semaudit.errors import ModelError
from semaudit.models.files.contents import find_file, read
from semaudit.models.files.sniff import Kind, sniff

STATE = {"conv.weight": torch.arange(12.0).view(4, 3), "conv.bias": torch.zeros(4)}


def save_script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))


def save_exported(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(nn.Linear(2, 2).eval(), (torch.zeros(1, 2),))
        with path.open("wb") as file:
            torch.export.save(program, file)


def save_old_exported(path: Path) -> None:
    """The layout of torch before 2.7: four bare entries, without a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.2")
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", b"")
        archive.writestr("serialized_constants.pt", b"")


def save_onnx(path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.helper.make_tensor_value_info("x", 1, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    output = onnx.helper.make_tensor_value_info("y", 1, [1])
    graph = onnx.helper.make_graph([node], "g", [tensor], [output])
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())


def save_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())


SAVERS = {
    Kind.SAFETENSORS: lambda path: save_file(STATE, path),
    Kind.TORCH: lambda path: torch.save(STATE, path),
    Kind.LEGACY: lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    Kind.TORCHSCRIPT: save_script,
    Kind.EXPORTED: save_exported,
    Kind.ONNX: save_onnx,
    Kind.TAR: save_tar,
    Kind.PICKLE: lambda path: path.write_bytes(pickle.dumps({"weight": [1.0] * 9})),
}


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.onnx", "m"])
@pytest.mark.parametrize("kind", SAVERS)
def test_a_kind_is_told_by_content_under_any_name(tmp_path, kind, name):
    path = tmp_path / name
    SAVERS[kind](path)
    assert sniff(path) is kind


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.pkl", "m.model", "m.pth.tar", "m"])
@pytest.mark.parametrize("kind", [Kind.SAFETENSORS, Kind.TORCH, Kind.LEGACY])
def test_tensors_are_read_under_any_name(tmp_path, kind, name):
    path = tmp_path / name
    SAVERS[kind](path)
    contents = read(path)
    assert contents.kind is kind
    assert contents.state.keys() == STATE.keys()
    assert all(torch.equal(contents.state[key], tensor) for key, tensor in STATE.items())


def test_the_old_layout_of_exported_programs(tmp_path):
    save_old_exported(tmp_path / "m.pt2")
    assert sniff(tmp_path / "m.pt2") is Kind.EXPORTED


def test_a_protocol_0_pickle_is_told_from_text(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps([1.0] * 9, protocol=0))
    assert sniff(tmp_path / "m.pkl") is Kind.PICKLE


@pytest.mark.parametrize("kind", [Kind.TORCHSCRIPT, Kind.EXPORTED, Kind.ONNX])
def test_whole_models_are_not_read_as_weights(tmp_path, kind):
    SAVERS[kind](tmp_path / "m.pt")
    with pytest.raises(ModelError, match="a whole model; it is opened as one"):
        read(tmp_path / "m.pt")


@pytest.mark.parametrize("kind", [Kind.TAR, Kind.PICKLE])
def test_what_cannot_be_read_without_running_code_is_refused(tmp_path, kind):
    SAVERS[kind](tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"save a state dict instead.*--unsafe-load"):
        read(tmp_path / "m.pt")


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("run/config.yaml"), io.BytesIO())
    return stream.getvalue()


INDEX = {"metadata": {"total_size": 9}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.bin"}}
MISTAKES = {
    "empty": (b"", "is empty"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "html": (b"\n<!DOCTYPE html><html>Not found", "web page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML answer"),
    "json": (b'{"error": "no such repository"}', "is JSON text"),
    "shards": (json.dumps(INDEX).encode(), r"in 2 parts \(m-1.safetensors, m-2.bin\)"),
    "text": (b"class names\nare not weights\n", "is plain text"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "Keras and TensorFlow"),
    "keras": (zipped("metadata.json", "model.weights.h5"), "Keras model"),
    "savedmodel": (b"\x08\x01\x12\x03abc", "TensorFlow graph"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(99), "TensorFlow Lite"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(99), "GGUF"),
    "numpy": (b"\x93NUMPY\x01\0" + bytes(99), "NumPy array"),
    "npz": (npz(), "NumPy archive"),
    "zip": (zipped("run/model.pt", "run/log.txt"), r"ordinary zip archive of log\.txt, model\.pt"),
    "tar": (tarred(), r"ordinary tar archive of run/config\.yaml"),
    "gzip": (b"\x1f\x8b\x08" + bytes(99), "gzip"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "is a picture"),
    "cut zip": (zipped("archive/data.pkl")[:-30], "damaged or cut short"),
    "noise": (bytes(range(255, 60, -1)), "not a PyTorch checkpoint"),
}


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_usual_mistakes_are_named(tmp_path, mistake, name):
    content, said = MISTAKES[mistake]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read(path)


def test_a_folder_with_one_checkpoint_is_that_checkpoint(tmp_path):
    save_file(STATE, tmp_path / "model.safetensors")
    (tmp_path / "optimizer.bin").write_bytes(b"not looked at")
    (tmp_path / "config.json").write_text("{}")
    assert read(tmp_path).file == tmp_path / "model.safetensors"
    (tmp_path / "pytorch_model.bin").write_bytes(b"the same weights, of an older format")
    assert find_file(tmp_path) == tmp_path / "model.safetensors"
    (tmp_path / "other.pt").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is a folder.*several"):
        read(tmp_path)


def test_safetensors_headers_that_lie(tmp_path):
    path = tmp_path / "m.safetensors"
    for length in (1 << 63, 1 << 39, 200):
        path.write_bytes(length.to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}')
        with pytest.raises(ModelError, match=r"is no safetensors file, or is damaged.*claims"):
            read(path)
    path.write_bytes((17 << 20).to_bytes(8, "little") + b"{" + b" " * (17 << 20))
    with pytest.raises(ModelError, match="larger than any model's"):
        read(path)
    header = b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ModelError, match="is no safetensors file, or is damaged"):
        read(path)
