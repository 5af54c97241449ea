"""Cases by hand, and what must hold of any path."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from known_models import ON_CPU, Threshold, rng

import semaudit
from semaudit.metric import Activation
from semaudit.metrics import Path, View
from semaudit.metrics.paths import (
    STILL,
    concentration,
    jump,
    neighbour_flips,
    neighbour_top5_distance,
    secant_slope,
    shift_area,
)
from semaudit.metrics.steps import path_of, step_between
from semaudit.probes import load_probes, select_battery


def path(
    distance: list[list[float]],
    *,
    shift: list[list[float]] | None = None,
    step: list[list[float]] | None = None,
    strengths: list[float] | None = None,
) -> Path:
    steps = torch.tensor(distance, dtype=torch.float64)
    rungs = steps.shape[1]
    return Path(
        strengths=torch.tensor(strengths or range(1, rungs + 1), dtype=torch.float64),
        shift=steps if shift is None else torch.tensor(shift, dtype=torch.float64),
        distance=steps,
        input_step=torch.ones_like(steps) if step is None else torch.tensor(step).double(),
        flips=torch.zeros_like(steps),
        top5=torch.zeros_like(steps),
    )


def test_by_hand() -> None:
    given = path([[0.1, 0.4, 0.0, 0.3], [0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.9, 0.0]])
    assert jump(given).tolist() == [0.4, 0.2, 0.9]
    assert concentration(given).tolist() == pytest.approx([0.5, 0.25, 1.0])


def test_a_still_path_has_no_concentration_and_no_jump() -> None:
    still = path([[0.0, 0.0], [STILL / 4, STILL / 4]])
    assert concentration(still).isnan().tolist() == [True, True]
    assert jump(still).tolist() == [0, STILL / 4]
    assert shift_area(path([[0.0, 0.0]])).tolist() == [0]


def test_secant_slope_is_the_steepest_step() -> None:
    given = path(
        [[0.1, 0.4], [0.3, 0.2], [0.0, 0.0], [0.5, 0.2], [0.1, 0.2]],
        step=[[0.1, 0.8], [0.0, 0.4], [0.2, 0.1], [0.0, 0.0], [0.1, 0.1]],
    )
    slope = secant_slope(given).numpy()
    # A step of the input of zero has no slope; an input that never moved has none at all.
    np.testing.assert_allclose(slope, [1.0, 0.5, 0.0, np.nan, 2.0])


def test_shift_area_by_hand() -> None:
    given = path([[0, 0, 0]], shift=[[0.2, 0.4, 1.0]], strengths=[1.0, 3.0, 4.0])
    triangles = 0.5 * 1 * 0.2 + 0.5 * (0.2 + 0.4) * 2 + 0.5 * (0.4 + 1.0) * 1
    assert shift_area(given).tolist() == pytest.approx([triangles / 4])
    # Shift in proportion to strength covers half.
    line = path([[0, 0, 0]], shift=[[0.1, 0.2, 0.8]], strengths=[0.1, 0.2, 0.8])
    assert shift_area(line).tolist() == pytest.approx([0.4])


steps = st.integers(1, 6).flatmap(
    lambda rungs: arrays(np.float64, (3, rungs), elements=st.floats(0, 1, width=32))
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_jump_and_concentration_keep_within_the_drift(distance: np.ndarray) -> None:
    given = path(distance.tolist())
    drift, rungs = distance.sum(1), distance.shape[1]
    largest, share = jump(given).numpy(), concentration(given).numpy()
    assert (largest <= drift + 1e-12).all()
    assert (largest >= drift / rungs - 1e-12).all()
    moved = drift > STILL
    assert np.array_equal(np.isnan(share), ~moved)
    assert (share[moved] <= 1 + 1e-12).all()
    assert (share[moved] >= 1 / rungs - 1e-12).all()


@given(st.integers(1, 8), st.floats(1e-3, 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_even_drift_and_one_leap(rungs: int, size: float, at: int) -> None:
    assert concentration(path([[size] * rungs])).item() == pytest.approx(1 / rungs)
    leap = [size * (k == at % rungs) for k in range(rungs)]
    assert concentration(path([leap])).item() == pytest.approx(1)
    assert jump(path([leap])).item() == size


@given(steps, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_shift_area_lies_between_nothing_and_the_largest_shift(
    shift: np.ndarray, seed: int
) -> None:
    rungs = shift.shape[1]
    strengths = np.cumsum(np.random.default_rng(seed).uniform(0.01, 1, rungs))
    given = path(np.zeros_like(shift).tolist(), shift=shift.tolist(), strengths=strengths.tolist())
    area = shift_area(given).numpy()
    whole = np.concatenate([np.zeros((3, 1)), shift], 1)
    expected = np.trapezoid(whole, np.concatenate([[0], strengths]), axis=1) / strengths[-1]
    np.testing.assert_allclose(area, expected, atol=1e-12)
    assert (area >= 0).all()
    assert (area <= shift.max(1) + 1e-12).all()


# Sequences.


def film(logits: np.ndarray, activation: Activation = "softmax") -> Path:
    """The path of n pictures whose K + 1 frames have these outputs, (K + 1, n, classes)."""
    blank = torch.full((logits.shape[1], 1, 4, 4), 0.5)
    views = [View(blank, torch.from_numpy(frame), None, activation) for frame in logits]
    return path_of(
        range(1, len(views)),
        [views[0].shift_to(each) for each in views[1:]],
        [step_between(before, after) for before, after in itertools.pairwise(views)],
    )


def ranks(logits: np.ndarray) -> np.ndarray:
    """(classes,) the rank of each class, from 1."""
    order = np.argsort(-logits, kind="stable")
    places = np.empty(len(logits), np.int64)
    places[order] = np.arange(1, len(logits) + 1)
    return places


def imagenet_p(frames: np.ndarray) -> tuple[float, float]:
    """Flip probability and unstandardised top-5 distance of one film, (K + 1, classes).

    Hendrycks and Dietterich 2019, section 4.2, for the sequences that are no noise: each frame
    against the one before. d(tau, tau') is the sum over i = 1..5 of the number of j between
    min(i, sigma(i)) and max(i, sigma(i)), the lower end left out, for which 1 <= j - 1 <= 5, where
    sigma(i) is the new rank of the class that ranked i.
    """
    flips, distances = [], []
    for before, after in itertools.pairwise(frames):
        flips.append(before.argmax() != after.argmax())
        old, new = ranks(before), ranks(after)
        distance = 0
        for i in range(1, 6):
            moved = new[np.flatnonzero(old == i)[0]]
            between = range(min(i, moved) + 1, max(i, moved) + 1)
            distance += sum(1 <= j - 1 <= 5 for j in between)
        distances.append(distance)
    return float(np.mean(flips)), float(np.mean(distances))


@pytest.mark.parametrize("classes", [5, 6, 10, 100])
def test_neighbours_are_compared_as_imagenet_p_does(classes: int) -> None:
    generator = np.random.default_rng(classes)
    walk = generator.normal(size=(17, 40, classes)).cumsum(0)
    given = film(walk)
    expected = np.array([imagenet_p(walk[:, n]) for n in range(40)])
    np.testing.assert_allclose(neighbour_flips(given).numpy(), expected[:, 0], atol=1e-14)
    np.testing.assert_allclose(neighbour_top5_distance(given).numpy(), expected[:, 1], atol=1e-14)
    assert 0 < expected[:, 0].mean() < 1


def test_neighbour_flips_by_hand() -> None:
    a, b = [1.0, 0.0], [0.0, 1.0]
    frames = np.array([[a, a, a], [a, b, b], [a, a, b], [a, b, b], [b, a, b]])
    assert neighbour_flips(film(frames)).tolist() == [0.25, 1, 0.25]
    # Of labels, the set counts.
    labels = np.array([[[1.0, 1.0]], [[1.0, -1.0]], [[2.0, -1.0]]])
    assert neighbour_flips(film(labels, activation="sigmoid")).tolist() == [0.5]
    nothing = film(frames, activation="none")
    assert neighbour_flips(nothing).isnan().all()
    assert neighbour_top5_distance(nothing).isnan().all()


def test_the_films_are_sixteen_even_steps() -> None:
    films = select_battery(load_probes(), ["sequence"], ["identity"])
    assert [each.name for each in films] == ["pan", "zoom", "turn", "lighting"]
    for each in films:
        steps = np.diff([0, *each.ladder])
        assert len(steps) == 16
        np.testing.assert_allclose(steps, steps[0])
        assert each.family == "sequence"
        assert "standard" not in each.tags
        assert each.claim.endswith(".")


def test_a_film_flips_where_the_model_does() -> None:
    """Light that fades or grows past the threshold flips once, and no more."""
    images = 0.5 + 0.01 * torch.rand((8, 1, 4, 4), generator=rng(1))
    audit = semaudit.scan(
        Threshold(0.455),
        images,
        select=["lighting"],
        input_size=(1, 4, 4),
        fail_on=["neighbour_flips[lighting]<=0.5"],
        **ON_CPU,
    )
    paths = audit.paths().query("probe == 'lighting'")
    samples = audit.samples().query("probe == 'lighting'")
    faded = (samples.groupby("image")["flip"].max() > 0).reindex(paths["image"]).to_numpy()
    assert 0 < faded.sum() < 8
    np.testing.assert_allclose(paths["neighbour_flips"], faded / 16)
    # Of two classes, the first and the second change places: 1 + 1.
    np.testing.assert_allclose(paths["neighbour_top5_distance"], 2 * faded / 16)
    assert audit.verdicts[0].value == pytest.approx(faded.mean() / 16)


def test_the_first_neighbour_is_the_clean_picture() -> None:
    logits = np.eye(6)[[0, 1, 1]][:, None] * 5
    given = film(logits)
    assert neighbour_flips(given).item() == 0.5
    single = film(logits[:2])
    assert neighbour_flips(single).item() == 1
