"""The flip that an inspection tells of is the one whose onset a scan's tables have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from known_models import Linear, classifier, pictures
from test_breaking import SIZE, brighter, close_above, grey
from torch import Tensor, nn

import semaudit
from semaudit.inspecting import Case, break_of, words
from semaudit.perturbations import Draw
from semaudit.probes import Probe, load_probes

ON_CPU = {"device": "cpu", "gradients": False, "input_size": SIZE, "trust_inputs": True}


class Bands(nn.Module):
    """Class 1 with certainty within bands of mean brightness above grey, class 0 elsewhere."""

    num_classes = 2

    def __init__(self, *bands: tuple[float, float]) -> None:
        super().__init__()
        self.bands = bands

    def forward(self, images: Tensor) -> Tensor:
        mean = images.double().mean((1, 2, 3)) - 0.5
        inside = torch.stack([(low <= mean) & (mean < high) for low, high in self.bands]).any(0)
        logit = torch.where(inside, 3.0, -3.0)
        return torch.stack([-logit, logit], 1)


def brightness() -> Probe:
    return next(probe for probe in load_probes() if probe.name == "brightness")


def inspected(*bands: tuple[float, float], name: str = brighter(1)[0]) -> Case:
    return break_of(classifier(Bands(*bands), SIZE), grey(), name, "brightness")


def scanned(folder: Path, module: nn.Module, count: int = 8) -> tuple[str, float]:
    """The id of a grey picture that a scan brightens, and the onset that it writes for it."""
    images = grey().expand(count, *SIZE).clone()
    semaudit.scan(module, images, select="brightness", out=folder / "audit", **ON_CPU)
    paths = pd.read_parquet(folder / "audit" / "paths.parquet").astype({"probe": str, "image": str})
    onsets = paths[paths["probe"] == "brightness"].set_index("image")["onset"]
    signs = Draw.of(0, "brightness", list(onsets.index)).sign().flatten().tolist()
    return next(
        (str(name), float(onset))
        for (name, onset), sign in zip(onsets.items(), signs, strict=True)
        if sign > 0
    )


def test_flip_back_and_flip_again_is_told_by_the_first_rung_that_flips(tmp_path: Path) -> None:
    first, second, third, last = brightness().ladder
    step = last / 32
    # Unseen between the first two rungs; at the third rung; and for good before the last.
    bands = (
        (first + 0.3 * (second - first), first + 0.8 * (second - first)),
        (second + 0.4 * (third - second), third + 1.2 * step),
        (last - step, 2.0),
    )
    name, onset = scanned(tmp_path, Bands(*bands))
    case = inspected(*bands, name=name)
    assert close_above(case.after.strength, bands[1][0])
    assert case.course.onset == pytest.approx(onset, rel=1e-6)
    assert words.where(case) == f"at {words.strength(onset)}"
    assert case.course.early is not None
    assert bands[0][0] <= case.course.early < bands[0][1]
    assert case.course.back is not None
    assert bands[1][1] <= case.course.back < bands[2][0]
    early, back = words.course(case)
    assert early.startswith(f"another answer already at {words.strength(case.course.early)}")
    assert back == f"it flips back: the clean answer again at {words.strength(case.course.back)}"


def test_a_flip_for_good_says_no_more() -> None:
    case = inspected((0.0713, 2.0))
    assert (case.course.early, case.course.back) == (None, None)
    assert words.course(case) == []


def test_a_flip_between_rungs_alone_is_none_of_the_scan_s() -> None:
    _, _, third, last = brightness().ladder
    low, high = third + 0.3 * (last - third), third + 0.8 * (last - third)
    case = inspected((low, high))
    assert case.flips
    assert case.course.onset is None
    assert close_above(case.after.strength, low)
    assert words.course(case)[0] == "the scan has no flip here, for it looks at the rungs alone"


def test_a_flip_far_below_the_first_rung_is_told_closer_than_the_scan_does() -> None:
    first = brightness().ladder[0]
    case = inspected((first / 300, 2.0))
    assert close_above(case.after.strength, first / 300)
    assert case.course.onset is not None
    assert case.after.strength <= case.course.onset <= case.after.strength + first / 1000
    assert words.where(case) == (
        f"at {words.strength(case.course.onset)}, to the scan; "
        f"more exactly at {words.strength(case.after.strength)}"
    )


def test_the_ladder_of_a_search_is_not_that_of_its_way() -> None:
    model = classifier(Linear(SIZE, 3, seed=5, scale=2.0), SIZE)
    case = break_of(model, pictures(1, SIZE, 2), "a", "worst_linf")
    said = words.of_ladder(case)
    end = words.strength(float(case.sweep.strengths[-1]))
    assert said.startswith(f"along the straight way to the change found at radius {end}")
    assert "radii of the search 0.0009" in said
    assert "of a ladder" not in said
