"""Signal-to-noise against numpy and theory, sensitivity against captum."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from known_models import Linear

from gradients.at import (
    SIZE,
    Quadratic,
    Tanh,
    columns,
    deviations,
    draw_of,
    placed,
    point_at,
    some_pictures,
)
from semaudit.gradients.noise import DEVIATION

N, SAMPLES = 7, 5


def gradient_of(model, images, classes):
    """Of the logits of these classes, by plain autograd: (n, c, h, w)."""
    with torch.enable_grad():  # captum looks without
        leaf = images.clone().requires_grad_()
        logits = model(leaf).logits.gather(1, classes[:, None])
        return torch.autograd.grad(logits.sum(), leaf)[0]


def noises(n: int, samples: int):
    """The draws that a measure makes, (n, samples, c, h, w)."""
    fields = [draw_of(n).normal(*SIZE, stream=3000 + k).double() for k in range(samples)]
    return torch.stack(fields, 1)


def test_of_a_linear_model_the_signal_is_as_good_as_infinite() -> None:
    found = columns(placed(Linear(SIZE, 5, seed=3)), some_pictures(N))
    assert (found["gradient_snr"] > 1e12).all()
    assert (found["saliency_sensitivity"] < 1e-12).all()


def test_it_is_what_numpy_makes_of_the_same_draws() -> None:
    model, images = placed(Tanh(5, seed=4)), some_pictures(N)
    labels = torch.tensor([0, 1, 2, 3, 4, -1, 0])
    found = columns(model, images, labels, SAMPLES)
    top, drawn = model(images).logits.argmax(1), noises(N, SAMPLES)
    slopes = np.stack(
        [
            gradient_of(model, images + DEVIATION * drawn[:, k], top).flatten(1).numpy()
            for k in range(SAMPLES)
        ],
        axis=1,
    )
    for k in range(N):
        mean, spread = slopes[k].mean(0), slopes[k].var(0, ddof=1).sum()
        signal = max(0.0, mean @ mean - spread / SAMPLES)
        assert float(found["gradient_snr"][k]) == pytest.approx(signal / spread, rel=1e-8)
    assert found["loss_gradient_snr"].isnan().tolist() == [False] * 5 + [True, False]


def test_of_a_quadratic_model_it_nears_theory() -> None:
    """The gradient g + H e has signal |g|^2 and noise sigma^2 |H|^2 in Frobenius norm."""
    model, images = placed(Quadratic(3, seed=2, scale=4.0)), some_pictures(12)
    found = columns(model, images, samples=400, only="under_noise")["gradient_snr"]
    top, scale = model(images).logits.argmax(1), deviations(model)
    slope = gradient_of(model, images, top).flatten(1)
    bent = model.module.hessian[top] / scale[:, None] / scale
    theory = slope.square().sum(1) / (DEVIATION**2 * bent.square().sum((1, 2)))
    assert (theory > 0.5).all()
    ratios = found / theory
    assert float(ratios.mean()) == pytest.approx(1, abs=0.03)
    assert (ratios - 1).abs().max() < 0.15


def test_where_the_signal_drowns_it_is_0_and_not_below(monkeypatch) -> None:
    monkeypatch.setattr("semaudit.gradients.noise.DEVIATION", 100.0)
    model, images = placed(Quadratic(3, seed=2)), some_pictures(60)
    found = columns(model, images, samples=3, only="under_noise")["gradient_snr"]
    assert (found >= 0).all()
    assert float((found == 0).double().mean()) > 0.3


def test_one_draw_has_no_spread_but_a_sensitivity() -> None:
    found = columns(placed(Tanh(5, seed=4)), some_pictures(N), samples=1)
    assert found["gradient_snr"].isnan().all()
    assert (found["saliency_sensitivity"] > 0).all()


def test_the_sensitivity_is_captum_s_on_the_same_draws() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from captum.metrics import sensitivity_max

    model, images = placed(Tanh(5, seed=4)), some_pictures(N)
    found = columns(model, images, samples=SAMPLES)["saliency_sensitivity"]
    top, drawn = model(images).logits.argmax(1), noises(N, SAMPLES)

    def explained(pictures):  # of the clean pictures a tuple, of the changed ones a tensor
        (batch,) = pictures if isinstance(pictures, tuple) else (pictures,)
        return (gradient_of(model, batch, top.repeat_interleave(len(batch) // N)).abs(),)

    def changed(pictures, _radius):
        return pictures + DEVIATION * drawn.flatten(0, 1)

    expected = sensitivity_max(
        explained,
        images,
        perturb_func=changed,
        n_perturb_samples=SAMPLES,
        max_examples_per_batch=N * SAMPLES,
    )
    assert float(expected.min()) > 1e-3
    torch.testing.assert_close(found, expected.double(), rtol=1e-5, atol=0)


def test_noise_is_neither_kept_nor_shared_with_the_draw() -> None:
    """A field lives for one pass: a draw would keep it as long as the batch."""
    with point_at(placed(Tanh(5, seed=4)), some_pictures(N)) as point:
        one, other = point.normal(1), point.normal(1)
        assert one is not other
        assert (one == other).all()
        assert not point.draw._fields
