"""The manifest: all that the samples depend on, checked against what it speaks of."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from shared import ARCH, REPO, Run

import semaudit
from semaudit import models
from semaudit.images import FolderSource, ImageDataset, open_folder
from semaudit.models import PreprocessingOverrides
from semaudit.probes import load_probes, select_battery
from semaudit.report.file import read_report
from semaudit.settings import Settings


@pytest.fixture(scope="module")
def manifest(audited: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((audited / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def test_the_weights_are_the_checkpoints(manifest: dict[str, Any], checkpoint: Path) -> None:
    provenance = manifest["model"]["provenance"]
    digest = hashlib.sha256()
    for key, tensor in sorted(torch.load(checkpoint, weights_only=True).items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    assert provenance["weights_sha256"] == digest.hexdigest()
    assert provenance["file_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert provenance["file"] == str(checkpoint)
    assert provenance["arch"] == ARCH
    assert manifest["model"]["num_classes"] == 4


def test_the_versions_are_the_installed_ones(manifest: dict[str, Any]) -> None:
    versions = manifest["versions"]
    assert versions["semaudit"] == semaudit.__version__
    assert versions["torch"] == version("torch")
    assert versions["timm"] == timm.__version__
    assert {"python", "torchvision", "numpy", "scipy", "pillow", "pyarrow"} <= versions.keys()


def test_every_probe_that_ran_is_there_with_its_text_and_hash(manifest: dict[str, Any]) -> None:
    assert manifest["battery"][0]["name"] == "identity"
    quick = select_battery(load_probes(), ("quick",))
    assert [probe["name"] for probe in manifest["battery"]] == [probe.name for probe in quick]
    for probe in manifest["battery"]:
        file = REPO / "probes" / f"{probe['family']}.yaml"
        assert probe["text"] == file.read_text(encoding="utf-8")
        assert probe["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert probe["ladder"] == sorted(probe["ladder"])


def test_every_setting_is_there_with_its_origin(manifest: dict[str, Any]) -> None:
    assert manifest["settings"].keys() == Settings.model_fields.keys()
    assert manifest["settings"]["img_size"] == {"value": 32, "origin": "flag"}
    assert manifest["settings"]["seed"] == {"value": 0, "origin": "default"}


def test_a_scan_from_python_says_which_model_and_pictures_as_the_command_line_does(
    cli: Run, tiny: tuple[str, ...], checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    """But for those in memory, which have no name to be opened by."""
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu"}
    here = semaudit.scan(checkpoint, pictures, **settings)
    assert cli(*tiny, "--out", "audit").code == 0
    there = json.loads((tmp_path / "audit" / "manifest.json").read_text(encoding="utf-8"))
    for name, said in (("model", str(checkpoint)), ("data", str(pictures))):
        expected = {"value": said, "origin": "flag"}
        assert here.manifest["settings"][name] == there["settings"][name] == expected
    in_memory = semaudit.scan(
        models.load(checkpoint, arch=ARCH, overrides=PreprocessingOverrides(img_size=32)),
        torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
        select="identity",
        device="cpu",
    )
    for name in ("model", "data"):
        assert in_memory.manifest["settings"][name] == {"value": None, "origin": "default"}


def test_an_audit_made_in_python_is_inspected_without_naming_anything_again(
    cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu"}
    semaudit.scan(checkpoint, pictures, out=out, **settings)
    ended = cli("inspect", str(out), "--worst", "1")
    assert ended.code == 0, ended.stderr


def test_where_it_ran(manifest: dict[str, Any]) -> None:
    runtime = manifest["runtime"]
    assert runtime["device"] == "cpu"
    assert runtime["amp_dtype"] == "float32"
    assert runtime["batch_size"] >= 1
    assert runtime["threads"] == torch.get_num_threads()


def test_the_report_agrees(manifest: dict[str, Any], audited: Path) -> None:
    report = json.loads((audited / "report.json").read_text(encoding="utf-8"))
    assert report["data"] == manifest["data"]
    assert report["model"]["weights_sha256"] == manifest["model"]["provenance"]["weights_sha256"]


def fingerprint(checkpoint: Path, data: Path, **settings: object) -> str:
    audit = semaudit.scan(
        checkpoint, data, arch=ARCH, img_size=32, select="identity", device="cpu", **settings
    )
    return str(audit.manifest["data"]["fingerprint"])


def test_the_fingerprint_is_of_names_and_bytes(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    before = fingerprint(checkpoint, pictures)
    copy = shutil.copytree(pictures, tmp_path / "copy")
    assert fingerprint(checkpoint, copy) == before
    assert fingerprint(checkpoint, copy, batch_size=5, seed=1) == before
    # One bit, in a place that does not keep the picture from being read.
    picture = copy / "b" / "1.png"
    content = bytearray(picture.read_bytes())
    picture.write_bytes(bytes(content) + b"\0")
    assert fingerprint(checkpoint, copy) != before
    picture.write_bytes(bytes(content))
    assert fingerprint(checkpoint, copy) == before
    picture.rename(copy / "b" / "9.png")
    assert fingerprint(checkpoint, copy) != before


def test_the_fingerprint_does_not_depend_on_the_order(
    checkpoint: Path, pictures: Path, audited: Path
) -> None:
    size = PreprocessingOverrides(img_size=32)
    model = models.load(checkpoint, arch=ARCH, overrides=size)
    there = open_folder(pictures, model.preprocessing, model.class_names, model.num_classes)
    turned = ImageDataset(there.dataset.items[::-1], model.preprocessing)
    backwards = FolderSource(turned, there.listing)
    audit = semaudit.scan(model, backwards, select="identity", device="cpu")
    assert audit.images()["image"].iloc[0] == "d/2.png"
    assert audit.report.data.fingerprint == read_report(audited / "report.json").data.fingerprint


def test_a_plugin_is_there_with_its_hash(cli: Run, tiny: tuple[str, ...], tmp_path: Path) -> None:
    plugin = tmp_path / "fog.py"
    plugin.write_text(
        "import torch\n"
        "from semaudit import perturbation\n\n"
        "@perturbation(family='weather', ladder=(0.1, 0.2))\n"
        "def fog(images, strength, draw):\n"
        "    'Blend toward white by strength.'\n"
        "    return images.lerp(torch.ones_like(images), strength)\n"
    )
    ended = cli(*tiny, "--plugin", str(plugin), "--select", "fog", "--out", "audit")
    assert ended.code == 0, ended.stderr
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text())
    (loaded,) = manifest["plugins"]
    assert loaded["path"] == str(plugin)
    assert loaded["sha256"] == hashlib.sha256(plugin.read_bytes()).hexdigest()
    assert loaded["perturbations"] == ["fog"]
    fog = manifest["battery"][-1]
    assert fog["name"] == "fog"
    assert "def fog(images, strength, draw)" in fog["text"]
