"""The one shape in which every model is audited: pictures in [0, 1] in, logits out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError, last_line, out_of_memory
from semaudit.metric import Activation
from semaudit.models.folding import fold
from semaudit.models.names import ClassNames
from semaudit.models.opened import Provenance
from semaudit.models.outputs import OutputForm
from semaudit.models.preprocessing import Preprocessing
from semaudit.models.tap import Tapped, classifying_layer
from semaudit.models.weights import frozen, weights_sha256

ROUNDING = 1e-4
"""Change of the logits, a share of the largest, that another order of the same sums may make."""


@dataclass(frozen=True)
class Outputs:
    """What a classifier puts out for n pictures.

    Attributes:
        logits: (n, classes), float32, or float64 when the module is float64; of a model without
            classes, the embeddings.
        features: (n, d), the input of the last classifying layer, in the same dtype; None when
            there is no such layer to be found.
    """

    logits: Tensor
    features: Tensor | None


@dataclass(frozen=True)
class Placement:
    """Where and how a classifier runs."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    amp_dtype: torch.dtype | None = None
    channels_last: bool = False
    compile: bool = False


@final
@dataclass(frozen=True, eq=False)
class Classifier:
    """An image classifier together with its normalisation and what is known about it.

    Attributes:
        module: the model itself; it takes normalised pictures.
        preprocessing: the picture size and statistics.
        class_names: what the classes are called.
        num_classes: the width of the logits.
        name: what to call the model in a report.
        provenance: where the weights came from, fit for JSON.
        activation: what the logits mean: one class of several, labels, or an embedding.
        form: where the logits are in what the module puts out.
        notes: what a reader of the results should know of the model, a sentence each.
        differentiable: whether input gradients can be had.
        trained: the preprocessing that the model itself states, or None when unknown.
        placement: where and how it runs; see `place`.
    """

    module: nn.Module
    preprocessing: Preprocessing
    class_names: ClassNames
    num_classes: int
    name: str
    provenance: Provenance
    activation: Activation = "softmax"
    form: OutputForm | None = None
    notes: tuple[str, ...] = ()
    differentiable: bool = True
    trained: Preprocessing | None = None
    placement: Placement = field(default_factory=Placement)

    def place(
        self,
        device: torch.device,
        *,
        amp_dtype: torch.dtype | None = None,
        channels_last: bool = False,
        compile: bool = False,
    ) -> Classifier:
        """Return a classifier with its own copy of the module on ``device``, ready for inference.

        The module is copied because `nn.Module.to` moves in place, which would pull the weights
        from under this classifier.

        Raises:
            ModelError: the device cannot take the model.
        """
        try:
            module = copy.deepcopy(self.module).to(device)
        except (RuntimeError, AssertionError) as error:  # no such device, or out of its memory
            raise ModelError(f"{self.name} cannot be moved to {device}: {error}") from error
        if channels_last:
            module = module.to(memory_format=torch.channels_last)
        placement = Placement(device, amp_dtype, channels_last, compile)
        return replace(self, module=frozen(module), placement=placement)

    def folded(self) -> Classifier:
        """Return a classifier that answers the same with less work: see `fold`.

        Only where that is known to be faster and as exact: on a CPU in full precision, and where
        the answers to four pictures are the same but for rounding. Else this classifier itself.
        """
        placement = self.placement
        if placement.device.type != "cpu" or placement.compile or placement.amp_dtype is not None:
            return self
        pictures = references(self.preprocessing.input_size)
        try:
            twin = fold(self.module, lambda: self._repeatable(pictures))
            if twin is None:
                return self
            provenance = {**self.provenance, "weights_sha256": self.weights_sha256}
            other = replace(self, module=twin, provenance=provenance)
            before, after = (each._repeatable(pictures) for each in (self, other))
        except (ModelError, RuntimeError, MemoryError):  # told better by `check`
            return self
        same = (after - before).abs().amax() <= ROUNDING * before.abs().amax()
        return other if same else self

    def _repeatable(self, pictures: Tensor) -> Tensor:
        """Logits with the random numbers of a model's own held fixed."""
        with torch.no_grad(), torch.random.fork_rng([]):
            torch.manual_seed(0)
            return self(pictures).logits

    def __call__(self, images: Tensor) -> Outputs:
        """Classify pictures of shape (n, c, h, w) with values in [0, 1].

        Gradients flow to ``images`` unless the caller runs in `torch.inference_mode`.

        Raises:
            ModelError: the pictures, or what the module makes of them, have the wrong shape.
        """
        channels = self.preprocessing.input_size[0]
        if images.ndim != 4 or images.shape[1] != channels or not images.is_floating_point():
            raise ModelError(
                f"{self.name} takes float pictures of shape (n, {channels}, h, w), "
                f"not {_described(images)}"
            )
        placement = self.placement
        with torch.autocast(
            placement.device.type,
            dtype=placement.amp_dtype,
            enabled=placement.amp_dtype is not None,
        ):
            output, features = self._run(images)
        form = self.form or OutputForm(self.num_classes)
        logits = form.logits(output, self.activation)
        if logits is None or len(logits) != len(images):
            raise ModelError(
                f"{self.name} puts out {_described(output)} where logits of shape "
                f"{(len(images), form.width)} are needed; wrap the model so that forward returns "
                "only its logits"
            )
        return Outputs(_upcast(logits), None if features is None else _upcast(features))

    def _run(self, images: Tensor) -> tuple[object, Tensor | None]:
        try:
            return self._forward(images)
        except Exception as error:  # the module is foreign code: it may raise anything
            if out_of_memory(error):
                raise
            raise ModelError(
                f"{self.name} fails on pictures of size {tuple(images.shape[1:])}: "
                f"{type(error).__name__}: {last_line(error)}. "
                "Check the input size (--img-size) and the number of channels (--in-chans)"
            ) from error

    def check(self) -> Tensor:
        """Classify one mid-grey and one random picture, to fail early rather than mid-audit.

        Returns:
            (2, classes), their logits.

        Raises:
            ModelError: the module fails on them, or puts out anything but finite logits.
        """
        size = self.preprocessing.input_size
        try:
            images = references(size)[:2].to(self.placement.device)
            with torch.inference_mode():
                logits = self(images).logits
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise ModelError(f"{self.name} does not fit into memory with two pictures") from error
        if not torch.isfinite(logits).all():
            raise ModelError(
                f"{self.name} puts out NaN or infinite logits for a grey and a random picture; "
                "check the checkpoint, or run without reduced precision"
            )
        return logits

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights as they were given, 64 hex digits."""
        return str(self.provenance.get("weights_sha256") or weights_sha256(self.module))

    @property
    def _head(self) -> nn.Module | None:
        """The layer whose input are the features; an embedding is one itself."""
        if self.activation == "none":
            return None
        width = self.num_classes if self.form is None else self.form.width
        return classifying_layer(self.module, width)

    @cached_property
    def _forward(self) -> Callable[[Tensor], tuple[object, Tensor | None]]:
        """Built on first use, so that a classifier that is only moved compiles nothing."""
        # The first call may come inside inference_mode; tensors made there would later refuse
        # to take part in an input gradient.
        with torch.inference_mode(False):
            tapped = Tapped(
                self.module,
                self._head,
                self.preprocessing,
                self.placement.device,
                channels_last=self.placement.channels_last,
            )
        return torch.compile(tapped) if self.placement.compile else tapped


def references(size: tuple[int, int, int]) -> Tensor:
    """A grey, a random, a black and a white picture, (4, *size) in [0, 1]."""
    noise = torch.rand(size, generator=torch.Generator().manual_seed(0))
    return torch.stack([torch.full(size, 0.5), noise, torch.zeros(size), torch.ones(size)])


def _upcast(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
