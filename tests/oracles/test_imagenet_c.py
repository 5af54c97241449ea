"""Where ImageNet-C has the same kind of change: equally visible, it breaks a network as often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from imagenet_c import Corrupt, corruptions, to_images, to_pixels
from torch import Tensor

from semaudit import models
from semaudit.calibration import Meter, strength_at
from semaudit.calibration.pictures import meter_of, open_for_calibration
from semaudit.metrics.ssim import mean_ssim
from semaudit.perturbations import get
from semaudit.probes import Probe, load_probes
from semaudit.statistics import mean_intervals

SEVERITIES = (1, 2, 3)
MOVES = {"elastic"}
"""Equal SSIM is no equal change where points move; theirs also turns and shears the picture."""
PROBES = {probe.name: probe for probe in load_probes()}


def flips(classifier: models.Classifier, clean: Tensor, changed: Tensor) -> np.ndarray:
    with torch.inference_mode():
        before = torch.cat([classifier(part).logits for part in clean.split(10)]).argmax(-1)
        after = torch.cat([classifier(part).logits for part in changed.split(10)]).argmax(-1)
    return (before != after).double().numpy()


def matched(meter: Meter, probe: Probe, alike: float) -> Tensor | None:
    """The pictures under a probe where their mean SSIM is that; None where it gets not so far."""
    draws, perturb = meter.draws(probe), get(probe.perturbation)
    strength = strength_at(
        -alike, lambda each: -meter.ssim(probe, each, draws), perturb.max_strength
    )
    if strength is None:
        return None
    assert meter.ssim(probe, strength, draws) == pytest.approx(alike, abs=0.02)
    return torch.cat(
        [
            perturb(part.images, strength, draw)
            for part, draw in zip(meter.parts, draws, strict=True)
        ]
    )


def disagreement(
    classifier: models.Classifier, meter: Meter, probe: Probe, corrupt: Corrupt
) -> tuple[tuple[float, float], float, float] | None:
    """The 95 % interval of the difference of flip rates, over pictures; and both rates.

    Over the severities that ours can be as visible as; None where it is none.
    """
    clean = torch.cat([part.images for part in meter.parts])
    ours, theirs = [], []
    for severity in SEVERITIES:
        np.random.seed(severity)  # theirs draw from numpy's global generator
        changed = to_images([corrupt(pixels, severity) for pixels in to_pixels(clean)])
        alike = torch.cat(
            [
                mean_ssim(part.reference, piece)
                for part, piece in zip(
                    meter.parts, changed.split(len(meter.parts[0].images)), strict=True
                )
            ]
        ).mean()
        equal = matched(meter, probe, alike.item())
        if equal is not None:
            theirs.append(flips(classifier, clean, changed))
            ours.append(flips(classifier, clean, equal))
    if not ours:
        return None
    difference = np.stack(ours).mean(0) - np.stack(theirs).mean(0)
    (low,), (high,) = mean_intervals(difference[:, None], (-1, 1))
    return (
        (low, high),
        float(np.stack(ours).mean()),
        float(np.stack(theirs).mean()),
    )


@pytest.mark.slow
def test_flips_at_equal_visibility(demo_weights: Path, imagenet_pictures: Path) -> None:
    classifier = models.load(demo_weights)
    source = open_for_calibration(imagenet_pictures, 224, 20, 0, r"imagenet_\d+_(\d+)\.jpg")
    meter, _ = meter_of(source, 20, 0, torch.device("cpu"))
    known = {name: corrupt for name, corrupt in corruptions().items() if name not in MOVES}
    assert len(known) >= 8, f"too few of ImageNet-C's functions still run: {sorted(known)}"
    differing, compared = {}, []
    for name, corrupt in known.items():
        found = disagreement(classifier, meter, PROBES[name], corrupt)
        if found is None:
            print(f"{name}: never as visible as theirs")
            continue
        compared.append(name)
        interval, ours, theirs = found
        print(f"{name}: ours {ours:.3f}, theirs {theirs:.3f}, difference within {interval}")
        if not interval[0] <= 0 <= interval[1]:
            differing[name] = (ours, theirs, interval)
    assert len(compared) >= 8
    assert not differing
