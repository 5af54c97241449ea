"""`semaudit models describe`: what is in a file, read and not run."""

from __future__ import annotations

import importlib.util
import json

import onnx
import pytest
import torch
from foreign_models import (
    CLASSES,
    SIZE,
    network,
    quiet,
    rewritten,
    save_exported,
    save_onnx,
    save_scripted,
    save_traced,
)
from program_files import cut_short
from shared import Run
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.files import file_sha256
from semaudit.models.describe import describe
from semaudit.models.description import Description, Port, Program

CONFIG = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "crop_pct": 0.9}
STATED = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "crop_pct": 0.9}
LABELS = tuple(f"kind {index}" for index in range(CLASSES))
EXTRA = {"config__json": json.dumps(CONFIG), "labels__txt": "\n".join(LABELS)}
OPEN = ("any", *SIZE)


def program_of(described: Description) -> Program:
    assert described.whole
    assert described.program is not None
    assert described.candidates == ()
    return described.program


def assert_weights(described: Description, module: nn.Module) -> None:
    """Every tensor of the module's state dict, in order, and their sums."""
    state = module.state_dict()
    assert {each.name: each.shape for each in described.tensors} == {
        name: tuple(tensor.shape) for name, tensor in state.items()
    }
    assert {each.dtype for each in described.tensors} == {"float32", "int64"}
    assert described.numbers == sum(tensor.numel() for tensor in state.values())
    assert described.weight_bytes == sum(tensor.nbytes for tensor in state.values())


def test_a_traced_model(tmp_path):
    module = network("test_resnet")
    path = tmp_path / "m.pt"
    save_traced(module, path, **EXTRA)
    described = describe(path)
    program = program_of(described)
    assert described.kind == "a TorchScript archive"
    assert described.sha256 == file_sha256(path)
    assert program.format == {
        "format": "TorchScript, archive version 3",
        "made by": "tracing",
        "class": "timm.models.resnet.ResNet",
    }
    assert program.inputs == (Port("x", OPEN, "float32"),)
    assert program.outputs == (Port("the result", None, "Tensor"),)
    assert program.num_classes is None
    assert program.danger is None
    assert_weights(described, module)
    assert described.preprocessing == STATED
    assert described.labels == LABELS
    assert described.metadata["config.json"] == EXTRA["config__json"]
    assert described.metadata["training"] == "False"


def test_a_scripted_model_states_its_settings_but_no_shapes(tmp_path):
    module = network("test_resnet")
    save_scripted(module, tmp_path / "m.pt")
    described = describe(tmp_path / "m.pt")
    program = program_of(described)
    assert program.inputs == (Port("x", None, "Tensor"),)
    assert described.metadata["num_classes"] == str(CLASSES)
    assert described.preprocessing == {}
    assert_weights(described, module)


def test_a_frozen_script_keeps_its_weights_among_its_constants(tmp_path):
    with quiet():
        torch.jit.freeze(torch.jit.script(network("test_resnet"))).save(tmp_path / "m.pt")
    described = describe(tmp_path / "m.pt")
    assert described.tensors[0].name == "constants.0"
    assert described.tensors[0].shape == (16, 3, 3, 3)
    assert described.numbers > 300_000


class Several(nn.Module):
    """Takes and gives more than one thing."""

    def forward(self, images: Tensor, scales: list[float], more: Tensor | None = None) -> Tensor:
        return images * scales[0] if more is None else more


def test_every_argument_of_a_script_is_told(tmp_path):
    save_scripted(Several(), tmp_path / "m.pt")
    assert program_of(describe(tmp_path / "m.pt")).inputs == (
        Port("images", None, "Tensor"),
        Port("scales", None, "List[float]"),
        Port("more", None, "Optional[Tensor]=None"),
    )


class Writer(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, self.path)
        return images.mean((2, 3))


def test_a_script_that_would_do_more_is_described_and_does_nothing(tmp_path):
    marker = tmp_path / "marker"
    save_scripted(Writer(str(marker)), tmp_path / "m.pt")
    described = describe(tmp_path / "m.pt")
    assert "could do more than compute" in str(program_of(described).danger)
    assert described.metadata["path"] == str(marker)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("batch", "side"),
    [(None, "any"), (2, 2), (torch.export.Dim("batch", min=2, max=4), "1 to 4")],
    ids=["free", "fixed", "bounded"],
)
def test_an_exported_program(tmp_path, batch, side):
    module = network("test_resnet")
    path = tmp_path / "m.pt2"
    save_exported(module, path, batch, **EXTRA)
    described = describe(path)
    program = program_of(described)
    assert described.kind == "a torch.export archive"
    assert program.format["format"].startswith("torch.export, schema ")
    assert program.format["opset"].startswith("aten ")
    assert program.format["made by"] == f"torch {torch.__version__}"
    assert program.inputs == (Port("x", (side, *SIZE), "float32"),)
    (output,) = program.outputs
    assert (output.shape, output.dtype) == ((side, CLASSES), "float32")
    assert program.num_classes == CLASSES
    assert program.danger is None
    assert_weights(described, module)
    assert described.preprocessing == STATED
    assert described.labels == LABELS


def test_a_hostile_exported_program_is_described_and_does_nothing(tmp_path):
    path, marker = tmp_path / "m.pt2", tmp_path / "marker"
    save_exported(network("test_resnet"), path)
    code = f"__import__('os').mkdir({str(marker)!r}) or 3"

    def hide(name: str, content: bytes) -> bytes:
        if name != "models/model.json":
            return content
        program = json.loads(content)
        sizes = program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = code
        return json.dumps(program).encode()

    program = program_of(describe(rewritten(path, hide)))
    assert "could do more than compute" in str(program.danger)
    assert program.inputs == (Port("x", OPEN, "float32"),)
    assert not marker.exists()


@pytest.mark.parametrize("fixed", [False, True])
def test_an_onnx_model(tmp_path, fixed):
    module = network("test_resnet")
    path = tmp_path / "m.onnx"
    save_onnx(module, path, fixed=fixed)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"names": str(list(LABELS)), "mean": "0.5", "std": "0.5"})
    model.model_version = 3
    onnx.save(model, path)
    described = describe(path)
    program = program_of(described)
    assert described.kind == "an ONNX model"
    assert program.format == {
        "format": f"ONNX, IR version {model.ir_version}",
        "opset": str(model.opset_import[0].version),
        "made by": f"pytorch {torch.__version__}",
        "version": "3",
    }
    side = 2 if fixed else "batch"
    assert program.inputs == (Port("x", (side, *SIZE), "float32"),)
    (output,) = program.outputs
    assert output.shape == (side, CLASSES)
    assert program.num_classes == CLASSES
    assert program.danger is None
    kept = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert {each.name: each.shape for each in described.tensors} == kept
    assert described.numbers >= sum(p.numel() for p in module.parameters() if p.ndim > 1)
    assert described.preprocessing == {"mean": (0.5,), "std": (0.5,)}
    assert described.labels == LABELS
    assert described.metadata["mean"] == "0.5"


def test_an_onnx_model_that_points_elsewhere_is_described_with_a_warning(tmp_path):
    path = tmp_path / "m.onnx"
    save_onnx(network("test_resnet"), path)
    model = onnx.load(path)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"
    onnx.save(model, path)
    program = program_of(describe(path))
    assert "lie outside the model's folder" in str(program.danger)
    assert program.num_classes == CLASSES


def test_without_the_extra_an_onnx_model_is_told_by_its_kind(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    save_onnx(network("test_resnet"), path)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnx" else real(name)
    )
    described = describe(path)
    assert described.kind == "an ONNX model"
    assert described.program is None
    assert described.notes == ("pip install 'semaudit[onnx]' to see what is in an ONNX model",)


def claims_too_much(name: str, content: bytes) -> bytes:
    """The 16 x 3 x 3 x 3 of the first convolution as 16 times 2**31 - 1 cubed."""
    largest = b"J\xff\xff\xff\x7f"
    shape = b"(K\x10K\x03K\x03K\x03t"
    if name != "data.pkl":
        return content
    assert shape in content
    return content.replace(shape, b"(K\x10" + 3 * largest + b"t", 1)


def test_a_script_whose_tensor_no_file_could_hold_is_refused(tmp_path):
    save_scripted(network("test_resnet"), tmp_path / "m.pt")
    with pytest.raises(ModelError, match="claims more numbers than any file holds"):
        describe(rewritten(tmp_path / "m.pt", claims_too_much))


CYCLE = b"\x80\x02c__torch__.n\nNet\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb."
"""A module that holds itself."""
DEEP = b"\x80\x02c__torch__.n\nNet\n)\x81}X\x01\x00\x00\x00a" + b"(" * 999 + b"N" + b"t" * 999
OTHER = b"\x80\x02(i__torch__.n\nNet\n."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CYCLE, "nests deeper"),
        (DEEP + b"sb.", "nests deeper"),
        (OTHER, "not as torch writes it"),
        (b"\x80\x02N.", "holds no module"),
        (b"\x80\x02", "not as torch writes it"),
    ],
    ids=["cycle", "deep", "other instruction", "nothing", "cut"],
)
def test_hostile_pickles_of_scripts_are_refused(tmp_path, content, said):
    save_scripted(network("test_resnet"), tmp_path / "m.pt")
    rewritten(tmp_path / "m.pt", lambda name, old: content if name == "data.pkl" else old)
    with pytest.raises(ModelError, match=said):
        describe(tmp_path / "m.pt")


@pytest.mark.parametrize("change", [None, [], {"graph_module": {}}, {"graph_module": []}])
def test_an_exported_program_of_another_form_is_refused(tmp_path, change):
    save_exported(network("test_resnet"), tmp_path / "m.pt2")
    content = json.dumps(change).encode()
    rewritten(tmp_path / "m.pt2", lambda name, old: content if name == "models/model.json" else old)
    with pytest.raises(ModelError, match=r"is no exported program|not as its format is written"):
        describe(tmp_path / "m.pt2")


@pytest.mark.parametrize("save", [save_scripted, save_exported, save_onnx])
@pytest.mark.parametrize("keep", [0, 3000, -30])
def test_damaged_programs_are_errors(tmp_path, save, keep):
    save(network("test_resnet"), tmp_path / "m")
    with pytest.raises(ModelError):
        describe(cut_short(tmp_path / "m", keep))


def test_a_checkpoint(tmp_path):
    module = network("test_resnet")
    wrapped = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    torch.save({"state_dict": wrapped, "arch": "test_resnet"}, tmp_path / "m.pth")
    described = describe(tmp_path / "m.pth")
    assert not described.whole
    assert described.program is None
    assert described.kind == "a PyTorch checkpoint"
    assert described.wrapped == ("state_dict", "module.")
    assert [each.arch for each in described.candidates] == ["test_resnet"]
    assert described.evidence == "stated in arch, and its tensors fit"
    assert described.candidates[0].num_classes == CLASSES
    assert described.nearest == ()
    assert described.numbers == sum(t.numel() for t in wrapped.values())
    assert described.weight_bytes == sum(t.nbytes for t in wrapped.values())


def test_a_checkpoint_that_is_recognised_by_its_tensors(tmp_path):
    torch.save(network("test_resnet").state_dict(), tmp_path / "m.pth")
    described = describe(tmp_path / "m.pth")
    assert described.evidence == "recognised by the names and shapes of its tensors"
    assert [each.arch for each in described.candidates] == ["test_resnet"]


def test_a_checkpoint_of_no_known_architecture_names_what_comes_near(tmp_path):
    state = {f"module.{name}": t for name, t in network("test_resnet").state_dict().items()}
    state["module.extra.weight"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "m.pth")
    described = describe(tmp_path / "m.pth")
    assert described.candidates == ()
    assert described.evidence == ""
    assert "test_resnet" in [arch for arch, _ in described.nearest]


def test_the_command_prints_it(tmp_path, cli: Run):
    save_exported(network("test_resnet"), tmp_path / "m.pt2", **EXTRA)
    done = cli("models", "describe", str(tmp_path / "m.pt2"))
    assert done.code == 0
    text = " ".join(done.stdout.split())
    assert "a torch.export archive" in text
    assert "input x: float32, any x 3 x 64 x 64" in text
    assert "float32, any x 7 classes 7, by the shape of the output" in text
    assert "safety it was read and only computes" in text
    assert "77 float32, 15 int64; 0.38 million numbers, 1.5 MB" in text
    assert "class names 7: kind 0, kind 1" in text
    assert "preprocessing mean (0.1, 0.2, 0.3), std (0.4, 0.5, 0.6), crop_pct 0.9" in text


def test_the_command_gives_json(tmp_path, cli: Run):
    save_traced(network("test_resnet"), tmp_path / "m.pt")
    done = cli("models", "describe", str(tmp_path / "m.pt"), "--format", "json")
    told = json.loads(done.stdout)
    assert told["program"]["inputs"] == [{"name": "x", "shape": [*OPEN], "dtype": "float32"}]
    assert told["tensors"][0]["nbytes"] == 16 * 3 * 3 * 3 * 4
