"""The forward pass that also returns what the last classifying layer was given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semaudit.models.preprocessing import Preprocessing


def classifying_layer(module: nn.Module, num_classes: int) -> nn.Module | None:
    """Find the layer whose output are the logits: timm's own, else the last one of that width."""
    get_classifier = getattr(module, "get_classifier", None)
    if callable(get_classifier):
        named = get_classifier()
        # Distilled models answer with a tuple: two heads, given much the same features.
        for head in named if isinstance(named, tuple) else (named,):
            if isinstance(head, nn.Module) and not isinstance(head, nn.Identity):
                return head
    wide = [layer for layer in module.modules() if _width(layer) == num_classes]
    return wide[-1] if wide else None


def first_channels(module: nn.Module) -> int:
    """What the module states, else what its first convolution takes, else 3."""
    stated = getattr(module, "in_chans", None)
    if isinstance(stated, int):
        return stated
    convolutions = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    first = next(convolutions, None)
    return 3 if first is None else first.in_channels


def _width(layer: nn.Module) -> int | None:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    if isinstance(layer, nn.Conv2d) and set(layer.kernel_size) == {1}:
        return layer.out_channels
    return None


class Tapped(nn.Module):
    """Normalise, run the module, and keep the classifying layer's input on the way.

    One nn.Module for the whole way, so that torch.compile takes all of it along. The hook lives
    for one call only: the module stays as clean to copy, save or train as it came.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        module: nn.Module,
        head: nn.Module | None,
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        channels_last: bool,
    ) -> None:
        super().__init__()
        self.module = module
        self.head = head
        self.channels_last = channels_last
        self.dtype = _weights_dtype(module)
        # Half-precision weights still get their pictures normalised in float32.
        exact = torch.float64 if self.dtype == torch.float64 else torch.float32
        for key, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
            tensor = torch.tensor(values, dtype=exact, device=device).view(-1, 1, 1)
            self.register_buffer(key, tensor, persistent=False)

    def forward(self, images: Tensor) -> tuple[object, Tensor | None]:
        """Take (n, c, h, w) in [0, 1]; give the module's raw output, and its features or None."""
        inputs = ((images.to(self.mean.dtype) - self.mean) / self.std).to(self.dtype)
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if self.head is None:
            return self.module(inputs), None
        seen: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, args: seen.extend(args[:1]))
        try:
            output = self.module(inputs)
        finally:
            hook.remove()
        return output, _flat(seen[-1], len(images)) if seen else None


def _flat(features: Tensor, count: int) -> Tensor | None:
    """(n, d) from what the layer was given, or None when its rows are not the pictures."""
    if features.ndim < 2 or len(features) != count:
        return None
    if features.ndim == 4:  # a convolutional head: some pool behind it, which comes to the same
        features = features.mean(dim=(2, 3))
    return features.flatten(1)


def _weights_dtype(module: nn.Module) -> torch.dtype:
    floating = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(floating, torch.float32)
