"""Folding batch normalisation: the same map, or nothing at all."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from semaudit.models import Classifier, load, weights_sha256
from semaudit.models.folding import fold

CPU = torch.device("cpu")
NORMS = (nn.BatchNorm2d,)


def lived(module: nn.Module) -> nn.Module:
    """The module with statistics as of a training, so that a normalisation does something."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, NORMS) and layer.running_mean is not None:
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            if layer.weight is not None:
                nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(layer.bias, -0.5, 0.5, generator=generator)
    return module.eval()


def placed(module: nn.Module) -> Classifier:
    return load(lived(module)).place(CPU)


def norms(classifier: Classifier) -> int:
    return sum(isinstance(layer, NORMS) for layer in classifier.module.modules())


@pytest.mark.parametrize(
    "name", ["resnet10t", "test_efficientnet", "mobilenetv3_small_050", "regnetx_002"]
)
def test_outputs_features_and_gradients_stay(name):
    torch.manual_seed(0)
    plain = placed(timm.create_model(name, num_classes=7).double())
    folded = plain.folded()
    assert norms(plain) > 0
    assert norms(folded) == 0
    pictures = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    seen = []
    for each in (plain, folded):
        root = pictures.clone().requires_grad_()
        outputs = each(root)
        (slope,) = torch.autograd.grad(outputs.logits[:, 0].sum(), root)
        seen.append((outputs.logits, outputs.features, slope))
    for before, after in zip(*seen, strict=True):
        torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)


def test_the_given_model_stays_and_weights_are_shared():
    plain = placed(timm.create_model("resnet10t", num_classes=3))
    sha = weights_sha256(plain.module)
    folded = plain.folded()
    assert weights_sha256(plain.module) == sha == folded.provenance["weights_sha256"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in plain.module.modules())
    assert folded.module.get_classifier().weight is plain.module.get_classifier().weight
    assert not any(weight.requires_grad for weight in folded.module.parameters())


class Adapted(nn.Conv2d):
    """A subclass may do anything with its weights."""


class Block(nn.Module):
    """A convolution and its normalisation in ways that cannot be folded."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = BatchNormAct2d(6) if how == "used twice" else nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)
        if how == "adapted":
            self.conv = Adapted(3, 6, 3, padding=1)
        if how == "no statistics":
            self.norm = nn.BatchNorm2d(6, track_running_stats=False)
        if how == "hooked":
            self.norm.register_forward_hook(lambda *given: given[-1] * 2)

    def forward(self, images: Tensor) -> Tensor:
        found = self.conv(images)
        if self.how == "changed in place":
            found.clamp_(-50, 50)  # as near to nothing as pictures of noise show
        normed = self.norm(found)
        if self.how == "used twice":
            normed = self.norm(normed)
        if self.how == "output used elsewhere":
            normed = normed + found.square()
        return self.head(normed.mean((2, 3)))


@pytest.mark.parametrize(
    "how",
    [
        "used twice",
        "no statistics",
        "output used elsewhere",
        "hooked",
        "changed in place",
        "adapted",
    ],
)
def test_what_cannot_be_folded_stays(how):
    plain = placed(Block(how))
    folded = plain.folded()
    assert norms(folded) == norms(plain) == 1
    pictures = torch.rand(2, 3, 8, 8)
    assert torch.equal(folded(pictures).logits, plain(pictures).logits)


def test_a_plain_pair_is_folded():
    assert norms(placed(Block("plain")).folded()) == 0


def test_training_mode_and_few_digits_stay():
    pictures = torch.rand(2, 3, 8, 8)
    training = lived(Block("plain")).train()
    assert fold(training, lambda: training(pictures)) is None
    half = lived(Block("plain")).bfloat16()
    assert fold(half, lambda: half(pictures.bfloat16())) is None


@pytest.mark.parametrize("how", [{"amp_dtype": torch.bfloat16}, {"compile": True}])
def test_only_in_full_precision_and_eager(how):
    plain = load(lived(Block("plain"))).place(CPU, **how)
    assert plain.folded() is plain


def test_dropout_left_on_is_no_obstacle():
    class Dropping(Block):
        def forward(self, images: Tensor) -> Tensor:
            return torch.dropout(super().forward(images), 0.5, train=True)

    plain = placed(Dropping("plain"))
    state = torch.random.get_rng_state()
    assert norms(plain.folded()) == 0
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_model_that_fails_is_left_to_the_check():
    class Failing(Block):
        failing = False

        def forward(self, images: Tensor) -> Tensor:
            if self.failing:
                raise ValueError("no")
            return super().forward(images)

    plain = placed(Failing("plain"))
    plain.module.failing = True
    assert plain.folded() is plain
