"""The real thing: ImageNet weights on ImageNet photographs, through the console command."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from shared import Run

from semaudit.report.file import read_report

ARCH = "tf_efficientnet_lite0"


@pytest.mark.slow
def test_the_demo_network_knows_18_of_foolbox_s_20_pictures(
    process: Run, demo_weights: Path, imagenet_pictures: Path, tmp_path: Path
) -> None:
    model = (str(demo_weights), "--arch", ARCH)
    data = ("--data", str(imagenet_pictures), "--label-pattern", r"imagenet_\d+_(\d+)\.jpg")
    gates = ("--fail-on", "accuracy>=0.6", "--fail-on", "shift[noise]<=0.5")
    ended = process(
        *("scan", *model, *data, "--select", "quick", "--device", "cpu", *gates),
        *("--out", "audit"),
    )
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    report = read_report(tmp_path / "audit" / "report.json")
    assert report.data.pictures == 20
    assert report.model.num_classes == 1000
    assert report.clean.accuracy is not None
    assert report.clean.accuracy.value * 20 == pytest.approx(18)
    images = pd.read_parquet(tmp_path / "audit" / "images.parquet")
    named = images["image"].str.extract(r"_(\d+)\.jpg$")[0].astype(int)
    assert (images["label"] == named).all()
    assert (images["clean_class"] == named).sum() == 18
    # A sane network on real photographs: it moves, but not everywhere.
    assert report.degenerate is None
    assert report.score is not None
    assert 50 < report.score.value < 99
    assert report.noise_floor is not None
    assert report.noise_floor.value < 1e-6
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["provenance"]["keys"] == "by order and shape"
    assert manifest["model"]["preprocessing"]["input_size"] == [3, 224, 224]
    # Classes are called by their names.
    assert {each.clean_name for each in report.worst} & set(ended.stdout.split())
