"""Ladders at stated visibility, on perturbations whose visibility is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from semaudit.calibration import Meter, propose, strength_at
from semaudit.calibration.equal import at_ssim
from semaudit.calibration.ladders import _ladder
from semaudit.errors import ProbeError
from semaudit.perturbations import get
from semaudit.probes import Probe, load_probes, select_battery

PROBES = {probe.name: probe for probe in load_probes()}


def meter(count: int = 3, side: int = 64) -> Meter:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return Meter.of(images.clamp(0, 1), [f"{index}.png" for index in range(count)], seed=5)


def test_distances_are_means_over_the_pictures() -> None:
    measured, probe = meter(), PROBES["gaussian_noise"]
    draws = measured.draws(probe)
    (part,) = measured.parts
    clean = part.images.double().numpy()
    changed = get("gaussian_noise")(part.images, 0.05, draws[0]).double().numpy()
    found = measured.distances(probe, 0.05, draws)
    alike = [
        structural_similarity(one, other, data_range=1, channel_axis=0)
        for one, other in zip(clean, changed, strict=True)
    ]
    assert found.ssim == pytest.approx(np.mean(alike), abs=1e-5)
    difference = (changed - clean).reshape(3, -1)
    assert found.rms == pytest.approx(np.sqrt((difference**2).mean(1)).mean(), rel=1e-5)
    assert found.linf == pytest.approx(np.abs(difference).max(1).mean(), rel=1e-5)
    assert found.displacement is None


def test_parts_do_not_change_the_means() -> None:
    probe, many = PROBES["contrast"], meter(20, 32)
    images = torch.cat([part.images for part in many.parts])
    assert len(many.parts) == 2
    whole = Meter((replace(many.parts[0], images=images, image_ids=tuple(
        name for part in many.parts for name in part.image_ids)),), seed=5)  # fmt: skip
    one = many.distances(probe, 0.2, many.draws(probe))
    other = whole.distances(probe, 0.2, whole.draws(probe))
    assert one.ssim == pytest.approx(other.ssim, abs=1e-6)
    assert one.rms == pytest.approx(other.rms, abs=1e-6)


@pytest.mark.parametrize("level", [0.01, 0.3, 0.8])
def test_the_strength_at_a_level(level: float) -> None:
    assert strength_at(level, math.tanh, 2.0) == pytest.approx(math.atanh(level), rel=2e-3)


def test_no_strength_at_a_level() -> None:
    assert strength_at(0.99, math.tanh, 1.0) is None


def test_a_jump_over_the_level() -> None:
    found = strength_at(0.5, lambda strength: float(strength > 0.3), 1.0)
    assert found == pytest.approx(0.3, rel=2e-3)


def test_the_proposed_ladder_has_the_levels() -> None:
    proposal = propose(meter(), PROBES["gaussian_noise"])
    assert proposal.by == "ssim"
    assert not proposal.limited
    found = [at.ssim for at in proposal.proposed]
    assert found == pytest.approx([0.98, 0.95, 0.90, 0.80], abs=0.01)


def test_a_geometric_ladder_has_the_displacements() -> None:
    proposal = propose(meter(), replace(PROBES["rotation"], limit=None))
    assert proposal.by == "displacement"
    found = [at.displacement for at in proposal.proposed]
    assert found == pytest.approx([0.0025, 0.005, 0.01, 0.02], rel=0.06)


def test_a_limit_shrinks_the_ladder_in_proportion() -> None:
    free = propose(meter(), replace(PROBES["gaussian_noise"], limit=None)).ladder
    bound = propose(meter(), replace(PROBES["gaussian_noise"], limit=free[-1] / 2))
    assert bound.limited
    assert bound.ladder == pytest.approx([each / 2 for each in free], rel=0.06)


@pytest.mark.parametrize(
    ("strengths", "highest", "limit", "expected", "limited"),
    [
        ((0.1, 0.2, 0.3, 0.4), 1.0, 1.0, (0.1, 0.2, 0.3, 0.4), False),
        ((0.1, 0.2, 0.3, 0.4), 1.0, 0.2, (0.05, 0.1, 0.15, 0.2), True),
        ((0.1, 0.2, 0.3, None), 1.0, 1.0, (0.1, 0.2, 0.3, 1.0), True),
        ((0.6, None, None, None), 0.9, 0.9, (0.6, 0.7, 0.8, 0.9), True),
        ((0.2, 0.4, None, None), 1.0, 0.5, (0.1, 0.2, 0.35, 0.5), True),
        ((None, None, None, None), 1.0, 0.4, (0.1, 0.2, 0.3, 0.4), True),
        ((0.1, 0.1001, 0.3, 0.4), 1.0, 1.0, (0.1, 0.3, 0.4), False),
    ],
)
def test_levels_within_reach_stay_and_the_limit_shrinks_all_in_proportion(
    strengths: tuple[float | None, ...],
    highest: float,
    limit: float,
    expected: tuple[float, ...],
    limited: bool,
) -> None:
    assert _ladder(strengths, highest, limit) == (expected, limited)


def test_a_level_out_of_reach_still_ends_at_the_limit() -> None:
    probe: Probe = replace(PROBES["brightness"], limit=0.1)
    dim = Meter.of(torch.full((2, 3, 32, 32), 0.5), ["a", "b"])
    proposal = propose(dim, probe)
    assert proposal.limited
    assert proposal.ladder[-1] == 0.1


def test_what_moves_by_whole_pixels_has_the_levels_before_rounding() -> None:
    proposal = propose(meter(), PROBES["pixel_shift"])
    assert (proposal.by, proposal.limited) == ("displacement", False)
    assert proposal.ladder == (0.0025, 0.005, 0.01, 0.02)
    assert all(at.displacement and at.displacement * 64 >= 1 for at in proposal.now)


def test_every_probe_at_equal_visibility() -> None:
    measured = meter()
    battery = select_battery(load_probes(), ("noise", "gaussian_blur"))
    kept, notes = at_ssim(battery, 0.9, measured)
    assert kept[0].name == "identity"
    assert {"gaussian_noise", "gaussian_blur"} < {probe.name for probe in kept}
    for probe in kept[1:]:
        (strength,) = probe.ladder
        alike = measured.ssim(probe, strength, measured.draws(probe))
        assert alike == pytest.approx(0.9, abs=0.02)
    assert "equal visibility" in notes[0]


def test_probes_that_cannot_are_left_out_and_none_is_an_error() -> None:
    battery = select_battery(load_probes(), ("brightness", "gaussian_noise"))
    flat = Meter.of(torch.full((2, 3, 32, 32), 0.5), ["a", "b"])
    kept, notes = at_ssim(battery, 0.3, flat)
    assert "brightness" not in {probe.name for probe in kept}
    assert "left out" in notes[1]
    assert "brightness" in notes[1]
    with pytest.raises(ProbeError, match="no probe"):
        at_ssim(select_battery(load_probes(), ("brightness",)), 0.3, flat)


def test_films_have_no_one_strength() -> None:
    battery = select_battery(load_probes(), ("brightness", "pan", "zoom"))
    steps: list[tuple[int, int]] = []
    kept, notes = at_ssim(battery, 0.9, meter(), lambda *step: steps.append(step))
    assert [probe.name for probe in kept] == ["identity", "brightness"]
    assert notes[-1] == "left out, for a film of one frame is none: pan, zoom"
    assert steps == [(0, 2), (1, 2), (2, 2)]
    with pytest.raises(ProbeError, match=r"films \(pan\) have no one strength"):
        at_ssim(select_battery(load_probes(), ("pan",)), 0.9, meter())
