from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from semaudit.errors import ModelError, UsageError
from semaudit.files import file_sha256
from semaudit.models.factory import is_factory, open_factory

SOURCE = """
import torch
from torch import nn
import helper_beside_the_factory as helper


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.num_classes = width

    def forward(self, images):
        return self.conv(images).mean((2, 3))

    @classmethod
    def wide(cls):
        return cls(width=helper.WIDE)


def make(width=4):
    return Net(width)


def stated():
    net = Net(2)
    net.default_cfg = {"mean": (0.1,) * 3, "std": (0.9,) * 3, "input_size": (3, 48, 48)}
    net.pretrained_cfg = {"crop_pct": 0.9, "interpolation": "bicubic", "num_classes": 2}
    net.class_names = {0: "cat", 1: "dog"}
    return net


def state_dict():
    return Net().state_dict()


def fails():
    raise RuntimeError("no such weights")


def leaves():
    raise SystemExit(3)


def late():
    import helper_beside_the_factory
    return Net(helper_beside_the_factory.WIDE)


ready = Net(5)
number = 3
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of factories with a module beside it."""
    monkeypatch.delitem(sys.modules, "helper_beside_the_factory", raising=False)
    (tmp_path / "helper_beside_the_factory.py").write_text("WIDE = 9\n")
    path = tmp_path / "nets.py"
    path.write_text(SOURCE)
    return path


def opened(spec: str, **arguments: object):
    return open_factory(spec, model_kwargs=arguments)


@pytest.mark.parametrize(
    ("spec", "yes"),
    [
        ("nets.py:make", True),
        ("some/where/nets.py:Net.wide", True),
        (r"C:\models\nets.py:make", True),
        ("package.module:make", True),
        ("package:make", True),
        (r"C:\models\net.pt", False),
        ("C:net", False),
        ("C:/models/net.pt", False),
        ("hf-hub:org/name", False),
        ("hf_hub:name", False),
        ("local-dir:folder", False),
        ("torchvision:resnet50", False),
        ("https://example.org/nets.py:make", False),
        ("resnet50.a1_in1k", False),
        ("nets.py", False),
        ("nets.py:", False),
        ("nets.py:1a", False),
        ("package.module:make()", False),
        ("", False),
    ],
)
def test_what_has_the_form_of_a_factory(spec, yes):
    assert is_factory(spec) is yes
    if not yes:
        with pytest.raises(UsageError, match="not of the form"):
            opened(spec)


@pytest.mark.parametrize(
    ("what", "width"), [("make", 4), ("Net", 4), ("Net.wide", 9), ("late", 9), ("ready", 5)]
)
def test_functions_classes_and_modules(file, what, width):
    path = list(sys.path)
    model = opened(f"{file}:{what}")
    assert model.module(torch.rand(2, 3, 8, 8)).shape == (2, width)
    assert model.num_classes == width
    assert model.name == f"{file}:{what}"
    assert model.provenance["source"] == "factory"
    assert model.provenance["file"] == str(file)
    assert model.provenance["file_sha256"] == file_sha256(file)
    assert str(model.provenance["arch"]).endswith(".Net")
    assert sys.path == path


def test_a_module_of_a_package(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    assert opened("nets:make", width=6).num_classes == 6
    assert opened("torch.nn:Identity").module.training
    sys.modules.pop("nets", None)


def test_arguments_are_handed_over(file):
    assert opened(f"{file}:make", width=6).num_classes == 6
    with pytest.raises(ModelError, match=r"TypeError: make\(\) got an unexpected .* 'widht'"):
        opened(f"{file}:make", widht=6)
    with pytest.raises(UsageError, match="ready-made"):
        opened(f"{file}:ready", width=6)


def test_what_a_module_states_of_itself(file):
    model = opened(f"{file}:stated")
    assert model.stated == {
        "mean": (0.1, 0.1, 0.1),
        "std": (0.9, 0.9, 0.9),
        "input_size": (3, 48, 48),
        "crop_pct": 0.9,
        "interpolation": "bicubic",
    }
    assert model.labels == ("cat", "dog")


def test_a_ready_made_module_is_copied(file):
    first, second = opened(f"{file}:ready").module, opened(f"{file}:ready").module
    assert first is not second


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("mak", r"the file has no 'mak' \(did you mean 'make'"),
        ("Net.wid", r"Net has no 'wid' \(did you mean 'wide'"),
        ("state_dict", "returned OrderedDict where a torch.nn.Module is needed"),
        ("number", "is a int; name a function"),
        ("fails", r"RuntimeError: no such weights \(.*nets\.py:38\)"),
        ("leaves", r"SystemExit: 3 \(.*nets\.py:42\)"),
    ],
)
def test_what_goes_wrong_in_the_file_is_said(file, what, said):
    path = list(sys.path)
    with pytest.raises(ModelError, match=said):
        opened(f"{file}:{what}")
    assert sys.path == path


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def make(:\n", r"SyntaxError.*bad\.py:1"),
        ("\nimport no_such_package_anywhere\n", r"no_such_package_anywhere.*bad\.py:2"),
        ("1 / 0\n", r"ZeroDivisionError.*bad\.py:1"),
        ("raise SystemExit\n", r"SystemExit.*bad\.py:1"),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path, source, said):
    (tmp_path / "bad.py").write_text(source)
    with pytest.raises(ModelError, match=said):
        opened(f"{tmp_path / 'bad.py'}:make")
    assert not [name for name in sys.modules if name.startswith("semaudit_factory_bad")]


def test_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        opened(f"{tmp_path / 'gone.py'}:make")
    with pytest.raises(ModelError, match="no module 'no_such_package_anywhere'"):
        opened("no_such_package_anywhere.models:make")
    with pytest.raises(ModelError, match=r"no module 'torch\.no_such_part'"):
        opened("torch.no_such_part:make")
