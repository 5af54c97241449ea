"""One number a picture: against pandas, level by level."""

from __future__ import annotations

import numpy as np
import pytest
from known_models import ON_CPU, Linear, busy_audit, layout_of, pictures

import semaudit
from semaudit.columns import Part, bounds, values
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.metric import NOISE_FLOOR, SCORE
from semaudit.metrics import METRICS
from semaudit.store import Samples


@pytest.fixture(scope="module")
def samples() -> Samples:
    audit = busy_audit()
    return Samples(audit.folder, layout_of(audit))


def column(samples: Samples, name: str, part: Part) -> np.ndarray:
    metric = {**METRICS, "score": SCORE, "noise_floor": NOISE_FLOOR}[name]
    return values(samples, metric, [part])[:, 0]


def test_rungs_of_a_probe(samples: Samples) -> None:
    frame = busy_audit().samples()
    part = Part(samples.layout.matching("contrast"))
    expected = frame[frame["probe"] == "contrast"].groupby("image", sort=False, observed=True)
    np.testing.assert_allclose(column(samples, "shift", part), expected["shift"].mean(), rtol=1e-6)
    np.testing.assert_allclose(column(samples, "flip_rate", part), expected["flip"].mean())


def ladder(probe: str) -> list[float]:
    return next(each.ladder for each in busy_audit().report.battery if each.name == probe)


@pytest.mark.parametrize("by", ["number", "strength"])
def test_one_rung_of_a_probe(samples: Samples, by: str) -> None:
    frame, strength = busy_audit().samples(), ladder("contrast")[1]
    part = Part(samples.layout.matching("contrast"), 2 if by == "number" else strength)
    chosen = (frame["probe"] == "contrast") & (frame["rung"] == 2)
    assert np.allclose(frame.loc[chosen, "strength"], strength)
    np.testing.assert_allclose(column(samples, "shift", part), frame.loc[chosen, "shift"])


def test_an_image_metric_is_the_same_for_every_part(samples: Samples) -> None:
    parts = [Part(samples.layout.matching(None)), Part((1,))]
    both = values(samples, METRICS["entropy"], parts)
    np.testing.assert_array_equal(both[:, 0], both[:, 1])
    np.testing.assert_allclose(both[:, 0], busy_audit().images()["entropy"])


def test_the_noise_floor_is_the_shift_of_its_own_probe(samples: Samples) -> None:
    frame = busy_audit().samples()
    floor = frame[frame["family"] == NOISE_FLOOR_FAMILY]["shift"]
    everything = Part(samples.layout.matching(None))
    np.testing.assert_allclose(column(samples, "noise_floor", everything), floor)


def test_the_score_is_a_hundred_less_the_mean_jump(samples: Samples) -> None:
    everything = Part(samples.layout.matching(None))
    jump = column(samples, "jump", everything)
    np.testing.assert_allclose(column(samples, "score", everything), 100 * (1 - jump))


def test_a_path_that_never_flips_counts_as_the_end_of_its_ladder(samples: Samples) -> None:
    paths = busy_audit().paths()
    part = Part(samples.layout.matching("brightness"))
    onset = paths[paths["probe"] == "brightness"]["onset"].to_numpy()
    assert np.isnan(onset).any()
    assert not np.isnan(onset).all()
    got = column(samples, "onset", part)
    end = ladder("brightness")[-1]
    np.testing.assert_allclose(got, np.where(np.isnan(onset), end, onset), rtol=1e-7)
    assert bounds(METRICS["onset"], samples.layout, part) == (0, end)


def test_bounds_are_the_metrics_own_where_it_is_comparable(samples: Samples) -> None:
    assert bounds(METRICS["top5_distance"], samples.layout, Part((1, 2))) == (0, 18)
    assert bounds(SCORE, samples.layout, Part((1, 2))) == (0, 100)


def test_no_noise_floor_is_no_number() -> None:
    """Left out, it must not read as a floor of zero."""
    size = (3, 8, 8)
    audit = semaudit.scan(
        Linear(size, 4, seed=1),
        pictures(4, size, 2),
        select=["brightness"],
        ignore=["identity"],
        input_size=size,
        **ON_CPU,
    )
    assert audit.report.noise_floor is None
    assert audit.report.estimate("noise_floor") is None
    samples = Samples(audit.folder, layout_of(audit))
    assert np.isnan(column(samples, "noise_floor", Part((0,)))).all()
