"""Where an image first flips: brackets by hand, thresholds that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import Threshold, draw_of, pictures, scan_along
from torch import Tensor, nn

from semaudit.onset import Flip, first_flips

SIZE = (1, 6, 6)
LADDERS = {
    "brightness": (0.025, 0.05, 0.1, 0.15),
    "contrast": (0.05, 0.1, 0.2, 0.3),
    "gamma": (0.1, 0.2, 0.3, 0.4),
}
BRIGHTNESS = {"brightness": LADDERS["brightness"]}


def test_the_first_flip_is_bracketed_by_the_rung_before_it() -> None:
    flips = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=bool)
    found = list(first_flips(flips, 7))
    assert found == [Flip(7, 1, 0), Flip(7, 2, 1), Flip(7, 3, 2), Flip(7, 4, 0)]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_onsets_of_several_probes_are_where_the_threshold_is_met(batch_size: int) -> None:
    """Mean brightness crosses 0.52 at (0.52 - mean) under brightness, never under contrast."""
    images = pictures(17, SIZE, seed=1, low=0.42, high=0.58)
    audit = scan_along(LADDERS, Threshold(0.52), images, batch_size=batch_size, input_size=SIZE)
    paths = audit.paths().astype({"probe": str}).set_index("probe")["onset"]
    mean = images.double().mean((1, 2, 3)).numpy()
    sign = draw_of(audit, "brightness").sign().flatten().numpy()
    needed = np.where((mean < 0.52) == (sign > 0), np.abs(0.52 - mean), np.inf)
    ladder = np.array([0, *LADDERS["brightness"]])
    got = paths["brightness"].to_numpy()
    assert np.array_equal(np.isnan(got), needed > ladder[-1])
    flips = ~np.isnan(got)
    assert 0 < flips.sum() < len(flips)
    after = np.searchsorted(ladder, needed[flips])
    width = ladder[after] - ladder[after - 1]
    # The strength found has flipped, and one a thousandth of the bracket less has not.
    assert (got[flips] >= needed[flips] - 1e-6).all()
    assert (got[flips] <= needed[flips] + width / 1000 + 1e-6).all()
    assert paths["contrast"].isna().all()
    power = np.log(images.double().numpy())
    sign = draw_of(audit, "gamma").sign().flatten().numpy()
    for row, found in enumerate(paths["gamma"]):
        if not np.isnan(found):
            sides = [
                np.exp(power[row] * (1 + s if sign[row] > 0 else 1 / (1 + s))).mean() >= 0.52
                for s in (found + 1e-5, found * 0.998 - 2e-4)
            ]
            assert sides[0] != sides[1], row


class Band(nn.Module):
    """Class 1 in a band of brightness only: the path flips, and flips back."""

    num_classes = 2

    def forward(self, images: Tensor) -> Tensor:
        offset = (images.double().mean((1, 2, 3)) - 0.5).abs()
        inside = (offset > 0.031) & (offset < 0.06)
        return torch.stack([torch.full_like(offset, 0.5), inside.double()], 1)


def test_a_path_that_flips_back_has_the_onset_of_its_first_bracket() -> None:
    images = torch.full((3, *SIZE), 0.5)
    audit = scan_along(BRIGHTNESS, Band(), images, input_size=SIZE)
    frame = audit.samples().query("probe == 'brightness'")
    assert frame["flip"].tolist() == [0, 1, 0, 0] * 3
    onset = audit.paths().query("probe == 'brightness'")["onset"]
    np.testing.assert_allclose(onset, 0.031, atol=0.025 / 1000)


def test_the_noise_floor_has_no_onset() -> None:
    images = torch.full((3, *SIZE), 0.5)
    audit = scan_along(BRIGHTNESS, Band(), images, input_size=SIZE)
    assert audit.paths().query("probe == 'identity'")["onset"].isna().all()
