"""The shipped ladders are the calibrated ones, and what is on record of them is so."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
import torch

from semaudit.calibration import CALIBRATION, Meter, propose, recorded
from semaudit.calibration.pictures import meter_of, open_for_calibration
from semaudit.calibration.record import read
from semaudit.probes import Probe, load_probes, probes_dir

SHIPPED = [p for p in load_probes() if p.family not in ("identity", "sequence", "adversarial")]
ON_PURPOSE = {"low_band_noise", "mid_band_noise", "fourier_basis"}
"""One ladder with the high band: equal energy is what makes them comparable."""

every = pytest.mark.parametrize("probe", SHIPPED, ids=lambda probe: probe.name)


@every
def test_every_rung_is_on_record(probe: Probe) -> None:
    record = recorded(probe.name)
    assert record is not None
    assert tuple(at.strength for at in record.ladder) == probe.ladder
    alike = [at.ssim for at in record.ladder]
    assert alike == sorted(alike, reverse=True)
    assert record.milliseconds > 0


@every
def test_the_ladder_is_the_proposed_one(probe: Probe) -> None:
    record = recorded(probe.name if probe.name not in ON_PURPOSE else "high_band_noise")
    assert record is not None
    # Proposals are rounded to two digits.
    assert probe.ladder == pytest.approx(record.proposed, rel=0.051)


def test_the_levels_are_reached() -> None:
    """Where no limit shrinks the ladder, the rungs stand at the levels."""
    free = [p for p in SHIPPED if p.limit is None and p.name not in ON_PURPOSE]
    records = {p.name: recorded(p.name) for p in free}
    by_ssim = {n: r for n, r in records.items() if r and r.by == "ssim" and not r.limited}
    by_displacement = {n: r for n, r in records.items() if r and r.by == "displacement"}
    assert len(by_ssim) >= 15
    assert len(by_displacement) >= 8
    for name, record in by_ssim.items():
        found = [at.ssim for at in record.ladder]
        assert found == pytest.approx([0.98, 0.95, 0.90, 0.80], abs=0.015), name
    for name, record in by_displacement.items():
        found = [at.displacement for at in record.ladder]
        if name != "pixel_shift":  # of 224 pixels, the first rung is rounded up to one
            assert found == pytest.approx([0.0025, 0.005, 0.01, 0.02], rel=0.06), name


def test_levels_within_reach_are_kept_where_the_last_is_not() -> None:
    low_sun, chroma = recorded("low_sun"), recorded("chroma_subsampling")
    assert low_sun is not None
    assert [at.ssim for at in low_sun.ladder[:3]] == pytest.approx([0.98, 0.95, 0.90], abs=0.005)
    assert chroma is not None
    assert chroma.ladder[0].ssim == pytest.approx(0.98, abs=0.005)


def test_the_record_says_what_it_was_made_of() -> None:
    calibration = read(probes_dir() / CALIBRATION)
    assert calibration.pictures == 20
    assert calibration.size == (224, 224)
    assert set(calibration.probes) == {probe.name for probe in SHIPPED}


SLOWEST, TYPICAL = 6.0, 0.5
"""Milliseconds a picture of 224 x 224 at the last rung: of any probe, and the median of all."""


@every
def test_no_probe_costs_more_than_its_share(probe: Probe) -> None:
    record = recorded(probe.name)
    assert record is not None
    assert record.milliseconds <= SLOWEST


def test_the_probes_are_cheap_in_the_median() -> None:
    """If this fails and `make bench` does not, the record was made on a busy machine."""
    costs = [each.milliseconds for each in read(probes_dir() / CALIBRATION).probes.values()]
    assert median(costs) <= TYPICAL


@pytest.fixture(scope="module")
def meter(imagenet_pictures: Path) -> tuple[Meter, str]:
    source = open_for_calibration(imagenet_pictures, 224, 20, 0, r"imagenet_\d+_(\d+)\.jpg")
    return meter_of(source, 20, 0, torch.device("cpu"))


@pytest.mark.slow
@every
def test_the_record_comes_out_again(probe: Probe, meter: tuple[Meter, str]) -> None:
    calibration = read(probes_dir() / CALIBRATION)
    measured, fingerprint = meter
    if fingerprint != calibration.fingerprint:
        pytest.skip("the pictures decode to other values here")
    record, found = calibration.probes[probe.name], propose(measured, probe)
    assert found.ladder == pytest.approx(record.proposed, rel=0.051)
    assert [at.ssim for at in found.now] == pytest.approx(
        [at.ssim for at in record.ladder], abs=0.002
    )
