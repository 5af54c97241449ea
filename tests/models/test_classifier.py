from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError
from semaudit.models import Classifier, PreprocessingOverrides, load, weights_sha256

CPU = torch.device("cpu")


class ChannelMeans(nn.Module):
    """Logits that are the mean of each normalised channel: an oracle for the normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3)) * self.scale


class Puts(nn.Module):
    """Puts out whatever it was made with."""

    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output

    def forward(self, images: Tensor) -> object:
        return self.output


def test_normalisation_is_inside_and_per_channel():
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    classifier = load(ChannelMeans(), overrides=PreprocessingOverrides(mean=mean, std=std))
    images = torch.rand(4, 3, 8, 8)
    expected = (images.mean(dim=(2, 3)) - torch.tensor(mean)) / torch.tensor(std)
    torch.testing.assert_close(classifier(images).logits, expected)


def test_unknown_module_takes_pictures_as_they_are():
    classifier = load(ChannelMeans())
    assert classifier.preprocessing.input_size == (3, 224, 224)
    assert classifier.preprocessing.mean == (0.0, 0.0, 0.0)
    assert classifier.preprocessing.std == (1.0, 1.0, 1.0)
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(classifier(images).logits, images.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "arch", ["test_resnet", "test_vit", "test_efficientnet", "mobilenetv3_small_050"]
)
def test_features_are_what_timm_calls_pre_logits(tiny, arch):
    module = tiny(arch, num_classes=7)
    classifier = load(module)
    images = torch.rand(2, *classifier.preprocessing.input_size)
    with torch.inference_mode():
        outputs = classifier(images)
        mean, std = (
            torch.tensor(v).view(-1, 1, 1)
            for v in (classifier.preprocessing.mean, classifier.preprocessing.std)
        )
        inputs = (images - mean) / std
        features = module.forward_head(module.forward_features(inputs), pre_logits=True)
        torch.testing.assert_close(outputs.logits, module(inputs))
    assert outputs.features is not None
    torch.testing.assert_close(outputs.features, features.flatten(1))


@pytest.mark.parametrize("head", [nn.Linear(4, 5), nn.Conv2d(4, 5, 1)])
def test_features_of_a_plain_module_are_the_last_layer_input(head):
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1))
    flat = [nn.Flatten(), head] if isinstance(head, nn.Linear) else [head, nn.Flatten()]
    classifier = load(nn.Sequential(*body, *flat))
    images = torch.rand(3, 3, 8, 8)
    outputs = classifier(images)
    assert outputs.logits.shape == (3, 5)
    torch.testing.assert_close(outputs.features, body(images).flatten(1))


def test_features_before_a_convolutional_head_are_pooled_over_the_picture():
    body, head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1)
    classifier = load(nn.Sequential(body, head, nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    images = torch.rand(3, 3, 8, 8)
    outputs = classifier(images)
    torch.testing.assert_close(outputs.features, body(images).mean(dim=(2, 3)))
    logits = outputs.features @ head.weight.flatten(1).T + head.bias
    torch.testing.assert_close(outputs.logits, logits)


def test_no_classifying_layer_means_no_features():
    assert load(ChannelMeans())(torch.rand(2, 3, 8, 8)).features is None


def test_features_of_other_rows_than_the_pictures_are_dropped():
    class PerPatch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, images: Tensor) -> Tensor:
            patches = images.flatten(2).transpose(1, 2)
            return self.head(patches.flatten(0, 1)).view(len(images), -1, 2).mean(1)

    assert load(PerPatch())(torch.rand(2, 3, 4, 4)).features is None


def test_placing_copies_freezes_and_keeps_the_answers(tiny):
    classifier = load(tiny(num_classes=3))
    placed = classifier.place(CPU, channels_last=True)
    assert placed.module is not classifier.module
    assert not placed.module.training
    assert not any(p.requires_grad for p in placed.module.parameters())
    assert placed.placement.channels_last
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(placed(images).logits, classifier(images).logits)


def test_reduced_precision_is_upcast(tiny):
    classifier = load(tiny(num_classes=3))
    images = torch.rand(2, 3, 32, 32)
    outputs = classifier.place(CPU, amp_dtype=torch.bfloat16)(images)
    assert outputs.logits.dtype == torch.float32
    assert outputs.features is not None
    assert outputs.features.dtype == torch.float32
    assert not torch.equal(outputs.logits, classifier(images).logits)


def test_float64_stays_float64(tiny):
    classifier = load(tiny(num_classes=3).double()).place(CPU)
    outputs = classifier(torch.rand(2, 3, 32, 32, dtype=torch.float64))
    assert outputs.logits.dtype == torch.float64
    assert classifier(torch.rand(2, 3, 32, 32)).logits.dtype == torch.float64


def test_half_weights_give_float32_logits(tiny):
    outputs = load(tiny(num_classes=3).bfloat16())(torch.rand(2, 3, 32, 32))
    assert outputs.logits.dtype == torch.float32


def test_gradients_reach_the_pictures_even_after_inference_mode(tiny):
    classifier = load(tiny(num_classes=3)).place(CPU)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        classifier(images)
    images.requires_grad_()
    classifier(images).logits[0, 0].backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_a_call_leaves_no_hook_behind(tiny):
    classifier = load(tiny(num_classes=3))
    classifier(torch.rand(1, 3, 32, 32))
    assert not any(m._forward_pre_hooks for m in classifier.module.modules())


def test_a_trained_module_can_take_the_place_of_the_old_one(tiny):
    classifier = load(tiny(num_classes=3))
    images = torch.rand(2, 3, 32, 32)
    before = classifier(images).logits
    other = tiny(num_classes=3)
    nn.init.zeros_(other.fc.weight)
    nn.init.zeros_(other.fc.bias)
    assert dataclasses.replace(classifier, module=other)(images).logits.abs().max() == 0
    torch.testing.assert_close(classifier(images).logits, before)


@pytest.mark.parametrize(
    "images",
    [
        torch.rand(3, 8, 8),
        torch.rand(2, 1, 8, 8),
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_wrong_pictures_are_refused(images):
    with pytest.raises(ModelError, match=r"takes float pictures of shape \(n, 3, h, w\)"):
        load(ChannelMeans())(images)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (torch.zeros(2, 5, 3), r"a tensor of shape \(2, 5, 3\)"),
        (torch.zeros(2, 4), r"shape \(2, 4\)"),
        ({"mask": torch.zeros(2, 5, 8, 8)}, r"a dict with \['mask'\] \(2, 5, 8, 8\)"),
        ((torch.zeros(3, 5), "words"), r"a tuple with \[0\] \(3, 5\)"),
    ],
)
def test_anything_but_logits_is_refused(output, said):
    with pytest.raises(UsageError, match=said):
        load(Puts(output), num_classes=5)


def test_several_outputs_that_could_be_the_logits_are_refused():
    two = (torch.zeros(2, 8), torch.zeros(2, 5))
    with pytest.raises(ModelError, match=r"could be the logits: \[0\] \(2, 8\), \[1\] \(2, 5\)"):
        load(Puts(two))
    assert load(Puts(two), num_classes=5).form.path == (1,)
    assert load(Puts({"features": two[0], "pred": two[1]})).form.path == ("pred",)


def test_an_output_that_changes_its_shape_later_is_refused():
    classifier = load(Puts(torch.zeros(2, 5)))
    with pytest.raises(ModelError, match=r"float32 tensor of shape \(2, 5\) where .* \(3, 5\)"):
        classifier(torch.zeros(3, 3, 224, 224))


def test_check_passes_a_sound_model(tiny):
    load(tiny(num_classes=3)).place(CPU).check()


def test_check_refuses_infinite_logits():
    with pytest.raises(ModelError, match="NaN or infinite logits"):
        load(Puts(torch.full((2, 5), torch.inf)), num_classes=5).check()


def test_check_names_the_size_that_a_model_fails_on():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    sound = load(module, num_classes=5, overrides=PreprocessingOverrides(img_size=8))
    sound.check()
    with pytest.raises(UsageError, match=r"\(3, 9, 9\): RuntimeError.*Leave --img-size out"):
        load(module, num_classes=5, overrides=PreprocessingOverrides(img_size=9)).check()


def test_impossible_device_is_refused(tiny):
    if torch.cuda.is_available():
        pytest.skip("the device exists here")
    with pytest.raises(ModelError, match="cannot be moved to cuda"):
        load(tiny(num_classes=3)).place(torch.device("cuda"))


def test_hash_of_weights_tells_weights_apart_and_nothing_else(tiny):
    module, same = tiny(num_classes=3), tiny(num_classes=3)
    digest = weights_sha256(module)
    assert len(digest) == 64
    assert weights_sha256(same.to(memory_format=torch.channels_last)) == digest
    assert weights_sha256(same.double()) != digest
    with torch.no_grad():
        module.fc.bias[0] += 1
    assert weights_sha256(module) != digest


def test_provenance_is_json(tiny):
    provenance = load(tiny(num_classes=3)).provenance
    assert json.loads(json.dumps(provenance)) == provenance


def test_a_classifier_passes_through_load(tiny):
    classifier = load(tiny(num_classes=3))
    assert isinstance(classifier, Classifier)
    assert load(classifier) is classifier


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile's own, of its own parts
def test_compiled_gives_the_same_logits_features_and_gradients(tiny):
    classifier = load(tiny(num_classes=3))
    compiled = classifier.place(CPU, compile=True)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        expected, outputs = classifier(images), compiled(images)
    torch.testing.assert_close(outputs.logits, expected.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs.features, expected.features, rtol=1e-4, atol=1e-5)
    grads = []
    for which in (classifier, compiled):
        leaf = images.clone().requires_grad_()
        which(leaf).logits.sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
def test_runs_on_a_gpu_in_half_precision(tiny):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    classifier = load(tiny(num_classes=3))
    placed = classifier.place(device, amp_dtype=torch.bfloat16, channels_last=True)
    placed.check()
    images = torch.rand(2, 3, 160, 160)
    outputs = placed(images.to(device))
    assert outputs.logits.device.type == "cuda"
    torch.testing.assert_close(outputs.logits.cpu(), classifier(images).logits, rtol=0.1, atol=0.1)
    assert classifier.module.fc.weight.device.type == "cpu"
