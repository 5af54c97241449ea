"""The model that is trained: a copy of the original, in inference mode, with weights that move."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from semaudit.errors import ModelError
from semaudit.models import Classifier

Weights = dict[str, Tensor]
"""A state dict."""


def refuse_untrainable(classifier: Classifier) -> None:
    """Refuse a model that cannot be trained here, or whose result could not be opened.

    Raises:
        ModelError: saying why.
    """
    source = str(classifier.provenance.get("source"))
    program = next((each for each in _PROGRAMS if each in source.lower()), None)
    if program is not None or not classifier.differentiable:
        what = f"is a whole program ({source})" if program else "has no gradients"
        raise ModelError(
            f"{classifier.name} {what}, which is not trained here: fine-tune the checkpoint that "
            "it was exported from"
        )
    if not _trainable(classifier.module):
        raise ModelError(f"{classifier.name} has no weights that could be trained")


_PROGRAMS = ("torchscript", "export", "onnx")


def student_of(classifier: Classifier, *, train_bn: bool) -> Classifier:
    """A copy of a classifier whose weights take gradients.

    It stays in inference mode: no dropout, and BatchNorm by its stored statistics, unless these
    are to be trained, too.
    """
    module = copy.deepcopy(classifier.module).eval()
    for weight in _trainable(module):
        weight.requires_grad_(True)
    if train_bn:
        for layer in batch_norms(module):
            layer.train()
    return replace(classifier, module=module)


def _trainable(module: nn.Module) -> list[Tensor]:
    return [weight for weight in module.parameters() if weight.is_floating_point()]


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """The layers that normalise by statistics of batches."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]


def weights_of(module: nn.Module) -> Weights:
    """A copy of the state dict's tensors."""
    state = module.state_dict()
    return {key: value.detach().clone() for key, value in state.items() if _is_tensor(value)}


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def with_weights(classifier: Classifier, weights: Weights) -> Classifier:
    """A copy of a classifier with these weights, for inference."""
    module = copy.deepcopy(classifier.module)
    module.load_state_dict(weights, strict=False)
    return replace(classifier, module=module.eval().requires_grad_(False))


@contextmanager
def without_statistics(student: Classifier) -> Iterator[None]:
    """BatchNorm takes no statistics inside, whether it trains or not."""
    layers = [layer for layer in batch_norms(student.module) if layer.training]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


@contextmanager
def measured(student: Classifier) -> Iterator[Classifier]:
    """The student in inference mode, whatever of it trains."""
    training = [module for module in student.module.modules() if module.training]
    student.module.eval()
    try:
        with torch.no_grad():
            yield student
    finally:
        for module in training:
            module.training = True
