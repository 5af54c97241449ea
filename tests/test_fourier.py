"""The Fourier heat map: answers known in closed form, a plain loop, and what it writes."""

from __future__ import annotations

import csv
import importlib.util
import json
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from known_models import ON_CPU, BreaksWhenBright, Hungry, Linear, classifier, pictures
from PIL import Image
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, softmax
from torch import Tensor, nn

from semaudit.errors import AuditError, UsageError
from semaudit.fourier import HeatMap, Waves, heat_map
from semaudit.fourier.concerns import CONCERNS
from semaudit.fourier.files import outputs, write
from semaudit.fourier.grid import canonical, signs
from semaudit.fourier.sweep import ERRORS, sweep
from semaudit.perturbations import Draw
from semaudit.perturbations.frequency import fourier_wave
from semaudit.plots import require_matplotlib
from semaudit.runtime import Halving

SIZE = (3, 12, 10)


def cosine(height: int, width: int, i: int, j: int) -> np.ndarray:
    """A basis wave of RMS 1, as Yin et al. define it: a plane cosine."""
    y, x = np.mgrid[:height, :width]
    wave = np.cos(2 * np.pi * (i * y / height + j * x / width))
    return wave / np.sqrt((wave**2).mean())


class Tuned(nn.Module):
    """Three classes: steady, and the two signs of what it sees of one wave.

    Of a picture x with t = gain * mean(wave * (x - 1/2)) the logits are (1, t, -t).
    """

    num_classes = 3

    def __init__(self, size: tuple[int, int, int], i: int, j: int, gain: float) -> None:
        super().__init__()
        self.register_buffer("wave", torch.from_numpy(cosine(*size[1:], i, j)))
        self.gain = gain

    def forward(self, images: Tensor) -> Tensor:
        seen = self.gain * (self.wave * (images.double() - 0.5)).mean((1, 2, 3))
        return torch.stack([torch.ones_like(seen), seen, -seen], 1)


def measured(module: nn.Module, data: Any, size: tuple[int, int, int], **more: Any) -> HeatMap:
    return heat_map(module, data, input_size=size, **{**ON_CPU, "grid": 5, "spacing": 1, **more})


@pytest.mark.parametrize(("i", "j"), [(2, -1), (-2, 2), (0, 1), (0, 0), (1, 0)])
@pytest.mark.parametrize("size", [(1, 12, 10), (1, 9, 9)])
def test_a_model_that_sees_one_wave_answers_to_it_alone(
    i: int, j: int, size: tuple[int, int, int]
) -> None:
    grey = torch.full((6, *size), 0.5)
    rms = 0.2
    norm = rms * np.sqrt(size[1] * size[2])
    found = measured(Tuned(size, i, j, gain=10.0), grey, size, norm=norm)
    # t is +2 or -2 where the wave is the model's, else 0: the waves are orthogonal.
    shift = np.zeros((5, 5))
    for sign in (1, -1):
        outputs = softmax([[1, 0, 0], [1, 2, -2]], axis=1)
        shift[2 + sign * i, 2 + sign * j] = jensenshannon(*outputs, base=2) ** 2
    np.testing.assert_allclose(found.shift, shift, atol=1e-7)  # the waves are float32
    assert found.flip_rate is not None
    np.testing.assert_array_equal(found.flip_rate, shift > 0)
    assert found.rms == pytest.approx(rms)
    assert (found.pictures, found.error_rate) == (6, None)
    # Half as strong it does not reach the steady class, but moves the output all the same.
    weaker = measured(Tuned(size, i, j, gain=4.0), grey, size, norm=norm)
    outputs = softmax([[1, 0, 0], [1, 0.8, -0.8]], axis=1)
    assert weaker.flip_rate is not None
    assert not weaker.flip_rate.any()
    assert weaker.shift[2 + i, 2 + j] == pytest.approx(jensenshannon(*outputs, base=2) ** 2)


def naive(module: nn.Module, images: Tensor, labels: Tensor, waves: Waves) -> dict[str, Any]:
    """Every picture under every wave, one by one, in float64."""
    height, width = images.shape[-2:]
    ids = [f"{n:06d}" for n in range(len(images))]
    found = {name: np.zeros((waves.side,) * 2) for name in ("flips", "shift", "errors")}
    before = module(images).detach()
    for (row, i), (column, j) in product(enumerate(waves.axis), repeat=2):
        upper = (i, j) if (i, j) >= (0, 0) else (-i, -j)
        lots = Draw.of(7, f"fourier {upper[0]} {upper[1]}", ids).uniform(images.shape[1]).numpy()
        for n, image in enumerate(images.double().numpy()):
            sign = np.where(lots[n] < 0.5, -1, 1)[:, None, None]
            changed = image + sign * cosine(height, width, i, j) * waves.rms(height, width)
            after = module(torch.from_numpy(changed.clip(0, 1))[None]).detach()[0]
            found["flips"][row, column] += int(after.argmax() != before[n].argmax())
            pair = softmax(torch.stack([before[n], after]).numpy(), axis=1)
            found["shift"][row, column] += jensenshannon(*pair, base=2) ** 2
            found["errors"][row, column] += int(labels[n] >= 0 and after.argmax() != labels[n])
    return found


@pytest.mark.parametrize("more", [{}, {"batch_size": 3}, {"batch_size": 500}, {"batch_size": 1}])
def test_it_is_what_a_plain_loop_gives(more: dict[str, Any]) -> None:
    module = Linear(SIZE, 5, seed=1, scale=0.2)
    images = pictures(7, SIZE, seed=2, low=0.0, high=1.0)
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    waves = Waves(side=3, spacing=2, norm=1.5)
    expected = naive(module, images, labels, waves)
    found = measured(module, (images, labels), SIZE, grid=3, spacing=2, norm=1.5, seed=7, **more)
    np.testing.assert_allclose(found.shift, expected["shift"] / 7, atol=1e-6)
    np.testing.assert_allclose(found.flip_rate, expected["flips"] / 7, atol=1e-12)
    np.testing.assert_allclose(found.error_rate, expected["errors"] / 7, atol=1e-12)
    assert 0 < expected["flips"].mean() < 7
    right = module(images).argmax(1) == labels
    assert found.clean_error == pytest.approx(1 - right.double().mean().item())


def test_pictures_without_a_label_are_no_errors() -> None:
    module, waves = Linear(SIZE, 5, seed=1, scale=0.2), Waves(side=3, norm=1.5)
    images = pictures(7, SIZE, seed=2, low=0.0, high=1.0)
    labels = torch.tensor([0, 1, -1, 3, 4, 0, -1])
    ids = [f"{n:06d}" for n in range(7)]
    sums = sweep(classifier(module, SIZE), images, ids, labels, waves, seed=7, halving=Halving(4))
    expected = naive(module, images, labels, waves)["errors"]
    np.testing.assert_array_equal(waves.spread(sums[ERRORS, :-1], *SIZE[1:]), expected)
    wrong = (module(images).argmax(1) != labels) & (labels >= 0)
    assert sums[ERRORS, -1] == wrong.sum()


def test_neither_the_grid_nor_the_batch_changes_a_wave() -> None:
    module, images = Linear(SIZE, 5, seed=1, scale=0.2), pictures(7, SIZE, seed=2)
    large = measured(module, images, SIZE, grid=5)
    small = measured(module, images, SIZE, grid=3, batch_size=2)
    np.testing.assert_allclose(large.shift[1:4, 1:4], small.shift, atol=1e-15)
    np.testing.assert_array_equal(large.shift, large.shift[::-1, ::-1])
    other = measured(module, images, SIZE, grid=3, seed=1)
    assert not np.allclose(other.shift, small.shift)


def test_signs_are_even_and_independent() -> None:
    ids = [str(n) for n in range(4000)]
    drawn = signs([(0, 1), (1, 0)], ids, torch.empty(0, 3, 1, 1), 0)[..., 0, 0].double()
    assert drawn.shape == (2, 4000, 3)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    columns = drawn.movedim(1, 0).flatten(1)
    correlation = columns.T @ columns / 4000
    # Standard error 0.016.
    assert (correlation - torch.eye(6).double()).abs().max() < 0.07
    assert columns.mean(0).abs().max() < 0.07


def test_below_half_a_cycle_a_pixel_half_of_the_grid_stands_for_all() -> None:
    for side, spacing in ((1, 1), (3, 2), (15, 1)):
        waves = Waves(side, spacing)
        half = waves.measured(16, 31)
        assert len(half) == (side**2 + 1) // 2
        everything = {(i, j) for i in waves.axis for j in waves.axis}
        assert {*half, *((-i, -j) for i, j in half)} == everything
        spread = waves.spread(np.arange(len(half), dtype=np.float64), 16, 31)
        for (row, i), (column, j) in product(enumerate(waves.axis), repeat=2):
            upper = (i, j) if (i, j) in half else (-i, -j)
            assert half[int(spread[row, column])] == upper
    assert Waves(15, norm=4.0).rms(224, 224) == pytest.approx(4 / 224)


def test_without_a_norm_the_waves_are_as_strong_at_any_size() -> None:
    """As strong as those of norm 15.7 at 224 x 224, which are Yin et al.'s."""
    assert Waves().rms(224, 224) == pytest.approx(15.7 / 224)
    assert Waves().rms(28, 64) == Waves().rms(224, 224)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"grid": 4}, "--grid 4 is wrong: an odd number"),
        ({"grid": -1}, "--grid -1 is wrong"),
        ({"spacing": 0}, "--spacing 0 is wrong"),
        ({"norm": 0.0}, "--norm 0 is wrong"),
        ({"norm": float("inf")}, "--norm inf is wrong"),
        ({"grid": 13}, r"highest frequency, 6 cycles .* use --grid 11 at most$"),
        ({"grid": 5, "spacing": 3}, r"use --grid 3 at most, or a smaller --spacing$"),
    ],
)
def test_waves_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measured(Linear(SIZE, 3, seed=1), pictures(2, SIZE, 2), SIZE, **given)
    assert measured(Linear(SIZE, 3, seed=1), pictures(1, SIZE, 2), SIZE, grid=11).shift.any()


@pytest.mark.parametrize(
    ("side", "size", "spacing", "highest"),
    [
        (15, (224, 224), 16, 112),
        (15, (28, 28), 2, 14),
        (15, (299, 400), Fraction(149, 7), 149),
        (15, (26, 26), Fraction(13, 7), 13),
        (35, (64, 64), Fraction(32, 17), 32),
        (15, (14, 14), 1, 7),
        (1, (224, 224), 1, 0),
        (63, (32, 32), 1, 31),  # more than there are: refused when it is checked
    ],
)
def test_by_default_the_grid_spans_all_frequencies(
    side: int, size: tuple[int, int], spacing: int | Fraction, highest: int
) -> None:
    waves = Waves(side, norm=3.0).spanning(*size)
    assert waves == Waves(side, spacing, norm=3.0)
    assert waves.axis[-1] == highest


@given(st.integers(8, 256), st.integers(8, 256), st.integers(1, 20).map(lambda n: 2 * n + 1))
def test_any_grid_spans_any_size(height: int, width: int, side: int) -> None:
    """Zero to half a cycle a pixel, in even steps but for rounding; or it is refused."""
    waves, highest = Waves(side).spanning(height, width), min(height, width) // 2
    axis = np.array(waves.axis)
    assert len(axis) == side
    np.testing.assert_array_equal(axis, -axis[::-1])
    if side // 2 > highest:
        with pytest.raises(UsageError, match=f"use --grid {2 * highest + 1} at most"):
            waves.check(height, width)
        return
    waves.check(height, width)
    assert axis[-1] == highest
    assert (np.diff(axis) >= 1).all()
    even = np.linspace(-highest, highest, side)
    assert np.abs(axis - even).max() <= 0.5 + 1e-9


sizes = st.integers(2, 12)


@given(sizes, sizes, *4 * [st.integers(-12, 12)])
def test_one_frequency_stands_for_all_of_the_same_wave(
    height: int, width: int, i: int, j: int, k: int, m: int
) -> None:
    one, other = (canonical(each, height, width) for each in ((i, j), (k, m)))
    waves = [fourier_wave(height, width, *each) for each in ((i, j), (k, m))]
    assert (one == other) == torch.allclose(*waves, atol=1e-5)
    assert canonical(one, height, width) == one
    if abs(i) < height / 2 and abs(j) < width / 2:  # as drawn before: the upper half
        assert one == max((i, j), (-i, -j))


@pytest.mark.parametrize(("side", "size"), [(5, (3, 8, 8)), (5, (3, 8, 13)), (3, (3, 9, 8))])
def test_cells_of_one_wave_are_equal(side: int, size: tuple[int, int, int]) -> None:
    module, images = Linear(size, 5, seed=1, scale=0.2), pictures(7, size, seed=2)
    found = measured(module, images, size, grid=side, spacing=None)
    *_, height, width = size
    assert found.waves.axis[-1] == 4
    equal = 0
    for (row, i), (column, j) in product(enumerate(found.waves.axis), repeat=2):
        for (below, k), (right, m) in product(enumerate(found.waves.axis), repeat=2):
            if (i + k) % height == (j + m) % width == 0 or (i - k) % height == (j - m) % width == 0:
                assert found.shift[row, column] == found.shift[below, right]
                equal += 1
    assert equal > 2 * side**2  # more than each and its mirror
    assert len({*found.shift.flat}) == len(found.waves.measured(height, width))


def test_the_spacing_is_found_from_the_models_input() -> None:
    module, images = Linear(SIZE, 4, seed=1, scale=0.2), pictures(2, SIZE, 2)
    found = measured(module, images, SIZE, spacing=None)
    assert found.waves == Waves(5, Fraction(5, 2))
    assert found.waves.axis == [-5, -3, 0, 3, 5]
    assert found.record["settings"].keys() == set(CONCERNS)


@pytest.mark.parametrize(
    "given", [{"fail_on": ["flip_rate<=0.1"]}, {"at_ssim": 0.9}, {"taxonomy": "head"}]
)
def test_what_would_have_no_effect_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(given))}: a heat map has no battery"):
        measured(Linear(SIZE, 3, seed=1), pictures(2, SIZE, 2), SIZE, **given)


def test_labels_and_embeddings() -> None:
    module, images = Linear(SIZE, 4, seed=1, scale=0.3), pictures(5, SIZE, 2)
    many = measured(module, images, SIZE, activation="sigmoid", outputs="logits", norm=2.0)
    assert many.flip_rate is not None
    assert 0 < many.flip_rate.mean() <= 1
    yes, clean = expit(module(images).detach().numpy()), many.shift
    assert yes.shape == (5, 4)
    assert (clean > 0).all()
    embedded = measured(module, images, SIZE, activation="none")
    assert embedded.flip_rate is None
    assert (embedded.shift > 0).all()
    assert embedded.error_rate is None


def test_an_output_that_is_not_finite_names_the_wave() -> None:
    module = BreaksWhenBright(Linear((1, 8, 8), 3, seed=1), above=0.6)
    grey = torch.full((6, 1, 8, 8), 0.5)
    with pytest.raises(AuditError, match=r"under the wave \(0, 0\) is not finite"):
        measured(module, grey, (1, 8, 8), norm=0.2 * 8)
    with pytest.raises(AuditError, match="for the clean pictures is not finite"):
        measured(module, grey + 0.2, (1, 8, 8), norm=0.2)


def test_what_does_not_fit_is_halved() -> None:
    module, images = Linear(SIZE, 4, seed=1, scale=0.2), pictures(6, SIZE, 2)
    whole = measured(module, images, SIZE)
    hungry = Hungry(module, limit=2, error=torch.OutOfMemoryError)
    np.testing.assert_allclose(measured(hungry, images, SIZE).shift, whole.shift, atol=1e-14)


def test_it_tells_how_far_it_is() -> None:
    seen: list[tuple[int, int]] = []
    module, images = Linear(SIZE, 4, seed=1), pictures(5, SIZE, 2)
    measured(
        module,
        images,
        SIZE,
        batch_size=2,
        watch=lambda each: seen.append((each.pictures, each.cells)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (5, 5 * 13)
    assert len(seen) > 13


# Files.


@pytest.fixture
def found() -> HeatMap:
    module, images = Linear(SIZE, 4, seed=1, scale=0.2), pictures(5, SIZE, 2)
    return measured(module, (images, torch.tensor([0, 1, 2, 3, 0])), SIZE, norm=2.0)


@pytest.mark.parametrize("form", [".png", ".svg", ".pdf"])
def test_the_picture_and_the_figures(found: HeatMap, form: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = write(found, tmp_path / f"map{form}")
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert [file.name for file in files] == [f"map{form}", "map.csv", "map.json"]
    if form == ".png":
        with Image.open(files[0]) as picture:
            assert min(picture.size) > 500
            assert len(picture.convert("RGB").getcolors(10**6) or []) > 30
    with files[1].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 25
    for row in rows:
        at = int(row["cycles_down"]) + 2, int(row["cycles_across"]) + 2
        assert found.flip_rate is not None
        assert found.error_rate is not None
        assert float(row["shift"]) == found.shift[at]
        assert float(row["flip_rate"]) == found.flip_rate[at]
        assert float(row["error_rate"]) == found.error_rate[at]
        low, high = float(row["flip_rate_low"]), float(row["flip_rate_high"])
        assert 0 <= low <= found.flip_rate[at] <= high <= 1
        assert high - low > 0.3  # five pictures say little
    document = json.loads(files[2].read_text(encoding="utf-8"))
    assert document["waves"]["norm"] == 2.0
    assert document["waves"]["cycles_per_picture"] == [-2, -1, 0, 1, 2]
    assert document["mean"]["shift"] == pytest.approx(found.shift.mean())
    assert document["data"]["pictures"] == 5
    assert document["data"]["labelled"] == 5
    assert len(document["model"]["weights_sha256"]) == 64


def test_an_embeddings_map_has_no_flips(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    module, images = Linear(SIZE, 4, seed=1), pictures(5, SIZE, 2)
    files = write(measured(module, images, SIZE, activation="none"), tmp_path / "map.png")
    with files[1].open(encoding="utf-8") as file:
        assert {row["flip_rate"] for row in csv.DictReader(file)} == {""}


def test_names_are_no_markup(found: HeatMap, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found.record["model"]["name"] = "$\\bad{ \x1b[31m 猫" + 100 * "x"
    assert write(found, tmp_path / "map.png")[0].is_file()


def test_nothing_is_left_when_writing_fails(
    found: HeatMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("semaudit.fourier.files.draw", fail)
    with pytest.raises(OSError, match="disk full"):
        write(found, tmp_path / "map.png")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_said_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"-o .*map\.txt: name a picture"):
        outputs(tmp_path / "map.txt")
    with pytest.raises(UsageError, match="there is no folder"):
        outputs(tmp_path / "no" / "map.png")
    (tmp_path / "map.csv").mkdir()
    with pytest.raises(UsageError, match=r"map\.csv is a folder"):
        outputs(tmp_path / "map.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'semaudit\[plots\]'"):
        require_matplotlib()
