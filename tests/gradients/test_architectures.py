"""Tiny models of a dozen families, with everything that a differentiator may stumble over."""

from __future__ import annotations

from dataclasses import replace

import pytest
import timm
import torch
from known_models import rng
from timm.models.mlp_mixer import MlpMixer
from torch import Tensor, nn

from gradients.at import draw_of
from semaudit import models
from semaudit.gradients import ClassLogit, at_pictures, survey
from semaudit.gradients.along import Slopes
from semaudit.models import Classifier
from semaudit.models.preprocessing import PreprocessingOverrides
from semaudit.trace import look

N = 3
FAMILIES: dict[str, dict[str, object]] = {
    "test_resnet": {},
    "test_efficientnet": {},
    "mobilenetv3_small_050": {},
    "test_vit": {"img_size": 64},
    "swin_tiny_patch4_window7_224": {
        "img_size": 64,
        "window_size": 2,
        "embed_dim": 24,
        "depths": (1, 1, 1, 1),
        "num_heads": (1, 2, 4, 8),
    },
    "deit_tiny_distilled_patch16_224": {"img_size": 64, "depth": 2},
    "cait_xxs24_224": {"img_size": 64, "depth": 2},
    "test_convnext": {},
    "MlpMixer": {"img_size": 64, "patch_size": 16, "num_blocks": 2, "embed_dim": 64},
    "vgg11": {"img_size": None},
    "densenet121": {"growth_rate": 8, "block_config": (2, 2, 2, 2)},
    "regnetx_002": {},
    "xcit_nano_12_p16_224": {"img_size": 64, "depth": 2},
}


def module_of(name: str) -> nn.Module:
    arguments = {key: value for key, value in FAMILIES[name].items() if value is not None}
    if name == "vgg11":
        return SmallVgg()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "MlpMixer":  # its registered models take no other sizes
            mixer = MlpMixer(num_classes=7, **arguments)
            nn.init.normal_(mixer.head.weight)  # it starts at 0
            return mixer
        return timm.create_model(name, num_classes=7, **arguments)


class SmallVgg(nn.Module):
    """As VGG, with activations that write over their input; its real layers are of 500 MB."""

    num_classes = 7

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for given, made in ((3, 8), (8, 16), (16, 32)):
                layers += [nn.Conv2d(given, made, 3, padding=1), nn.BatchNorm2d(made)]
                layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            self.features = nn.Sequential(*layers, nn.Flatten())
            self.head = nn.Sequential(
                nn.Linear(32 * 64, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, 7)
            )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images.sub_(0.1)))


def opened(name: str, dtype: torch.dtype = torch.float32) -> Classifier:
    overrides = PreprocessingOverrides(input_size=(3, 64, 64))
    return models.load(module_of(name).to(dtype), overrides=overrides)


def some_pictures() -> Tensor:
    return torch.rand((N, 3, 64, 64), generator=rng(1))


def measured(model: Classifier) -> dict[str, Tensor]:
    with torch.no_grad():
        clean = look(model, some_pictures())
        labels = torch.arange(N)
        return at_pictures(model, survey(model), clean, labels, draw_of(N), 2)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_exact_gradients_and_finite_columns(name: str) -> None:
    model = opened(name).place(torch.device("cpu"))
    ability, images = survey(model), some_pictures()
    assert ability.notes == ()
    differentiator = ability.differentiator
    assert differentiator is not None
    assert differentiator.apart
    classes = torch.arange(N)
    together = differentiator(images, ClassLogit(classes))
    alone = replace(differentiator, apart=False)(images, ClassLogit(classes))
    sizes = together.gradients[0].flatten(1).norm(dim=1)
    assert (sizes > 0).all()
    off = (together.gradients[0] - alone.gradients[0]).flatten(1).norm(dim=1)
    assert (off < 1e-4 * sizes).all()
    # Differences in float64 know no autograd, which for XCiT and a batch of one is itself wrong.
    exact = opened(name, torch.float64).place(torch.device("cpu"))
    step = 1e-6 * (together.gradients[0].double() / sizes.double().view(-1, 1, 1, 1))
    with torch.no_grad():
        ends = [exact(images.double() + sign * step).logits.diagonal() for sign in (1, -1)]
    slopes = (ends[0] - ends[1]) / 2e-6
    torch.testing.assert_close(slopes, sizes.double(), rtol=1e-3, atol=0)
    for column, values in measured(model).items():
        assert values.isfinite().all(), column


def test_a_model_built_in_inference_mode_is_differentiated() -> None:
    with torch.inference_mode():
        module = module_of("test_resnet")
    ordinary = measured(opened("test_resnet").place(torch.device("cpu")))
    overrides = PreprocessingOverrides(input_size=(3, 64, 64))
    found = measured(models.load(module, overrides=overrides).place(torch.device("cpu")))
    for name, values in ordinary.items():
        torch.testing.assert_close(found[name], values, msg=name)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
@pytest.mark.parametrize(
    "how", [{"amp_dtype": torch.bfloat16}, {"channels_last": True}], ids=["bfloat16", "last"]
)
def test_other_precisions_and_layouts_give_about_the_same(name: str, how) -> None:
    plain = measured(opened(name).place(torch.device("cpu")))
    other = opened(name).place(torch.device("cpu"), **how)
    assert survey(other).notes == ()
    found = measured(other)
    for column, values in found.items():
        assert values.isfinite().all(), column
    # The rest measures differences of gradients, in which bfloat16 is noise.
    slack = 0.1 if "amp_dtype" in how else 1e-3
    for column in ("gradient_l2", "jacobian_frobenius", "jacobian_spectral"):
        torch.testing.assert_close(found[column], plain[column], rtol=slack, atol=0)


def test_pictures_in_channels_last_are_the_same_pictures() -> None:
    model = opened("test_resnet").place(torch.device("cpu"))
    differentiator = survey(model).differentiator
    assert differentiator is not None
    images = some_pictures()
    last = images.contiguous(memory_format=torch.channels_last)
    one, other = (differentiator(each, ClassLogit(torch.arange(N))) for each in (images, last))
    torch.testing.assert_close(one.gradients[0], other.gradients[0], rtol=1e-4, atol=1e-6)


def test_nothing_that_is_given_is_changed_or_kept() -> None:
    """Not even by a model that writes over what it is shown."""
    model = opened("vgg11").place(torch.device("cpu"))
    images, before = some_pictures(), some_pictures()
    ability = survey(model)
    assert ability.differentiator is not None
    with torch.no_grad():
        clean = look(model, images)
        at_pictures(model, ability, clean, torch.arange(N), draw_of(N), 2)
        slopes = Slopes.of(ability.differentiator, clean, torch.arange(N))
        seen = slopes.look(images, torch.arange(N), loss=True)
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert all(weight.grad is None for weight in model.module.parameters())
    for tensor in (seen.logits, seen.features, seen.gradient, seen.loss_gradient):
        assert tensor is None or tensor.grad_fn is None
