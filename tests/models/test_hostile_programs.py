"""Whole models made to hang, to fill the memory or to break what reads them."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from foreign_models import network, rewritten, save_exported, save_onnx, save_scripted
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models.describe import describe
from semaudit.models.description import Port, Program
from semaudit.models.programs import exported_reading
from semaudit.models.programs.exported import open_exported
from semaudit.models.programs.outline import MOST_CHANNELS, Outline, listed
from semaudit.models.programs.script_pickle import Instance, Shaped, tensors_in
from semaudit.models.programs.torchscript_vetting import APART
from semaudit.models.stated import read_stated

TENSOR = Shaped((2,), "float32", 4)
SAMPLES = "data/sample_inputs/model.pt"
Graph = dict[str, Any]


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    save_scripted(network("test_resnet"), tmp_path / "m.pt")
    return tmp_path / "m.pt"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "m.pt2"
    save_exported(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 8)).eval(), path)
    return path.read_bytes()


@pytest.fixture
def exported(sound: bytes, tmp_path: Path) -> Path:
    (tmp_path / "m.pt2").write_bytes(sound)
    return tmp_path / "m.pt2"


def with_record(path: Path, record: str, content: bytes) -> Path:
    rewritten(path, lambda name, old: content if name == record else old)
    return path


def changed(path: Path, change: Callable[[Graph], None], record: str = "models/model.json") -> Path:
    def edit(name: str, old: bytes) -> bytes:
        if name != record:
            return old
        graph = json.loads(old)
        change(graph)
        return json.dumps(graph).encode()

    rewritten(path, edit)
    return path


def danger(path: Path) -> str:
    program = describe(path).program
    assert program is not None
    assert program.danger is not None
    return program.danger


# The three that follow took minutes to hours once.


@pytest.mark.parametrize(("end", "inputs"), [(" Tensor:\n", 1), ("", 0)])
def test_a_signature_of_any_length_is_read_from_piece_to_piece(scripted, end, inputs):
    def forwards(name: str, old: bytes) -> bytes:
        found = re.search(rb"^class \w+\(Module\):\n", old, re.M)
        if not name.endswith(".py") or not found:
            return old
        heads = "  def forward(self: a,\n    x: Tensor) -> "
        rest = "" if end else heads * 50_000
        return found[0] + (heads + end + rest).encode()

    program = describe(rewritten(scripted, forwards)).program
    assert program is not None
    assert [port.name for port in program.inputs] == ["x"] * inputs


def test_a_path_within_a_path_is_no_start_of_one():
    assert APART.search("__torch__.a" * 100_000) is None
    assert APART.search("x = __torch__.a .b")
    assert APART.search("x = __torch__.a. b")
    assert APART.search("x = __torch__.a + b")


def test_many_records_are_counted_once_each(scripted):
    with zipfile.ZipFile(scripted, "a") as archive:
        for index in range(20_000):
            archive.writestr(f"m/extra/{index}", b"")
    assert describe(scripted).whole


def test_a_list_that_holds_itself_is_refused():
    endless: list[object] = []
    endless += [endless] * 700_000
    with pytest.raises(ModelError, match="nests deeper, or holds more"):
        list(tensors_in(endless))


def test_plain_values_beside_a_list_that_holds_itself_are_passed_over_once():
    endless: list[object] = [0] * 1_000_000
    endless += [endless, endless]
    with pytest.raises(ModelError, match="nests deeper"):
        list(tensors_in(endless))


def test_the_names_on_a_deep_way_are_cut_together():
    inner: object = {"weight": TENSOR}
    for _ in range(50):
        inner = {"n" * 1000: inner}
    [(name, tensor)] = tensors_in(inner)
    assert name == ("n" * 200)
    assert tensor is TENSOR


def test_tensors_keep_their_order_and_names():
    root = Instance("a", {"b": [1, TENSOR, {"c": TENSOR}], "d": Instance("e", {"f": TENSOR})})
    assert [name for name, _ in tensors_in(root)] == ["b.1", "b.2.c", "d.f"]


class ByNumber(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[int, Tensor] = {7: torch.zeros(2, 3)}

    def forward(self, images: Tensor) -> Tensor:
        return images + self.tables[7].sum()


def test_tensors_under_numbers_are_listed(tmp_path):
    save_scripted(ByNumber(), tmp_path / "m.pt")
    assert [(each.name, each.shape) for each in describe(tmp_path / "m.pt").tensors] == [
        ("tables.7", (2, 3))
    ]


def saved(value: object) -> bytes:
    into = io.BytesIO()
    torch.save(value, into)
    return into.getvalue()


def repacked(content: bytes, method: int, data: Callable[[bytes], bytes]) -> bytes:
    """A saved file with another pickle, packed in another way."""
    into = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(into, "w", method) as new,
    ):
        for entry in old.infolist():
            held = old.read(entry)
            new.writestr(entry.filename, data(held) if "data.pkl" in entry.filename else held)
    return into.getvalue()


class Large:
    """A call of ``bytearray`` that would take a terabyte."""

    def __reduce__(self) -> tuple[object, ...]:
        return bytearray, (1 << 40,)


@pytest.mark.parametrize(
    "content",
    [
        repacked(saved(0), zipfile.ZIP_STORED, lambda _: pickle.dumps(Large(), protocol=2)),
        repacked(saved(torch.zeros(4)), zipfile.ZIP_DEFLATED, lambda old: old),
        repacked(saved(0), zipfile.ZIP_DEFLATED, lambda old: old + bytes(4 << 20)),
        pickle.dumps(Large(), protocol=2),
        b"",
    ],
    ids=["bytearray", "packed", "bomb", "bare", "empty"],
)
def test_sample_inputs_are_played_through_and_not_loaded(exported, content, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))
    with_record(exported, SAMPLES, content)
    assert f"{SAMPLES} holds more than tensors" in danger(exported)
    with pytest.raises(ModelError, match="holds more than tensors"):
        open_exported(exported, unsafe=False)


def test_a_sound_program_is_described_without_loading(exported, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))
    program = describe(exported).program
    assert program is not None
    assert program.danger is None


def first_sizes(graph: Graph) -> list[Any]:
    values = graph["graph_module"]["graph"]["tensor_values"]
    sizes: list[Any] = next(iter(values.values()))["sizes"]
    return sizes


@pytest.mark.parametrize(
    "sizes", [[{"as_int": float("inf")}], [{"as_int": 3}] * 65], ids=["infinite", "many"]
)
def test_shapes_that_none_has_are_damage(exported, sizes):
    def change(graph: Graph) -> None:
        for value in graph["graph_module"]["graph"]["tensor_values"].values():
            value["sizes"] = sizes

    with pytest.raises(ModelError, match="damaged"):
        describe(changed(exported, change))


@pytest.mark.parametrize("sizes", [[{"as_int": float("inf")}], [{"as_int": 3}] * 65])
def test_weights_of_a_shape_that_none_has_are_refused(exported, sizes):
    with zipfile.ZipFile(exported) as archive:
        inner = (name.partition("/")[2] for name in archive.namelist())
        record = next(name for name in inner if re.search(r"weights/model_\w+_config", name))

    def change(config: Graph) -> None:
        for payload in config["config"].values():
            payload["tensor_meta"]["sizes"] = sizes

    assert re.search("does not describe|a shape that no", danger(changed(exported, change, record)))


def test_an_endless_graph_is_refused_before_it_is_parsed(exported, monkeypatch):
    monkeypatch.setattr(exported_reading, "LARGEST_JSON", 1000)
    with pytest.raises(ModelError, match=r"more than any network's"):
        describe(exported)


def test_many_values_in_little_text_are_refused_before_they_are_parsed(exported, monkeypatch):
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("parsed"))
    with pytest.raises(ModelError, match=r"some 4,000,\d+ values, more than any network's"):
        describe(with_record(exported, "models/model.json", b"[" + b"[]," * 2_000_000 + b"0]"))


def test_a_list_of_weights_is_not_read_hundreds_of_times(exported, monkeypatch):
    with zipfile.ZipFile(exported, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        for index in range(3):
            archive.writestr(f"{root}/data/weights/model_{index}_config.json", b"{}")
    assert re.search(r"\d lists of weights", danger(exported))


@pytest.mark.parametrize(
    "metadata",
    [
        {"mean": "[1" + "0" * 400 + "]", "std": "[1]"},
        {"mean": [10**400], "std": [1]},
        {"mean": [1 << 53], "std": [1]},
        {"input_size": [10**400]},
        {"labels": "[0x" + "f" * 5000 + "]"},
        {"labels": {float("inf"): "a"}},
    ],
)
def test_numbers_of_any_length_are_left_out(metadata):
    stated = read_stated(metadata)
    assert stated.preprocessing == {}
    assert stated.labels is None


@pytest.mark.parametrize(
    ("stated", "channels"), [(1, 1), (MOST_CHANNELS, MOST_CHANNELS), (MOST_CHANNELS + 1, 3), (0, 3)]
)
def test_channels_that_no_picture_has_count_as_none(stated, channels):
    program = Program({}, (Port("x", ("any", stated, 8, 8), "float32"),), (), None, None)
    assert Outline(program, (), {}).channels == channels


def test_a_tensor_of_many_sides_is_not_multiplied():
    with pytest.raises(ModelError, match="damaged"):
        listed("w", [3] * 1_000_000, "float32", 4)


def graph_file(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    save_onnx(network("test_resnet"), path)
    model = onnx.load(str(path))
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def without_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].domain = "com.microsoft"
    del model.opset_import[1:]


def many_sides(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims.extend([3] * 100_000)


def many_input_sides(model: onnx.ModelProto) -> None:
    for _ in range(100):
        model.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 3


@pytest.mark.parametrize("change", [without_opset, many_sides, many_input_sides])
def test_onnx_that_no_runtime_takes_is_damaged(tmp_path, change):
    with pytest.raises(ModelError, match="damaged"):
        describe(graph_file(tmp_path / "m.onnx", change))


def shaped_by_text(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(["x"], dtype=object), "words"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["words"], ["made"]))


@pytest.mark.parametrize("location", ["a\0b", "a" * 5000])
def test_weights_under_names_that_no_system_takes(tmp_path, location):
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    assert "cannot be looked at" in danger(graph_file(tmp_path / "m.onnx", change))


def test_a_shape_of_words(tmp_path):
    assert danger(graph_file(tmp_path / "m.onnx", shaped_by_text))
