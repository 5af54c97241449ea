"""Models whose gradients mislead, each caught by its name; and honest ones, of which none is."""

from __future__ import annotations

import pytest
import torch
from known_models import Constant, classifier, pictures
from torch import Tensor, nn

from semaudit.gradients import Ability, Differentiator, survey
from semaudit.worst.effort import CHEAP, Effort
from semaudit.worst.findings import MEANINGS, Finding
from semaudit.worst.masking import examine, untrusted

SIZE = (3, 16, 16)


def network(seed: int, scale: float = 1.0) -> nn.Module:
    """A small random network with a bias, whose answers depend on the picture."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(8 * 49, 5),
    )
    net[3].weight.data *= 4 * scale
    net[3].bias.data *= scale
    return net


class Before(nn.Module):
    """A stage before a network."""

    num_classes = 5

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def stage(self, images: Tensor) -> Tensor:
        return images

    def forward(self, images: Tensor) -> Tensor:
        return self.net(self.stage(images))


class Rounded(Before):
    levels = 255

    def stage(self, images: Tensor) -> Tensor:
        return (images * self.levels).round() / self.levels


class Coarse(Rounded):
    levels = 15


class StraightThrough(Coarse):
    def stage(self, images: Tensor) -> Tensor:
        return images + (super().stage(images) - images).detach()


class Integer(Before):
    def stage(self, images: Tensor) -> Tensor:
        return (images * 255).to(torch.uint8).float() / 255


class Noisy(Before):
    def stage(self, images: Tensor) -> Tensor:
        return images + 0.02 * torch.randn_like(images)


class _NoNumber(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient * float("inf")


class NotFinite(Before):
    def stage(self, images: Tensor) -> Tensor:
        result: Tensor = _NoNumber.apply(images)
        return result


class _AtRandom(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return torch.randn_like(gradient) * gradient.norm()


class _Negated(_AtRandom):
    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return -gradient


class _Elsewhere(_AtRandom):
    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        drawn = torch.randn(gradient.shape[1:], generator=torch.Generator().manual_seed(1))
        return drawn * gradient.flatten(1).norm(dim=1)[:, None, None, None]


class Backward(Before):
    """A stage that lies about its slope."""

    def __init__(self, net: nn.Module, lie: type[_AtRandom]) -> None:
        super().__init__(net)
        self.lie = lie

    def stage(self, images: Tensor) -> Tensor:
        result: Tensor = self.lie.apply(images)
        return result


@pytest.mark.parametrize("scale", [0.01, 1.0])
@pytest.mark.parametrize(
    ("lie", "name"),
    [
        (_AtRandom, "stochastic_gradient"),
        (_Negated, "gradient_disagrees_with_differences"),
        (_Elsewhere, "gradient_disagrees_with_differences"),
    ],
)
def test_a_backward_pass_that_lies_is_caught_however_small_the_shifts(
    lie: type[_AtRandom], name: str, scale: float
) -> None:
    assert name in names(Backward(network(0, scale), lie))


def test_gradients_at_random_are_no_sign_that_pictures_move_each_other() -> None:
    ability = survey(classifier(Backward(network(0), _AtRandom), SIZE))
    assert ability.differentiator is not None
    assert ability.differentiator.apart
    assert not any("others in its batch" in note for note in ability.notes)


def found(module: nn.Module, seed: int = 0, effort: Effort = CHEAP) -> tuple[Finding, ...]:
    audited = classifier(module, SIZE)
    images = pictures(6, SIZE, seed=7, low=0.1, high=0.9)
    ids = [f"p{k}" for k in range(6)]
    torch.manual_seed(1)
    return examine(audited, Ability(Differentiator(audited)), images, ids, seed, effort)


def names(module: nn.Module, seed: int = 0, effort: Effort = CHEAP) -> set[str]:
    return {finding.name for finding in found(module, seed, effort)}


ZERO_SLOPE = {"vanishing_gradients", "black_box_beats_gradient", "no_rise_to_one"}
"""What may be raised beside, where a stage lets no gradient through."""


@pytest.mark.parametrize(
    ("module", "expected", "allowed"),
    [
        (Rounded(network(0)), {"rounding_stage", "vanishing_gradients"}, ZERO_SLOPE),
        (Coarse(network(0)), {"rounding_stage", "vanishing_gradients"}, ZERO_SLOPE),
        (Integer(network(0)), {"rounding_stage", "vanishing_gradients"}, ZERO_SLOPE),
        (StraightThrough(network(0)), {"rounding_stage"}, set()),
        (Noisy(network(0)), {"stochastic_forward"}, set()),
        (network(0, scale=1e4), {"vanishing_gradients"}, set()),
        (NotFinite(network(0)), {"non_finite_gradients"}, {"no_rise_to_one"}),
        (Constant(), {"vanishing_gradients", "no_rise_to_one"}, set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_masked_gradients_are_caught_by_name(
    module: nn.Module, expected: set[str], allowed: set[str]
) -> None:
    raised = names(module)
    assert expected <= raised <= expected | allowed


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_a_plain_network_raises_nothing(seed: int, scale: float) -> None:
    assert names(network(seed, scale), seed) == set()


class OnePixel(Before):
    """The right answers, and a slope along one value only."""

    def stage(self, images: Tensor) -> Tensor:
        only = torch.zeros_like(images)
        only[:, 0, 0, 0] = 1
        return (images * (1 - only)).detach() + images * only


def test_gradients_that_lead_astray_find_less_than_chance() -> None:
    assert names(OnePixel(network(3, scale=8)), effort=Effort(20, 1, 12)) == {
        "black_box_beats_gradient"
    }


def test_findings_say_what_they_mean_with_figures() -> None:
    for finding in found(Coarse(network(0))):
        assert finding.meaning == MEANINGS[finding.name]
        assert any(character.isdigit() for character in finding.evidence)


def test_the_sentence_for_gates_names_what_was_found() -> None:
    sentence = untrusted(found(Noisy(network(0))))
    assert sentence is not None
    assert "stochastic_forward" in sentence
    assert untrusted(()) is None
