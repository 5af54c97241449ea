"""Models by torchvision's names, with torchvision's pretrained weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from semaudit.errors import ModelError, UsageError, did_you_mean
from semaudit.models.opened import Opened, Provenance

PREFIX = "torchvision:"
RENORMALISING = ("googlenet", "inception_v3")
RENORMALISED = (
    "the network turns ImageNet's normalisation into its own (transform_input), as torchvision's "
    "published weights of it need; weights do not show whether they were trained so: if not, give "
    "--model-kwargs transform_input=False"
)
# Their own initialisation takes seconds, and every weight is overwritten or known to be random.
SLOW_TO_INITIALISE = ("googlenet", "inception_v3")


def open_torchvision(
    name: str,
    *,
    pretrained: bool,
    num_classes: int | None,
    model_kwargs: Mapping[str, object],
) -> Opened:
    """Open a classification model of torchvision's.

    Args:
        name: ``resnet50``, ``resnet50.IMAGENET1K_V1`` or ``ResNet50_Weights.IMAGENET1K_V1``, with
            or without ``torchvision:`` before it.
        pretrained: whether to fetch weights: those named, else torchvision's default ones.
        num_classes: the width of the output; the weights' own when None.
        model_kwargs: further arguments of torchvision's function.

    Raises:
        ModelError: torchvision knows no such model or weights, or cannot build or fetch it.
        UsageError: ``num_classes`` is not what the weights were trained for.
    """
    arch, weights = _resolved(name)
    categories = tuple(map(str, weights.meta["categories"]))
    if not pretrained:
        module = _built(arch, num_classes, model_kwargs)
        count = num_classes or len(categories)
    elif num_classes in (None, len(categories)):
        module, count = _fetched(arch, weights, model_kwargs), len(categories)
    else:
        raise UsageError(
            f"{PREFIX}{arch} was trained for {len(categories)} classes; with --num-classes "
            f"{num_classes} its head would be untrained. Leave the flag out, or pass a checkpoint"
        )
    provenance: Provenance = {
        "source": "torchvision",
        "arch": f"{PREFIX}{arch}",
        "weights": str(weights) if pretrained else None,
    }
    return Opened(
        module=module,
        name=f"{PREFIX}{arch}.{weights.name}" if pretrained else f"{PREFIX}{arch}",
        provenance=provenance,
        stated=_stated(weights),
        labels=categories if count == len(categories) and pretrained else None,
        num_classes=count,
        notes=() if pretrained else (f"{PREFIX}{arch} has random weights (--no-pretrained)",),
    )


def build_torchvision(
    name: str, num_classes: int | None, options: Mapping[str, object] = MappingProxyType({})
) -> nn.Module:
    """Construct torchvision's ``name`` with random weights.

    ``inception_v3`` and ``googlenet`` are built as torchvision's own weights need them, with the
    change of normalisation (``transform_input``): a checkpoint does not show which was meant, and
    ``options`` may say so.

    Raises:
        ModelError: torchvision knows no such model, or cannot build it so.
    """
    arch = _resolved(name)[0]
    published = {"transform_input": True} if arch in RENORMALISING else {}
    return _built(arch, num_classes, {**published, **options})


def with_channels(module: nn.Module, in_chans: int) -> nn.Module:
    """Give a module's first convolution other input channels, and random weights."""
    found = ((name, each) for name, each in module.named_modules() if isinstance(each, nn.Conv2d))
    name, first = next(found)
    if first.in_channels == in_chans:
        return module
    stem = nn.Conv2d(
        in_chans,
        first.out_channels,
        (first.kernel_size[0], first.kernel_size[1]),
        (first.stride[0], first.stride[1]),
        first.padding if isinstance(first.padding, str) else (first.padding[0], first.padding[1]),
        bias=first.bias is not None,
    )
    parent, _, leaf = name.rpartition(".")
    setattr(module.get_submodule(parent), leaf, stem)
    return module


def torchvision_stated(name: str) -> dict[str, object]:
    """Return the preprocessing, in timm's keys, that goes with torchvision's default weights.

    Raises:
        ModelError: torchvision knows no such model.
    """
    return _stated(_resolved(name)[1])


def assumptions(opened: Opened) -> tuple[str, ...]:
    """Say what a module of torchvision's that took a checkpoint's weights is assumed to do."""
    assumed = (
        opened.provenance["source"] == "checkpoint"
        and str(opened.provenance.get("arch")).startswith(PREFIX)
        and getattr(opened.module, "transform_input", False)
    )
    return (RENORMALISED,) if assumed else ()


def _resolved(name: str) -> tuple[str, Any]:
    """The architecture and the weights that a name means."""
    from torchvision import models

    known = models.list_models(module=models)
    arch, _, tag = name.removeprefix(PREFIX).partition(".")
    by_weights = {models.get_model_weights(known_arch).__name__: known_arch for known_arch in known}
    arch = by_weights.get(arch, arch)
    if arch not in known:
        hint = did_you_mean(arch, [*known, *by_weights])
        raise ModelError(
            f"torchvision has no classification model {arch!r}{hint}; "
            "torchvision.models.list_models(module=torchvision.models) lists them"
        )
    tags = {weights.name: weights for weights in models.get_model_weights(arch)}
    if tag not in {"", "DEFAULT", *tags}:
        raise ModelError(
            f"torchvision's {arch} has no weights {tag!r}{did_you_mean(tag, tags)}; it has: "
            f"{', '.join(tags)}"
        )
    return arch, tags[tag] if tag in tags else models.get_model_weights(arch).DEFAULT


def _built(arch: str, num_classes: int | None, model_kwargs: Mapping[str, object]) -> nn.Module:
    from torchvision import models

    arguments: dict[str, object] = dict(model_kwargs)
    if num_classes is not None:
        arguments["num_classes"] = num_classes
    if arch in SLOW_TO_INITIALISE:
        arguments.setdefault("init_weights", False)
    try:
        module: nn.Module = models.get_model(arch, weights=None, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(_unbuildable(arch, arguments, error)) from error
    return module


def _fetched(arch: str, weights: Any, model_kwargs: Mapping[str, object]) -> nn.Module:
    from torchvision import models

    try:
        module: nn.Module = models.get_model(arch, weights=weights, progress=False, **model_kwargs)
    except (TypeError, ValueError) as error:
        raise ModelError(_unbuildable(arch, model_kwargs, error)) from error
    except Exception as error:  # urllib's errors, a full disk, a wrong hash
        reason = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"the pretrained weights {weights} cannot be fetched ({type(error).__name__}: "
            f"{reason}). Without a network, point TORCH_HOME at a cache that holds them, pass a "
            f"checkpoint file with --arch {PREFIX}{arch}, or audit random weights with "
            "--no-pretrained"
        ) from error
    return module


def _unbuildable(arch: str, arguments: Mapping[str, object], error: Exception) -> str:
    asked = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "its defaults"
    return f"torchvision cannot build {arch!r} with {asked}: {error}. Check --model-kwargs"


def _stated(weights: Any) -> dict[str, object]:
    """What torchvision's own transform does, in timm's keys."""
    transform = weights.transforms()
    crop, resize = transform.crop_size[0], transform.resize_size[0]
    return {
        "input_size": (len(transform.mean), crop, crop),
        "mean": tuple(transform.mean),
        "std": tuple(transform.std),
        "crop_pct": min(crop / resize, 1.0),
        "crop_mode": "center",
        "interpolation": transform.interpolation.value.removesuffix("-exact"),
    }
