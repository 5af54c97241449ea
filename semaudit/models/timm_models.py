"""Models by timm's names, with timm's pretrained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import timm
from huggingface_hub import constants, get_session
from torch import nn

from semaudit.errors import ModelError, UsageError, did_you_mean
from semaudit.models.classifier import Classifier, Provenance
from semaudit.models.names import class_names
from semaudit.models.preprocessing import (
    PreprocessingOverrides,
    input_channels,
    preprocessing_of,
    timm_config,
)
from semaudit.models.weights import frozen, require_finite_weights, weights_sha256

HUB_PREFIXES = ("hf-hub:", "hf_hub:")
HUB_PATIENCE = 3.0  # seconds


def load_timm(
    name: str,
    *,
    num_classes: int | None,
    in_chans: int | None,
    overrides: PreprocessingOverrides,
) -> Classifier:
    """Open a timm model, such as ``resnet50.a1_in1k``, with its pretrained weights.

    Raises:
        ModelError: timm knows no such name or tag, or the weights cannot be had.
        UsageError: ``num_classes`` is not what the weights were trained for.
    """
    if not name.startswith(HUB_PREFIXES):
        require_known(name)
        _require_pretrained(name)
    with _offline_when_unreachable():
        try:
            module = build(name, pretrained=True, in_chans=in_chans, overrides=overrides)
        except ModelError:
            raise
        except Exception as error:  # which one depends on the hub's HTTP library and its version
            raise ModelError(
                f"the pretrained weights of {name!r} cannot be fetched "
                f"({type(error).__name__}: {_first_line(error)}). Without a network, pass a "
                "checkpoint file with --arch, or point HF_HOME at a cache that holds the weights "
                "and set HF_HUB_OFFLINE=1"
            ) from error
    if num_classes not in (None, classes_of(module)):
        raise UsageError(
            f"{name} was trained for {classes_of(module)} classes; with --num-classes "
            f"{num_classes} its head would be untrained. Leave the flag out, or pass a checkpoint"
        )
    provenance: Provenance = {"source": "timm", "arch": name}
    return assemble(module, name, provenance, in_chans=in_chans, overrides=overrides)


def build(
    arch: str,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int | None = None,
    overrides: PreprocessingOverrides,
) -> nn.Module:
    """Construct a timm model; a size that it must know at construction is handed over.

    Raises:
        ModelError: timm cannot construct it so.
        UsageError: ``in_chans`` and ``overrides.input_size`` disagree.
    """
    channels = input_channels(in_chans, overrides)
    wanted: dict[str, object] = {"num_classes": num_classes, "in_chans": channels, "img_size": None}
    if not arch.startswith(HUB_PREFIXES) and _needs_size(arch):
        wanted["img_size"] = overrides.spatial_size
    arguments = {key: value for key, value in wanted.items() if value is not None}
    try:
        module: nn.Module = timm.create_model(arch, pretrained=pretrained, **arguments)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        asked = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "its defaults"
        raise ModelError(f"timm cannot build {arch!r} with {asked}: {error}") from error
    return module


def assemble(
    module: nn.Module,
    name: str,
    provenance: Provenance,
    *,
    in_chans: int | None,
    overrides: PreprocessingOverrides,
) -> Classifier:
    """Make a classifier of a timm model that nobody else holds, built with ``in_chans``.

    Raises:
        ModelError: the model has no classes, or weights that are not finite.
    """
    num_classes = classes_of(module)
    if not num_classes:
        raise ModelError(f"{name} has no classifying layer, only features; audit a classifier")
    require_finite_weights(module, name)
    channels = input_channels(in_chans, overrides) or default_channels(module)
    return Classifier(
        module=frozen(module),
        preprocessing=preprocessing_of(module, overrides, channels=channels),
        class_names=class_names(num_classes, module),
        num_classes=num_classes,
        name=name,
        provenance={**provenance, "weights_sha256": weights_sha256(module)},
    )


def classes_of(module: nn.Module) -> int:
    """Return the width of a timm model's logits; 0 when it has only features."""
    return int(getattr(module, "num_classes", 0))


def default_channels(module: nn.Module) -> int:
    """Return the channels that timm builds an architecture for unless told otherwise."""
    size = (timm_config(module) or {}).get("input_size")
    return int(size[0]) if isinstance(size, (tuple, list)) else 3


def require_known(name: str) -> None:
    """Refuse a name or a tag that timm does not know.

    Raises:
        ModelError: naming the nearest that it does.
    """
    arch, dot, tag = name.partition(".")
    if not timm.is_model(arch):
        near = did_you_mean(name, timm.list_pretrained() if dot else timm.list_models())
        raise ModelError(
            f"timm {timm.__version__} has no model {arch!r}{near}. "
            "Pass a timm name, or a path to a checkpoint together with --arch"
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{arch}.*")]
    default = _config(arch).tag
    if dot and tag not in {*tags, default}:
        listed = ", ".join(tags) or "none"
        raise ModelError(f"{arch} has no tag {tag!r}{did_you_mean(tag, tags)}; its tags: {listed}")


def _require_pretrained(name: str) -> None:
    """Refuse what would be audited with random weights."""
    if not _config(name).has_weights:
        tagged = timm.list_pretrained(f"{name.partition('.')[0]}.*")
        hint = f"; those with weights: {', '.join(tagged)}" if tagged else ""
        raise ModelError(f"timm has no pretrained weights for {name!r}{hint}. Pass a checkpoint")


def _needs_size(arch: str) -> bool:
    return bool(_config(arch).fixed_input_size)


def _config(name: str) -> Any:
    """timm's PretrainedCfg of a known name; an empty one where it keeps none."""
    return timm.models.get_pretrained_cfg(name) or timm.models.PretrainedCfg()


@contextmanager
def _offline_when_unreachable() -> Iterator[None]:
    """Let the hub answer from its cache alone when one quick question gets no answer.

    Left to itself huggingface_hub retries for most of a minute before it looks at the cache.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _hub_answers() -> bool:
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_PATIENCE)
    except Exception:  # requests, httpx or httpx2, by the version; any failure means no
        return False
    return True


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")
