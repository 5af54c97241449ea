from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_models import (
    CLASSES,
    SIZE,
    assert_equal_for_any_batch,
    network,
    pictures,
    rewritten,
    save_exported,
)
from program_files import (
    DEMO_SIZE,
    assert_like_the_original,
    assert_same_logits,
    cut_short,
    network_of,
    sound_file,
)
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models import load
from semaudit.models.programs.exported import open_exported
from semaudit.models.programs.exported_sizes import Objection, vet_size


def safely(path: Path):
    return open_exported(path, unsafe=False)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_file(tmp_path_factory, save_exported, "m.pt2")


@pytest.fixture
def exported(untouched: Path, tmp_path: Path) -> Path:
    """A sound program, to be made unsound."""
    return Path(shutil.copy(untouched, tmp_path / "m.pt2"))


@pytest.mark.parametrize(
    ("arch", "batch"), [("test_efficientnet", 2), ("test_vit", None)], ids=["fixed", "free"]
)
def test_outputs_and_gradients_are_the_originals(tmp_path, arch, batch):
    module = network_of(arch)
    path = tmp_path / "m.pt2"
    save_exported(module, path, batch)
    opened = safely(path)
    assert_like_the_original(opened, module, path, "torch.export", tolerance=1e-5, batch=batch)
    assert opened.stated == {"input_size": SIZE}
    assert len(opened.notes) == (batch is not None)


def test_a_bounded_batch_is_kept_within_its_bounds(tmp_path):
    module = network("test_resnet")
    bounds = torch.export.Dim("batch", min=2, max=4)
    save_exported(module, tmp_path / "m.pt2", bounds)
    opened = safely(tmp_path / "m.pt2")
    assert opened.batch is None
    assert_equal_for_any_batch(opened, module, 1e-5)


class Pair(nn.Module):
    """Gives two things in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network("test_resnet")

    def forward(self, images: Tensor) -> dict[str, Any]:
        logits = self.net(images)
        return {"logits": logits, "more": (logits * 2, images.mean((1, 2, 3)))}


def test_nested_outputs_are_put_together_again(tmp_path):
    module = Pair().eval()
    save_exported(module, tmp_path / "m.pt2", 2)
    images = pictures(5)
    output, expected = safely(tmp_path / "m.pt2").module(images), module(images)
    torch.testing.assert_close(output["logits"], expected["logits"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output["more"][1], expected["more"][1], atol=1e-5, rtol=1e-5)


def test_metadata_beside_the_program_is_read(tmp_path):
    names = {str(index): f"kind {index}" for index in range(CLASSES)}
    config = {"image_mean": [127.5] * 3, "image_std": [127.5] * 3, "id2label": names}
    path = tmp_path / "m.pt2"
    save_exported(network("test_resnet"), path, preprocessor_config__json=json.dumps(config))
    opened = safely(path)
    assert opened.stated == {"mean": (0.5,) * 3, "std": (0.5,) * 3, "input_size": SIZE}
    assert opened.labels == tuple(names.values())


class Heated(nn.Module):
    """Makes a tensor of its own, on a device that its code names."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) * self.scale + torch.zeros(3, device=torch.device("cpu"))


def test_devices_in_the_graph_follow_the_module(tmp_path):
    save_exported(Heated(), tmp_path / "m.pt2")
    moved = safely(tmp_path / "m.pt2").module.to("meta")
    assert moved(pictures(2).to("meta")).device.type == "meta"


def test_a_program_in_training_mode_is_refused(tmp_path):
    save_exported(network("test_resnet").train(), tmp_path / "m.pt2")
    with pytest.raises(ModelError, match=r"exported in training mode.*model\.eval\(\)"):
        safely(tmp_path / "m.pt2")


class Pixels(nn.Module):
    """Takes whole numbers with the channels last."""

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        return images.float().mean((1, 2))


def test_bytes_with_channels_last_are_fed(tmp_path):
    images = torch.zeros(2, 8, 12, 3, dtype=torch.uint8)
    program = torch.export.export(Pixels(), (images,))
    torch.export.save(program, str(tmp_path / "m.pt2"))
    opened = safely(tmp_path / "m.pt2")
    assert opened.stated == {"mean": (0.0,) * 3, "std": (1.0,) * 3, "input_size": (3, 8, 12)}
    assert not opened.differentiable
    assert "permuted" in opened.notes[0]
    assert "0 to 255" in opened.notes[1]
    given = pictures(5, (3, 8, 12))
    expected = (given * 255).round().mean((2, 3))
    torch.testing.assert_close(opened.module(given), expected)


class Two(nn.Module):
    def forward(self, images: Tensor, other: Tensor) -> Tensor:
        return images + other


def test_several_inputs_are_refused(tmp_path):
    program = torch.export.export(Two(), (pictures(2), pictures(2)))
    torch.export.save(program, str(tmp_path / "m.pt2"))
    with pytest.raises(ModelError, match="takes 2 inputs"):
        safely(tmp_path / "m.pt2")


def edited(path: Path, change) -> Path:
    """Change the program's JSON in place by ``change(program)``."""

    def edit(name: str, content: bytes) -> bytes:
        if name != "models/model.json":
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()

    return rewritten(path, edit)


def first_node(program: dict[str, Any]) -> dict[str, Any]:
    return program["graph_module"]["graph"]["nodes"][0]


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_size_that_runs_code_is_refused(exported, tmp_path):
    marker = tmp_path / "marker"
    code = f"__import__('os').mkdir({str(marker)!r}) or 3"

    def hide(program: dict[str, Any]) -> None:
        sizes = program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = code

    edited(exported, hide)
    with pytest.raises(ModelError, match=r"more than compute: the size.*--unsafe-load"):
        safely(exported)
    assert not marker.exists()
    with pytest.raises(ModelError):
        open_exported(exported, unsafe=True)
    assert marker.exists()  # it would have run


def test_a_pickle_that_runs_code_is_refused(exported, tmp_path):
    marker = tmp_path / "marker"
    hostile = pickle.dumps((Bomb(marker),), protocol=2)

    def hide(name: str, content: bytes) -> bytes:
        return hostile if name == "data/sample_inputs/model.pt" else content

    rewritten(exported, hide)
    with pytest.raises(ModelError, match="holds more than tensors"):
        safely(exported)
    assert not marker.exists()


def pickled_weight(config: dict[str, Any]) -> None:
    next(iter(config["config"].values()))["use_pickle"] = True


def other_object(config: dict[str, Any]) -> None:
    next(iter(config["config"].values()))["path_name"] = "custom_obj_0"


def inflated(config: dict[str, Any]) -> None:
    meta = next(iter(config["config"].values()))["tensor_meta"]
    meta["sizes"], meta["strides"] = [{"as_int": 10**12}], [{"as_int": 0}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pickled_weight, "as a pickle or as another object"),
        (other_object, "as a pickle or as another object"),
        (inflated, "claims more than the file holds"),
    ],
)
def test_weights_that_are_no_plain_tensors_are_refused(exported, change, said):
    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith("model_weights_config.json"):
            return content
        config = json.loads(content)
        change(config)
        return json.dumps(config).encode()

    rewritten(exported, edit)
    with pytest.raises(ModelError, match=said):
        safely(exported)


def retarget(target: str):
    return lambda program: first_node(program).update(target=target)


def rename(program: dict[str, Any]) -> None:
    first_node(program)["name"] = "x\nimport os"


def trace(program: dict[str, Any]) -> None:
    first_node(program)["metadata"]["stack_trace"] = 'File "a", line 1, in f\r    import os'


def tree(kind: str, context: str):
    spec = json.dumps([1, {"type": kind, "context": context, "children_spec": []}])

    def change(program: dict[str, Any]) -> None:
        program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = spec

    return change


def argument(program: dict[str, Any]) -> None:
    signature = program["graph_module"]["module_call_graph"][0]["signature"]
    signature["forward_arg_names"] = ["x=__import__('os')"]


def parameter(program: dict[str, Any]) -> None:
    specs = program["graph_module"]["signature"]["input_specs"]
    spec = next(spec for spec in specs if "parameter" in spec)
    spec["parameter"]["parameter_name"] = 'x"), __import__("os")'


def custom_object(program: dict[str, Any]) -> None:
    program["graph_module"]["graph"]["custom_obj_values"] = {"o": {"name": "o", "class_fqn": "x"}}


def added_key(program: dict[str, Any]) -> None:
    values = program["graph_module"]["graph"]["tensor_values"]
    values["x:=1"] = values["x"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (retarget("torch.hub.load"), "the function 'torch.hub.load'"),
        (retarget("torch.load"), "the function 'torch.load'"),
        (retarget("_operator.methodcaller"), "methodcaller"),
        (retarget("#evil:run"), "the function '#evil:run'"),
        (retarget("torch.ops.inductor.resize"), "the operator"),
        (retarget("torch.ops.aten.from_file.default"), "the operator"),
        (retarget("torch.ops.higher_order.triton_kernel_wrapper_functional"), "the operator"),
        (rename, "the name"),
        (trace, "a control character in stack_trace"),
        (tree("evil.Type", "null"), "the type 'evil.Type'"),
        (tree("builtins.dict", '{"__enum__": true, "fqn": "os:x", "name": "y"}'), "no names"),
        (argument, "the argument"),
        (parameter, "the name"),
        (custom_object, "other kinds than tensors"),
        (added_key, "a name in tensor_values"),
    ],
)
def test_what_a_graph_may_not_say(exported, change, said):
    edited(exported, change)
    with pytest.raises(ModelError, match=f"more than compute.*{said}"):
        safely(exported)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data/aotinductor/model/evil.so", "compiled machine code"),
        ("models/other.json", "a record 'models/other.json'"),
        ("data/weights/other.pt", "a record"),
    ],
)
def test_other_records_are_refused(exported, name, said):
    root = zipfile.ZipFile(exported).namelist()[0].partition("/")[0]
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr(f"{root}/{name}", b"x")
    with pytest.raises(ModelError, match=said):
        safely(exported)


def test_the_format_of_older_torch_is_refused(exported):
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr("version", "8.8")
    with pytest.raises(ModelError, match=r"torch 2\.7 or before.*pickles"):
        safely(exported)


@pytest.mark.parametrize("keep", [0, 10, 3000, -30])
def test_damaged_files_are_errors(exported, keep):
    with pytest.raises(ModelError, match=r"damaged"):
        safely(cut_short(exported, keep))


def test_damaged_graphs_are_errors(exported):
    def drop(program: dict[str, Any]) -> None:
        del program["graph_module"]["graph"]["nodes"][1]

    edited(exported, drop)
    with pytest.raises(ModelError, match="cannot be loaded by torch"):
        safely(exported)
    rewritten(exported, lambda name, content: b"{" if name == "models/model.json" else content)
    with pytest.raises(ModelError, match="cannot be read"):
        safely(exported)


@pytest.mark.parametrize(
    "text",
    [
        "s77",
        "Symbol('s77', positive=True, integer=True)",
        "Mul(Integer(2), Symbol('s0', integer=True))",
        "Pow(Symbol('s0'), Integer(2))",
        "FloorDiv(s0 + 3, 2)*u1 - 1",
        "s0**2 + 1",
        "Eq(Mod(s0, 2), 0)",
    ],
)
def test_sizes_that_are_arithmetic(text):
    vet_size(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "().__class__",
        "s0.__class__",
        "eval('1')",
        "Symbol('__import__')",
        "lambda: 1",
        "[s0 for s0 in s1]",
        "9**9**9",
        "9**99",
        "9**s0",
        "Pow(9, Pow(9, 9))",
        "Pow()",
        "factorial(9999999)",
        "s0 << 999999999999",
        "9" * 30,
        "s0 +" * 2000 + "1",
        "(" * 500 + ")" * 500,
        "Symbol('s0', evil=True)",
        "Integer(*s0)",
        "'s1'*9",
        "Symbol('s1'*9)",
        "",
    ],
)
def test_sizes_that_are_not(text):
    with pytest.raises(Objection):
        vet_size(text)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 2], ids=["free", "fixed"])
def test_real_weights_give_the_same_logits(tmp_path, demo_weights, batch):
    module = load(demo_weights, arch="tf_efficientnet_lite0").module
    save_exported(module, tmp_path / "m.pt2", batch, DEMO_SIZE)
    opened = safely(tmp_path / "m.pt2")
    assert opened.stated["input_size"] == DEMO_SIZE
    assert_same_logits(opened, module)
