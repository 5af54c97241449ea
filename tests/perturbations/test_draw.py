"""The random numbers: their distribution, their independence, and the same bits everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from semaudit.perturbations import Draw

MILLION = 2**20
IDS = st.lists(st.text(max_size=8), min_size=1, max_size=6)
KEYS = [6943205097184556107, -7574534350362092652]
UNIFORMS = [[10596704, 4101069], [14018501, 7650810]]
NORMALS = [["-0.244903", "0.524419"], ["-0.565374", "-0.738441"]]


def correlation(one: Tensor, other: Tensor) -> float:
    return float(np.corrcoef(one.flatten().double(), other.flatten().double())[0, 1])


def test_uniform_is_uniform() -> None:
    values = Draw.of(0, "p", ["a"]).uniform(MILLION)[0].double().numpy()
    assert 0 <= values.min() < 1e-5
    assert 1 - 1e-5 < values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 0.001
    counts = np.histogram(values, bins=1024, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > 0.001


def test_uniform_is_exact_in_24_bits() -> None:
    scaled = Draw.of(0, "p", ["a", "b"]).uniform(3, 1001).double() * 2**24
    assert torch.equal(scaled, scaled.round())


def test_normal_is_normal() -> None:
    values = Draw.of(0, "p", ["a"]).normal(MILLION)[0].double().numpy()
    error = 4 / np.sqrt(MILLION)
    assert abs(values.mean()) < error
    assert abs(values.var() - 1) < error * np.sqrt(2)
    assert abs(stats.skew(values)) < error * np.sqrt(6)
    assert abs(stats.kurtosis(values)) < error * np.sqrt(24) + 1e-3  # the table ends at 4.33
    assert stats.kstest(values, "norm").pvalue > 0.001


def test_signs_are_even_and_directions_are_round() -> None:
    draw = Draw.of(0, "p", list(map(str, range(20_000))))
    signs = draw.sign()
    assert signs.shape == (20_000, 1, 1, 1)
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert abs(signs.mean().item()) < 0.03
    cosine, sine = draw.direction()
    assert cosine.shape == sine.shape == (20_000, 1, 1, 1)
    torch.testing.assert_close(cosine.square() + sine.square(), torch.ones_like(cosine))
    angles = torch.atan2(sine, cosine).flatten().double().numpy()
    assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.001


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_fields_are_independent(kind: str) -> None:
    draw, other = Draw.of(0, "p", ["a", "b"]), Draw.of(0, "q", ["a", "b"])
    field = getattr(draw, kind)(512, 512)
    limit = 5 / 512
    pairs = {
        "images": (field[0], field[1]),
        "streams": (field, getattr(draw, kind)(512, 512, stream=1)),
        "probes": (field, getattr(other, kind)(512, 512)),
        "seeds": (field, getattr(Draw.of(1, "p", ["a", "b"]), kind)(512, 512)),
        "neighbours across": (field[..., 1:], field[..., :-1]),
        "neighbours down": (field[:, 1:], field[:, :-1]),
        "every fourth": (field[..., 4:], field[..., :-4]),
    }
    for name, (one, two) in pairs.items():
        assert abs(correlation(one, two)) < limit, name


def test_kinds_are_independent() -> None:
    draw = Draw.of(0, "p", list(map(str, range(20_000))))
    columns = [draw.uniform(1), draw.normal(1), draw.sign(), draw.sign(1), *draw.direction()]
    table = np.corrcoef([column.flatten().double().numpy() for column in columns])
    assert np.abs(table - np.eye(len(columns))).max() < 5 / np.sqrt(20_000)


def test_known_bits() -> None:
    """A change of these is a change of every audit ever made: it needs a new major version."""
    draw = Draw.of(0, "gaussian_noise", ["a.png", "b.png"])
    assert draw.keys.tolist() == KEYS
    assert (draw.uniform(2) * 2**24).int().tolist() == UNIFORMS
    assert [[f"{z:.6f}" for z in row] for row in draw.normal(2).tolist()] == NORMALS


def test_a_field_is_computed_once() -> None:
    draw = Draw.of(0, "p", ["a", "b"])
    assert draw.normal(3, 5) is draw.normal(3, 5)
    assert draw.normal(3, 5) is not draw.normal(3, 5, stream=1)
    assert draw.subset(torch.tensor([1])).keys.tolist() == draw.keys[1:].tolist()


def test_a_field_made_in_inference_mode_serves_a_gradient() -> None:
    draw = Draw.of(0, "p", ["a"])
    with torch.inference_mode():
        inside = Draw.of(0, "p", ["a"])
        inside.normal(4)
        draw.normal(4)
    for each in (draw, inside, inside.subset(torch.tensor([0]))):
        image = torch.ones(1, 4, requires_grad=True)
        (image * each.normal(4)).sum().backward()
        assert image.grad is not None
        assert torch.equal(image.grad, draw.normal(4))


@given(ids=IDS, seed=st.integers(-(2**70), 2**70), probe=st.text(max_size=5), data=st.data())
@settings(deadline=None, max_examples=50)
def test_subset_gives_the_same_bits(
    ids: list[str], seed: int, probe: str, data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(0, len(ids) - 1), min_size=1, max_size=8))
    index = torch.tensor(rows)
    warm, cold = Draw.of(seed, probe, ids), Draw.of(seed, probe, ids)
    direct = Draw.of(seed, probe, [ids[row] for row in rows])
    fields = (
        lambda draw: draw.normal(3, 5),
        lambda draw: draw.uniform(7, stream=2),
        lambda draw: draw.sign(),
        lambda draw: torch.cat(draw.direction()),
    )
    whole = [field(warm) for field in fields]
    assert all(len(values) in (len(ids), 2 * len(ids)) for values in whole)
    for field in fields:
        assert torch.equal(field(warm.subset(index)), field(direct))
        assert torch.equal(field(cold.subset(index)), field(direct))


@given(count=st.integers(1, 40), longer=st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_a_longer_field_begins_with_the_shorter(count: int, longer: int) -> None:
    draw = Draw.of(3, "p", ["a", "b"])
    assert torch.equal(draw.uniform(count + longer)[:, :count], draw.uniform(count))
    assert torch.equal(draw.normal(count + longer)[:, :count], draw.normal(count))
