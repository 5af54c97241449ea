"""The worst case where its numbers meet the world: real weights, and another device."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from known_models import pictures

import semaudit
from semaudit.gradients import Differentiator
from semaudit.look import look
from semaudit.models import load
from semaudit.perturbations import Draw
from semaudit.probes import load_probes
from semaudit.worst import CHEAP, Hunt, worst_frames

IDS = ("a", "b", "c", "d")


@pytest.mark.slow
def test_the_demo_network_raises_no_masking_finding(
    demo_weights: Path, imagenet_pictures: Path
) -> None:
    audit = semaudit.scan(
        demo_weights,
        imagenet_pictures,
        arch="tf_efficientnet_lite0",
        label_pattern=r"imagenet_\d+_(\d+)\.jpg",
        select="worst_linf",
        num_samples=8,
        gradients=False,
        device="cpu",
    )
    assert audit.report.doubts == []
    assert audit.manifest["worst_case"]["steps"] == CHEAP.steps
    # The search that is not doubted does find something.
    worst = audit.samples().query("probe == 'worst_linf'").groupby("rung")["shift"].mean()
    assert worst.is_monotonic_increasing
    assert worst.iloc[-1] > 0.9


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["worst_linf", "worst_l2", "worst_move", "worst_light"])
def test_a_gpu_finds_the_same_worst_case(name: str) -> None:
    """Within what an ascent makes of rounding: signs of slopes near 0 may differ."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    torch.manual_seed(0)
    audited = load(timm.create_model("test_efficientnet", num_classes=5).double())
    (probe,) = (each for each in load_probes() if each.name == name)
    images = pictures(len(IDS), audited.preprocessing.input_size, seed=1, low=0.1, high=0.9)
    found: list[torch.Tensor] = []
    for device in ("cpu", "cuda"):
        placed = audited.place(torch.device(device))
        there = images.to(device)
        with torch.no_grad():
            clean, draw = look(placed, there), Draw.of(0, name, IDS, device)
            hunt = Hunt(CHEAP, Differentiator(placed))
            frames = worst_frames(placed, probe, clean, draw, hunt)
            found.append(torch.stack([clean.shift_to(view) for view in frames], 1).cpu())
    assert (found[0][:, -1] > 0).all()
    torch.testing.assert_close(found[1], found[0], rtol=0.02, atol=1e-9)
