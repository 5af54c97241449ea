"""Registration, and the clear word that an author gets when a perturbation misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest
import torch
from torch import Tensor

import semaudit.perturbations
from semaudit.errors import PluginError, ProbeError
from semaudit.perturbations import Draw, Strength, get, perturbation, registered, registry


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))


def test_public_names_are_sorted() -> None:
    names = semaudit.perturbations.__all__
    assert names == sorted(names)
    assert all(hasattr(semaudit.perturbations, name) for name in names)


def test_a_function_becomes_a_perturbation() -> None:
    @perturbation(family="weather", ladder=(0.1, 0.2), name="mist", max_strength=0.5)
    def whiten(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        """Blend toward white.

        More words.
        """
        return images + (1 - images) * strength

    assert get("mist") is whiten is registered()["mist"]
    assert whiten.ladder == (0.1, 0.2)
    assert whiten.doc.splitlines()[0] == "Blend toward white."
    result = whiten(torch.zeros(2, 3, 4, 4), torch.tensor([0.5, 0.0]), Draw.of(0, "m", "ab"))
    assert result.mean((1, 2, 3)).tolist() == [0.5, 0.0]


def test_registered_is_read_only() -> None:
    with pytest.raises(TypeError):
        registered()["mine"] = get("identity")  # type: ignore[index]


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(ProbeError, match=r"'gausian_noise' \(did you mean 'gaussian_noise'\?\)"):
        get("gausian_noise")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(PluginError, match=r"'hue' .* is already registered by .*photometric\.py"):

        @perturbation(family="mine")
        def hue(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
            return images


def brighter(function: Callable[..., float]) -> Callable[..., Tensor]:
    """Make a perturbation of how much to add, as a decorator of a plugin may."""

    @wraps(function)
    def added(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        return images + function(strength)

    return added


def test_what_a_decorator_wraps_is_what_the_author_wrote() -> None:
    @perturbation(family="mine", name="glow")
    @brighter
    def glow(strength: float) -> float:
        return strength

    file, line = glow.place.rsplit(":", 1)
    assert file == __file__
    text = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert "def glow" in "".join(text[int(line) - 1 : int(line) + 2])
    # The wrapper's code is the same, the author's is not.
    with pytest.raises(PluginError, match=r"'glow' .* is already registered"):

        @perturbation(family="mine", name="glow")
        @brighter
        def other(strength: float) -> float:
            return strength / 2


@pytest.mark.parametrize("name", ["rotation", "elastic", "gaussian_noise", "jpeg"])
def test_the_place_is_that_of_the_definition(name: str) -> None:
    file, line = get(name).place.rsplit(":", 1)
    text = Path(file).read_text(encoding="utf-8").splitlines()
    assert f"def {name}(" in "".join(text[int(line) - 1 : int(line) + 3])


@pytest.mark.parametrize(
    ("ladder", "fault"),
    [
        ((), "at least one"),
        ((0.2, 0.1), "rise strictly"),
        ((0.1, 0.1), "rise strictly"),
        ((0.0, 0.1), "above 0"),
        ((0.1, float("nan")), "finite"),
        ((0.1, float("inf")), "finite"),
        ((0.5, 1.5), "largest strength, 1.0"),
    ],
)
def test_a_bad_ladder_is_refused(ladder: tuple[float, ...], fault: str) -> None:
    with pytest.raises(PluginError, match=fault):
        perturbation(family="mine", ladder=ladder, name="mine")(lambda images, *_: images)
    assert "mine" not in registered()


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (lambda images, *_: None, "returned NoneType, not a tensor"),
        (lambda images, *_: images[:, :, 1:], r"shape \(1, 3, 3, 4\); it was given \(1, 3, 4, 4\)"),
        (lambda images, *_: images.double(), r"dtype torch.float64; it was given torch.float32"),
    ],
)
def test_a_bad_result_names_its_author(function: Callable[..., Tensor], fault: str) -> None:
    bad = perturbation(family="mine", name="bad")(function)
    with pytest.raises(PluginError, match=f"'bad' .*test_perturbation_registry.py.*{fault}"):
        bad(torch.zeros(1, 3, 4, 4), 0.5, Draw.of(0, "bad", ["a"]))


def test_the_draw_must_be_of_these_images() -> None:
    with pytest.raises(ValueError, match="2 images, but a draw for 1"):
        get("identity")(torch.zeros(2, 3, 4, 4), 0.5, Draw.of(0, "p", ["a"]))
