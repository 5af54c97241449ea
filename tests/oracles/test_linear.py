"""A linear softmax model: its shift, flips and onsets have closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import ON_CPU, Linear, Permuted, draw_of, pictures, rng, scan_along
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import binom, norm
from torch import Tensor, nn

import semaudit

SIZE = (3, 8, 8)
N = 60
LADDERS = {
    "brightness": (0.025, 0.05, 0.1, 0.15),
    "contrast": (0.05, 0.1, 0.2, 0.3),
    "gaussian_noise": (0.004, 0.008, 0.016, 0.031),
}


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pictures(N, SIZE, seed=1, low=0.2, high=0.8)


@pytest.fixture(scope="module")
def module() -> Linear:
    linear = Linear(SIZE, 7, seed=2, scale=0.6)
    # With a bias of its own, scaling the contrast changes which class is first.
    linear.head.bias.data += torch.randn(7, generator=rng(6), dtype=torch.float64)
    return linear


@pytest.fixture(scope="module")
def audit(module: Linear, images: Tensor) -> semaudit.Audit:
    return scan_along(LADDERS, module, images, seed=5, batch_size=7, input_size=SIZE)


def direction(audit: semaudit.Audit, images: Tensor, probe: str) -> np.ndarray:
    """d in x' = x + strength * d, float64 (n, pixels): all three perturbations are of this form."""
    draw, x = draw_of(audit, probe), images.double().flatten(1).numpy()
    if probe == "gaussian_noise":
        return draw.normal(*SIZE).double().flatten(1).numpy()
    sign = draw.sign().double().numpy().reshape(-1, 1)
    return sign * (np.ones_like(x) if probe == "brightness" else x - x.mean(1, keepdims=True))


def logits(module: nn.Module, x: np.ndarray) -> np.ndarray:
    return x @ module.head.weight.numpy(force=True).T + module.head.bias.numpy(force=True)


def column(audit: semaudit.Audit, probe: str, name: str) -> np.ndarray:
    frame = audit.samples().astype({"probe": str})
    return frame.loc[frame["probe"] == probe, name].to_numpy().reshape(N, -1)


@pytest.mark.parametrize("probe", LADDERS)
def test_shift_flips_and_distances(
    probe: str, audit: semaudit.Audit, module: Linear, images: Tensor
) -> None:
    x, d = images.double().flatten(1).numpy(), direction(audit, images, probe)
    clean = logits(module, x)
    assert np.allclose(column(audit, probe, "strength"), [LADDERS[probe]] * N)
    for rung, strength in enumerate(LADDERS[probe]):
        moved = x + strength * d
        assert 0 < moved.min() < moved.max() < 1  # nothing clips
        z = logits(module, moved)
        shift = jensenshannon(softmax(clean, 1), softmax(z, 1), base=2, axis=1) ** 2
        np.testing.assert_allclose(column(audit, probe, "shift")[:, rung], shift, atol=1e-6)
        flips = z.argmax(1) != clean.argmax(1)
        np.testing.assert_array_equal(column(audit, probe, "flip")[:, rung], flips)
        np.testing.assert_array_equal(column(audit, probe, "class")[:, rung], z.argmax(1))
        rms = np.sqrt(((strength * d) ** 2).mean(1))
        np.testing.assert_allclose(column(audit, probe, "input_rms")[:, rung], rms, rtol=1e-5)
        largest = np.abs(strength * d).max(1)
        np.testing.assert_allclose(column(audit, probe, "input_linf")[:, rung], largest, rtol=1e-5)
        # The features of a linear model are the picture itself.
        cosine = (x * moved).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(moved, axis=1)
        turned = column(audit, probe, "feature_distance")[:, rung]
        np.testing.assert_allclose(turned, 1 - cosine, atol=1e-7)
        change = (z - clean) - (z - clean).mean(1, keepdims=True)
        length = np.linalg.norm(change, axis=1)
        np.testing.assert_allclose(column(audit, probe, "logit_distance")[:, rung], length, 1e-5)


@pytest.mark.parametrize("probe", LADDERS)
def test_onsets(probe: str, audit: semaudit.Audit, module: Linear, images: Tensor) -> None:
    """Class j overtakes the clean class c at (z_c - z_j) / (w_j - w_c).d, if that is positive."""
    x, d = images.double().flatten(1).numpy(), direction(audit, images, probe)
    z, slope = logits(module, x), d @ module.head.weight.numpy(force=True).T
    rows, first = np.arange(N), z.argmax(1)
    gain = slope - slope[rows, first][:, None]
    margin = z[rows, first][:, None] - z
    crossing = np.where(gain > 0, margin / np.where(gain > 0, gain, 1), np.inf).min(1)
    paths = audit.paths().astype({"probe": str}).set_index("probe")
    onset = paths.loc[probe, "onset"].to_numpy()
    flips = crossing <= LADDERS[probe][-1]
    np.testing.assert_array_equal(~np.isnan(onset), flips)
    assert flips.sum() >= 3
    rungs = np.array((0, *LADDERS[probe]))
    after = np.searchsorted(rungs, crossing[flips])
    width = rungs[after] - rungs[after - 1]
    assert (np.abs(onset[flips] - crossing[flips]) <= width / 1000 + 1e-7).all()


@pytest.mark.parametrize("probe", LADDERS)
def test_jump_concentration_and_area(
    probe: str, audit: semaudit.Audit, module: Linear, images: Tensor
) -> None:
    x, d = images.double().flatten(1).numpy(), direction(audit, images, probe)
    strengths = np.array((0, *LADDERS[probe]))
    p = np.stack([softmax(logits(module, x + s * d), 1) for s in strengths])
    steps = jensenshannon(p[:-1], p[1:], base=2, axis=2)
    shift = jensenshannon(np.broadcast_to(p[0], p.shape), p, base=2, axis=2) ** 2
    moved = np.diff(strengths)[:, None] * np.sqrt((d**2).mean(1))
    paths = audit.paths().astype({"probe": str}).set_index("probe").loc[probe]
    np.testing.assert_allclose(paths["jump"], steps.max(0), atol=1e-6)
    np.testing.assert_allclose(paths["concentration"], steps.max(0) / steps.sum(0), atol=1e-5)
    np.testing.assert_allclose(paths["secant_slope"], (steps / moved).max(0), rtol=1e-4)
    area = np.trapezoid(np.nan_to_num(shift), strengths, axis=0) / strengths[-1]
    np.testing.assert_allclose(paths["shift_area"], area, atol=1e-6)


def test_the_order_of_the_classes_changes_nothing(
    audit: semaudit.Audit, module: Linear, images: Tensor
) -> None:
    order = torch.randperm(7, generator=rng(3))
    again = scan_along(
        LADDERS, Permuted(module, order), images, seed=5, batch_size=7, input_size=SIZE
    )
    one, other = audit.samples(), again.samples()
    for name in ("flip", "top5_distance"):
        np.testing.assert_array_equal(one[name], other[name])
    for name in ("shift", "feature_distance", "logit_distance"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-6)
    np.testing.assert_array_equal(order.numpy()[other["class"]], one["class"])
    for name in ("jump", "onset"):
        np.testing.assert_allclose(audit.paths()[name], again.paths()[name], atol=1e-6)
    assert again.score == pytest.approx(audit.score, abs=1e-5)


def test_the_flip_probability_under_gaussian_noise() -> None:
    """Of a linear two-class model: Phi(-margin / (sigma * length of the difference of weights))."""
    n, size = 3000, (1, 4, 4)
    module = Linear(size, 2, seed=4)
    weight = module.head.weight.data
    # Without a sum the mean of the picture does not matter, and the bias is the margin.
    weight -= weight.mean(1, keepdim=True)
    length = (weight[0] - weight[1]).norm().item()
    margin = 0.012 * length
    module.head.bias.data = torch.tensor([margin, 0.0], dtype=torch.float64)
    audit = semaudit.scan(
        module,
        torch.full((n, *size), 0.5),
        select=["gaussian_noise"],
        batch_size=1000,
        input_size=size,
        **ON_CPU,
    )
    frame = audit.samples().query("probe == 'gaussian_noise'")
    for strength, flips in frame.groupby("strength")["flip"]:
        probability = norm.cdf(-margin / (strength * length))
        low, high = binom.interval(0.999, n, probability)
        assert low <= flips.sum() <= high, strength
        assert len(flips) == n
