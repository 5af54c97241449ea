from __future__ import annotations

import builtins
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from foreign_models import (
    SIZE,
    assert_equal_for_any_batch,
    assert_gradient_as_claimed,
    network,
    pictures,
    save_onnx,
)
from onnx import TensorProto, helper, numpy_helper
from program_files import (
    DEMO_SIZE,
    assert_like_the_original,
    assert_same_logits,
    cut_short,
    network_of,
    sound_file,
)
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError
from semaudit.models import load
from semaudit.models.programs.onnx_gradients import simplified
from semaudit.models.programs.onnx_models import open_onnx


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_file(tmp_path_factory, save_onnx, "m.onnx")


@pytest.fixture
def exported(untouched: Path, tmp_path: Path) -> Path:
    """A sound file, to be made unsound."""
    return Path(shutil.copy(untouched, tmp_path / "m.onnx"))


def graph_of(
    path: Path,
    nodes: list[Any],
    *,
    shape: tuple[object, ...] = ("n", 3, 8, 8),
    kind: int = TensorProto.FLOAT,
    tensors: tuple[Any, ...] = (),
    outputs: tuple[str, ...] = ("y",),
    more_inputs: tuple[Any, ...] = (),
    **metadata: str,
) -> Path:
    """Save a small graph from ``x`` to ``outputs``."""
    given = [helper.make_tensor_value_info("x", kind, shape), *more_inputs]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "small", given, taken, list(tensors))
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def mean(over: tuple[int, int] = (2, 3), given: str = "x", output: str = "y") -> Any:
    return helper.make_node("ReduceMean", [given], [output], axes=list(over), keepdims=0)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes two pictures at a time."""
    path = tmp_path_factory.mktemp("static") / "m.onnx"
    save_onnx(network("test_resnet"), path, fixed=True)
    return path


def assert_converted(path: Path, module: nn.Module, batch: int | None) -> None:
    opened = open_onnx(path)
    assert_like_the_original(opened, module, path, "onnx", tolerance=1e-5, batch=batch)
    assert opened.stated == {"input_size": SIZE}
    assert len(opened.notes) == (batch is not None)
    assert opened.provenance["runs_by"] == "onnx2torch"


@pytest.mark.parametrize("batch", [None, 2])
def test_outputs_and_gradients_are_the_originals(request, batch):
    path = request.getfixturevalue("static" if batch else "untouched")
    assert_converted(path, network("test_resnet"), batch)


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("arch", ["test_efficientnet", "test_vit", "test_convnext"])
def test_other_architectures_come_out_the_same(tmp_path, arch, fixed):
    module = network_of(arch)
    save_onnx(module, tmp_path / "m.onnx", fixed=fixed)
    assert_converted(tmp_path / "m.onnx", module, 2 if fixed else None)


@pytest.mark.parametrize("kind", ["untouched", "static"])
def test_the_runtime_alone_gives_the_same_without_gradients(request, kind):
    module = network("test_resnet")
    opened = open_onnx(request.getfixturevalue(kind), gradients=False)
    assert not opened.differentiable
    assert opened.provenance["runs_by"] == "onnxruntime"
    assert "without input gradients (gradients were not asked for)" in opened.notes[-1]
    assert_equal_for_any_batch(opened, module, 1e-4)
    assert_gradient_as_claimed(opened, module)


def test_an_operator_that_cannot_be_converted_runs_by_the_runtime(tmp_path):
    nodes = [mean(output="m"), helper.make_node("Hardmax", ["m"], ["y"])]
    opened = open_onnx(graph_of(tmp_path / "m.onnx", nodes))
    assert not opened.differentiable
    assert "onnx2torch cannot convert it" in opened.notes[-1]
    images = pictures(3, (3, 8, 8))
    expected = nn.functional.one_hot(images.mean((2, 3)).argmax(1), 3).float()
    torch.testing.assert_close(opened.module(images), expected)


def test_a_conversion_that_is_wrong_is_not_used(monkeypatch, exported):
    from semaudit.models.programs import onnx_models

    class Wrong(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, images: Tensor) -> Tensor:
            return self.module(images) * 1.01

    right = onnx_models.converted
    monkeypatch.setattr(onnx_models, "converted", lambda model: Wrong(right(model)))
    opened = open_onnx(exported)
    assert not opened.differentiable
    assert "off by 0.01 of the largest" in opened.notes[-1]


def test_metadata_is_read(tmp_path):
    opened = open_onnx(
        graph_of(
            tmp_path / "m.onnx",
            [mean()],
            names="{0: 'cat', 1: 'dog', 2: 'big, old fox'}",
            mean="[0.1, 0.2, 0.3]",
            std="0.4 , 0.5, 0.6",
            imgsz="[8, 8]",
        )
    )
    assert opened.labels == ("cat", "dog", "big, old fox")
    assert opened.stated == {
        "mean": (0.1, 0.2, 0.3),
        "std": (0.4, 0.5, 0.6),
        "input_size": (3, 8, 8),
    }


def test_channels_last_are_permuted(tmp_path):
    opened = open_onnx(graph_of(tmp_path / "m.onnx", [mean((1, 2))], shape=("n", 8, 10, 3)))
    assert opened.stated["input_size"] == (3, 8, 10)
    assert opened.in_chans == 3
    assert "permuted" in opened.notes[0]
    images = pictures(2, (3, 8, 10))
    torch.testing.assert_close(opened.module(images), images.mean((2, 3)))


def test_bytes_are_fed(tmp_path):
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), mean(given="f")]
    path = graph_of(tmp_path / "m.onnx", nodes, kind=TensorProto.UINT8)
    opened = open_onnx(path)
    assert not opened.differentiable
    assert opened.stated["mean"] == (0.0, 0.0, 0.0)
    assert opened.stated["std"] == (1.0, 1.0, 1.0)
    assert "from 0 to 255" in opened.notes[0]
    images = pictures(2, (3, 8, 8))
    torch.testing.assert_close(opened.module(images), (images * 255).round().mean((2, 3)))


def test_other_whole_numbers_are_refused(tmp_path):
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), mean(given="f")]
    with pytest.raises(ModelError, match="takes int64 numbers"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes, kind=TensorProto.INT64))


def test_half_precision(tmp_path):
    nodes = [mean(output="h"), helper.make_node("Cast", ["h"], ["y"], to=TensorProto.FLOAT)]
    opened = open_onnx(graph_of(tmp_path / "m.onnx", nodes, kind=TensorProto.FLOAT16))
    images = pictures(2, (3, 8, 8))
    torch.testing.assert_close(opened.module(images), images.mean((2, 3)), atol=1e-2, rtol=0)


def test_several_outputs_come_as_a_tuple(tmp_path):
    nodes = [mean(), helper.make_node("Softmax", ["y"], ["p"])]
    opened = open_onnx(graph_of(tmp_path / "m.onnx", nodes, shape=(1, 3, 8, 8), outputs=("y", "p")))
    assert opened.batch == 1
    assert opened.num_classes is None
    images = pictures(3, (3, 8, 8))
    logits, shares = opened.module(images)
    torch.testing.assert_close(logits, images.mean((2, 3)))
    torch.testing.assert_close(shares, images.mean((2, 3)).softmax(1))


def test_several_inputs_are_refused(tmp_path):
    other = helper.make_tensor_value_info("size", TensorProto.FLOAT, ("n", 2))
    with pytest.raises(ModelError, match=r"takes 2 inputs \(x .*size"):
        open_onnx(graph_of(tmp_path / "m.onnx", [mean()], more_inputs=(other,)))


def test_what_is_no_picture_is_refused(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    with pytest.raises(ModelError, match=r"takes 1 input \(x"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes, shape=("n", 5)))


def test_unknown_providers_are_refused(exported):
    with pytest.raises(UsageError, match=r"no provider 'CPUExecutionProvidr'.*did you mean"):
        open_onnx(exported, provider="CPUExecutionProvidr")


def test_the_missing_extra_is_named(monkeypatch, exported):
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("onnxruntime"):
            raise ImportError("gone", name="onnxruntime")
        return real(name, *rest)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModelError, match=r"package onnxruntime: pip install 'semaudit\[onnx\]'"):
        open_onnx(exported)


# Weights in files beside the model.


@pytest.fixture
def with_weights(untouched: Path, tmp_path: Path) -> Path:
    """A model in a folder of its own, with its weights beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save_model(
        onnx.load(untouched),
        folder / "m.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=1024,  # the runtime wants small ones inside
    )
    return folder / "m.onnx"


def relocated(path: Path, **changed: str) -> Path:
    """Say something else of where the first weights lie."""
    model = onnx.load(path, load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.external_data)
    for entry in tensor.external_data:
        entry.value = changed.get(entry.key, entry.value)
    onnx.save(model, path)
    return path


def test_weights_beside_the_model_are_read(with_weights):
    opened = open_onnx(with_weights)
    assert opened.differentiable
    assert_equal_for_any_batch(opened, network("test_resnet"), 1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"location": "../secret.bin"}, "outside the model's folder"),
        ({"location": "a/../../secret.bin"}, "outside the model's folder"),
        ({"location": "/etc/hostname"}, "outside the model's folder"),
        ({"location": "C:\\secret.bin"}, "outside the model's folder"),
        ({"location": ""}, "outside the model's folder"),
        ({"location": "gone.bin"}, "are not there"),
        ({"offset": "-5"}, "reach over the end"),
        ({"offset": "999999999"}, "reach over the end"),
        ({"length": "999999999"}, "reach over the end"),
        ({"length": "1x"}, "no number"),
    ],
)
def test_weights_elsewhere_are_refused(with_weights, changed, said):
    (with_weights.parent.parent / "secret.bin").write_bytes(bytes(1 << 20))
    with pytest.raises(ModelError, match=said):
        open_onnx(relocated(with_weights, **changed))


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_out_of_the_folder_are_refused(with_weights):
    weights = with_weights.parent / "weights.bin"
    elsewhere = with_weights.parent.parent / "secret.bin"
    shutil.move(weights, elsewhere)
    weights.symlink_to(elsewhere)
    with pytest.raises(ModelError, match="behind a link"):
        open_onnx(with_weights)


# What could fill the memory.


def test_a_tensor_that_claims_more_than_there_is(tmp_path):
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    tensor.dims[0] = 10**12
    nodes = [mean(output="m"), helper.make_node("Add", ["m", "w"], ["y"])]
    with pytest.raises(ModelError, match=r"claims more numbers than the file holds"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes, tensors=(tensor,)))


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("operator", ["ConstantOfShape", "Expand", "Tile"])
def test_an_absurd_constant_is_refused(tmp_path, operator, constant):
    shape = numpy_helper.from_array(np.array([10**6, 10**6, 1, 1]), "shape")
    nodes = [helper.make_node("Constant", [], ["shape"], value=shape)] if constant else []
    given = ["shape"] if operator == "ConstantOfShape" else ["x", "shape"]
    nodes += [helper.make_node(operator, given, ["huge"]), mean(given="huge")]
    with pytest.raises(ModelError, match="would not fit into memory"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes, tensors=() if constant else (shape,)))


def test_an_absurd_size_that_follows_is_refused(tmp_path):
    """A size that is computed on the way, from constants that look harmless."""
    million = numpy_helper.from_array(np.array([10**6]), "million")
    nodes = [
        helper.make_node("Concat", ["million", "million", "million"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["s"], keepdims=0),
        mean(output="m"),
        helper.make_node("Add", ["m", "s"], ["y"]),
    ]
    with pytest.raises(ModelError, match="would not fit into memory"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes, tensors=(million,)))


@pytest.mark.parametrize("endless", [False, True])
def test_functions_that_call_without_end_are_refused(tmp_path, endless):
    """Each function calls the one before twice: written out, a billion operators."""
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def function(name, called):
        nodes = [
            helper.make_node(called, ["x"], ["h"], domain="own" if called != "Relu" else ""),
            helper.make_node(called, ["h"], ["y"], domain="own" if called != "Relu" else ""),
        ]
        return helper.make_function("own", name, ["x"], ["y"], nodes, sets)

    functions = [function("f0", "f0" if endless else "Relu")]
    functions += [function(f"f{n}", f"f{n - 1}") for n in range(1, 40)]
    nodes = [helper.make_node("f39", ["x"], ["h"], domain="own"), mean(given="h")]
    path = graph_of(tmp_path / "m.onnx", nodes)
    model = onnx.load(path)
    model.functions.extend(functions)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    with pytest.raises(ModelError, match="has no end" if endless else "over 1,000,000 operators"):
        open_onnx(path)


# What is no model.


@pytest.mark.parametrize("keep", [0, 20, 3000, -200])
def test_damaged_files_are_errors(exported, keep):
    with pytest.raises(ModelError, match=r"damaged|valid"):
        open_onnx(cut_short(exported, keep))


def test_an_operator_of_a_foreign_library_is_refused(tmp_path):
    nodes = [helper.make_node("Run", ["x"], ["y"], domain="evil.ops")]
    with pytest.raises(ModelError, match=r"evil\.ops::Run comes with a library"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes))


def test_an_operator_that_is_none_is_an_error(tmp_path):
    nodes = [helper.make_node("NoSuchOperator", ["x"], ["y"])]
    with pytest.raises(ModelError, match="NoSuchOperator"):
        open_onnx(graph_of(tmp_path / "m.onnx", nodes))


def test_an_opset_from_the_future_is_an_error(exported):
    model = onnx.load(exported)
    model.opset_import[0].version = 999
    onnx.save(model, exported)
    with pytest.raises(ModelError, match=r"valid|cannot be loaded"):
        open_onnx(exported)


def test_names_in_the_graph_run_no_code(tmp_path):
    """The converter makes Python source of the names of operators."""
    marker = tmp_path / "marker"
    node = mean()
    node.name = f'x"), __import__("os").mkdir({str(marker)!r}), ("'
    opened = open_onnx(graph_of(tmp_path / "m.onnx", [node]))
    assert opened.differentiable
    assert not marker.exists()


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_taken_apart(approximate):
    node = helper.make_node("Gelu", ["x"], ["y"], approximate=approximate)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n",)) for name in "xy"]
    graph = helper.make_graph([node], "small", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    plain = simplified(model)
    assert {node.op_type for node in plain.graph.node}.isdisjoint({"Gelu"})
    onnx.checker.check_model(plain)
    values = np.linspace(-4, 4, 41, dtype=np.float32)
    (ours,) = onnx.reference.ReferenceEvaluator(plain).run(None, {"x": values})
    theirs = nn.functional.gelu(torch.from_numpy(values), approximate=approximate)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)


@pytest.mark.slow
def test_real_weights_give_the_same_logits(tmp_path, demo_weights):
    module = load(demo_weights, arch="tf_efficientnet_lite0").module
    save_onnx(module, tmp_path / "m.onnx", size=DEMO_SIZE)
    for gradients in (True, False):
        opened = open_onnx(tmp_path / "m.onnx", gradients=gradients)
        assert opened.provenance["runs_by"] == ("onnx2torch" if gradients else "onnxruntime")
        assert_same_logits(opened, module)
