"""The one rule of adding up, on any layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semaudit.layout import NOISE_FLOOR_FAMILY, Layout, Track, reduce

LADDER = (0.1, 0.2, 0.4)


def ladder(n: int) -> tuple[float, ...]:
    return tuple(0.1 * (k + 1) for k in range(n))


def layout_of(*shape: tuple[str, str, int]) -> Layout:
    return Layout(
        tuple(
            Track(name, family, tuple(0.1 * (k + 1) for k in range(n))) for name, family, n in shape
        )
    )


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    families = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=7))
    floor = draw(st.booleans())
    tracks = [(f"p{i}", family, draw(st.integers(1, 5))) for i, family in enumerate(families)]
    return layout_of(*([("identity", NOISE_FLOOR_FAMILY, 1)] if floor else []), *tracks)


def nested(layout: Layout, cells: np.ndarray, tracks: tuple[int, ...]) -> float:
    """The rule, word for word: rungs to probes, probes to families, families to the whole."""
    by_track = {
        t: np.mean([cells[c] for c, (track, _) in enumerate(layout.cells) if track == t])
        for t in tracks
    }
    families: dict[str, list[float]] = {}
    for t in tracks:
        families.setdefault(layout.tracks[t].family, []).append(by_track[t])
    return float(np.mean([np.mean(each) for each in families.values()]))


@given(layouts())
@settings(deadline=None)
def test_weights_sum_to_one(layout: Layout) -> None:
    parts = [None, *layout.families, *(track.name for track in layout.tracks)]
    for tracks in map(layout.matching, parts):
        assert layout.path_weights(tracks).sum() == pytest.approx(1, abs=1e-12)
        assert layout.cell_weights(tracks).sum() == pytest.approx(1, abs=1e-12)
        assert (layout.path_weights(tracks) >= 0).all()
    for rung in range(1, 6):
        has = [t for t, track in enumerate(layout.tracks) if len(track.ladder) >= rung]
        weights = layout.cell_weights(range(len(layout.tracks)), rung)
        assert weights.sum() == pytest.approx(1 if has else 0, abs=1e-12)


@given(layouts(), st.integers(0, 1000))
@settings(deadline=None)
def test_rungs_make_probes_make_families_make_the_whole(layout: Layout, seed: int) -> None:
    cells = np.random.default_rng(seed).normal(size=(4, len(layout.cells)))
    for pattern in (None, *layout.families, *(track.name for track in layout.tracks)):
        tracks = layout.matching(pattern)
        got = reduce(cells, layout.cell_weights(tracks)[:, None])[:, 0]
        np.testing.assert_allclose(got, [nested(layout, row, tracks) for row in cells], atol=1e-12)


def test_the_whole_by_hand() -> None:
    layout = layout_of(
        ("identity", NOISE_FLOOR_FAMILY, 1), ("a1", "a", 2), ("a2", "a", 1), ("b1", "b", 1)
    )
    weights = layout.cell_weights(layout.matching(None))
    np.testing.assert_allclose(weights, [0, 1 / 8, 1 / 8, 1 / 4, 1 / 2])
    np.testing.assert_allclose(layout.path_weights(layout.matching(None)), [0, 1 / 4, 1 / 4, 1 / 2])
    assert layout.families == ("a", "b")
    assert layout.cells == ((0, 0), (1, 0), (1, 1), (2, 0), (3, 0))


def test_a_rung_weighs_the_tracks_that_have_it() -> None:
    layout = layout_of(("a1", "a", 3), ("a2", "a", 2), ("b1", "b", 1))
    everything = layout.matching(None)
    np.testing.assert_allclose(layout.cell_weights(everything, 3), [0, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(layout.cell_weights(everything, 1), [1 / 4, 0, 0, 1 / 4, 0, 1 / 2])
    np.testing.assert_allclose(layout.cell_weights(everything, 0.2), [0, 1 / 2, 0, 0, 1 / 2, 0])
    assert not layout.cell_weights(everything, 9).any()


def test_a_whole_number_counts_rungs_and_a_float_is_a_strength() -> None:
    layout = Layout((Track("p", "f", (0.5, 1.0, 2.0)),))
    assert [layout.rung_index(0, rung) for rung in (0, 1, 2, 3, 4)] == [None, 0, 1, 2, None]
    assert [layout.rung_index(0, rung) for rung in (0.5, 1.0, 2.0, 3.0)] == [0, 1, 2, None]
    assert layout.rung_index(0, 0.5 + 1e-8) == 0


def test_the_noise_floor_counts_only_under_its_own_name() -> None:
    layout = layout_of(("identity", NOISE_FLOOR_FAMILY, 1), ("noisy", "noise", 2))
    assert layout.matching(None) == (1,)
    assert layout.matching("identity") == (0,)
    assert layout.matching("noise") == layout.matching("noisy") == layout.matching("n*") == (1,)
    # A glob over everything must not be diluted by a probe that changes nothing.
    assert layout.matching("*") == layout.matching("*i*") == (1,)
    assert layout.matching("nothing") == ()


def test_reduce_gives_the_weight_of_a_nan_to_the_rows_others() -> None:
    values = np.array([[1.0, 2.0, 4.0], [np.nan, 2.0, 4.0], [1.0, np.nan, np.nan], [np.nan] * 3])
    weights = np.array([[0.5, 0.0], [0.25, 0.0], [0.25, 1.0]])
    expected = [[2.0, 4.0], [3.0, 4.0], [1.0, np.nan], [np.nan, np.nan]]
    np.testing.assert_allclose(reduce(values, weights), expected)


@given(layouts(), st.integers(0, 1000))
@settings(deadline=None)
def test_reduce_with_nan_stays_between_the_rows_values(layout: Layout, seed: int) -> None:
    generator = np.random.default_rng(seed)
    cells = generator.normal(size=(6, len(layout.cells)))
    cells[generator.random(cells.shape) < 0.4] = np.nan
    counted = layout.cell_weights(layout.matching(None)) > 0
    got = reduce(cells, layout.cell_weights(layout.matching(None))[:, None])[:, 0]
    for row, value in zip(cells[:, counted], got, strict=True):
        if np.isnan(row).all():
            assert np.isnan(value)
        else:
            assert np.nanmin(row) - 1e-12 <= value <= np.nanmax(row) + 1e-12


def test_reduce_of_float32_is_summed_in_float64() -> None:
    values = np.full((1, 1000), 0.1, dtype=np.float32)
    got = reduce(values, np.full((1000, 1), 1e-3))
    assert got.dtype == np.float64
    assert got.item() == pytest.approx(float(np.float32(0.1)), abs=1e-14)


def test_reduce_says_nothing_where_nothing_weighs() -> None:
    weights = np.array([[0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(reduce(np.ones((2, 2)), weights), [[np.nan, 1], [np.nan, 1]])
