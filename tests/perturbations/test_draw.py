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
GOLDEN = -7046029254386353131  # the step of SplitMix64's counter, as a signed integer
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


def test_every_bit_is_even_and_independent_of_the_others() -> None:
    words = Draw.of(0, "p", ["a"])._words("uniform", 0, 2**17)[0].numpy().view(np.uint64)
    bits = (words[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(float)
    assert np.abs(bits.mean(0) - 0.5).max() < 2.5 / np.sqrt(2**17)
    table = np.corrcoef(bits.T) - np.eye(64)
    assert np.abs(table).max() < 5.5 / np.sqrt(2**17)


def test_one_bit_of_the_key_changes_half_of_the_words() -> None:
    keys = torch.tensor([0] + [1 << bit for bit in range(63)])
    words = Draw(keys)._words("uniform", 0, 256).numpy().view(np.uint64)
    changed = np.unpackbits((words[1:] ^ words[0]).view(np.uint8), axis=-1).mean(-1)
    assert np.abs(changed - 0.5).max() < 2.5 / np.sqrt(256 * 64)


@pytest.mark.parametrize("over", ["images", "probes", "seeds"])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_one_pixel_is_even_over(over: str, kind: str) -> None:
    """The first number of a field, which only the key tells apart."""
    if over == "images":
        draw = Draw.of(0, "p", [f"{index:05}.png" for index in range(2**16)])
    else:
        names = ((0, str(index)) if over == "probes" else (index, "p") for index in range(2**14))
        draw = Draw(torch.cat([Draw.of(seed, probe, ["a"]).keys for seed, probe in names]))
    first = getattr(draw, kind)(1).flatten().double().numpy()
    level = first if kind == "uniform" else stats.norm.cdf(first)
    counts = np.histogram(level, 256, (0, 1))[0]
    assert stats.chisquare(counts).pvalue > 0.001
    following = np.histogram2d(level[1:], level[:-1], bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(following.ravel()).pvalue > 0.001


def test_fields_of_many_images_are_independent() -> None:
    """All pairs of 128 images: their correlations squared, scaled, are chi-squared."""
    fields = Draw.of(0, "p", list(map(str, range(128)))).uniform(2**14).double().numpy()
    apart = np.corrcoef(fields)[np.triu_indices(128, 1)] * np.sqrt(2**14)
    assert np.abs(apart).max() < 5.5
    assert 0.001 < stats.chi2.cdf((apart**2).sum(), len(apart)) < 0.999


@pytest.mark.parametrize("step", [1, 2, 3, 4, 224, 224 * 224])
def test_pairs_of_pixels_fill_the_square(step: int) -> None:
    """Neighbours in a row, in a column, in a channel: no lines, as a congruential generator has."""
    values = Draw.of(0, "p", ["a"]).uniform(MILLION + step)[0].double().numpy()
    cells = np.histogram2d(values[:-step], values[step:], bins=64, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(cells.ravel()).pvalue > 0.001


def spectrum_fault(fields: np.ndarray) -> str | None:
    """What is wrong with the spectrum of white fields (n, h, w) of any one distribution, or None.

    The power of each frequency is exponential, so the largest of N exceeds ln N + 9 about once in
    8,000 trials, and the mean of n fields at a frequency is a chi-squared of 2n degrees.
    """
    white = (fields - fields.mean()) / fields.std()
    half = fields.shape[-1] // 2
    power = np.abs(np.fft.rfft2(white, norm="ortho"))[..., 1:half] ** 2
    if power.max() > np.log(power.size) + 9:
        return f"a peak of {power.max():.0f} times the mean"
    if stats.kstest(power.ravel(), "expon").pvalue < 0.001:
        return "not flat"
    means = stats.gamma(len(power), scale=1 / len(power))
    if stats.kstest(power.mean(0).ravel(), means.cdf).pvalue < 0.001:
        return "alike in all fields"
    return None


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("size", [(224, 224), (256, 256), (97, 131)], ids=str)
def test_a_field_shows_no_lattice(kind: str, size: tuple[int, int]) -> None:
    fields = getattr(Draw.of(0, "p", list("abcdefgh")), kind)(*size).double().numpy()
    assert spectrum_fault(fields) is None


def test_a_lattice_would_be_seen() -> None:
    """The same words without the hash, a faint stripe, and one field for all images."""
    good = Draw.of(0, "p", list("abcdefgh")).uniform(224, 224).double().numpy()
    keys = Draw.of(0, "p", list("abcdefgh")).keys
    raw = keys[:, None] + torch.arange(224 * 224) * GOLDEN
    unmixed = ((raw >> 40) & 0xFFFFFF).double().view(8, 224, 224).numpy() / 2**24
    assert spectrum_fault(unmixed) is not None
    stripe = np.cos(2 * np.pi * np.arange(224) * 56 / 224)
    assert "peak" in str(spectrum_fault(good + 0.02 * stripe))
    assert spectrum_fault(np.repeat(good[:1], 8, axis=0)) is not None


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


def test_a_derived_field_is_computed_once_and_goes_with_its_images() -> None:
    draw, calls = Draw.of(0, "p", ["a", "b"]), []

    def compute() -> Tensor:
        calls.append(1)
        return 2 * draw.normal(3)

    first = draw.derived("double", compute, 3)
    assert draw.derived("double", compute, 3) is first
    assert len(calls) == 1
    assert torch.equal(first, 2 * draw.normal(3))
    assert torch.equal(draw.subset(torch.tensor([1])).derived("double", compute, 3), first[1:])
    assert len(calls) == 1
    assert not draw.derived("none", lambda: torch.zeros(2, 0, 5), 0, 5).numel()


def test_long_fields_are_the_short_ones_in_chunks() -> None:
    """The hash works through a batch in chunks; where one ends must not show."""
    together = Draw.of(0, "p", ["a", "b", "c"]).uniform(2**17 + 6)
    assert torch.equal(together[2:], Draw.of(0, "p", ["c"]).uniform(2**17 + 6))
    words = together.numel() // 2
    assert words > 2 * 2**16, "several chunks"
    assert len(together.unique()) > 0.98 * together.numel()


@pytest.mark.gpu
def test_a_gpu_draws_the_same_bits() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    here, there = (Draw.of(0, "p", list("abcde"), device) for device in ("cpu", "cuda"))
    for name, shape in (("uniform", (3, 97, 131)), ("normal", (3, 97, 131)), ("uniform", (7,))):
        for stream in (0, 1):
            field = getattr(there, name)(*shape, stream=stream)
            assert field.device.type == "cuda"
            assert torch.equal(field.cpu(), getattr(here, name)(*shape, stream=stream))
    assert torch.equal(there.sign().cpu(), here.sign())
    for one, other in zip(there.direction(), here.direction(), strict=True):
        assert torch.equal(one.cpu(), other)


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
