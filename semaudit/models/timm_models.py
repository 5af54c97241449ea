"""Models by timm's names, with timm's pretrained weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import timm
from huggingface_hub import constants, get_session
from torch import nn

from semaudit.errors import ModelError, SemauditError, UsageError, did_you_mean
from semaudit.models.opened import Opened, Provenance
from semaudit.models.outputs import OutputForm
from semaudit.models.preprocessing import (
    PreprocessingOverrides,
    input_channels,
    labels_of,
    timm_config,
)

LOCAL_PREFIX = "local-dir:"
HUB_PREFIXES = ("hf-hub:", "hf_hub:")
HUB_PATIENCE = 3.0  # seconds


def open_timm(
    name: str,
    *,
    num_classes: int | None,
    in_chans: int | None,
    overrides: PreprocessingOverrides,
    pretrained: bool = True,
    model_kwargs: Mapping[str, object] = MappingProxyType({}),
) -> Opened:
    """Open a timm model, such as ``resnet50.a1_in1k``, with its pretrained weights.

    Raises:
        ModelError: timm knows no such name or tag, or the weights cannot be had.
        UsageError: ``num_classes`` is not what the weights were trained for.
    """
    if not name.startswith(HUB_PREFIXES):
        require_known(name)
        if pretrained:
            _require_pretrained(name)
    with _offline_when_unreachable(wanted=pretrained):
        try:
            module = build(
                name,
                pretrained=pretrained,
                num_classes=None if pretrained else num_classes,
                in_chans=in_chans,
                overrides=overrides,
                model_kwargs=model_kwargs,
            )
        except SemauditError:
            raise
        except Exception as error:  # which one depends on the hub's HTTP library and its version
            raise _unfetched(name, error) from error
    if num_classes not in (None, classes_of(module)):
        raise UsageError(
            f"{name} was trained for {classes_of(module)} classes; with --num-classes "
            f"{num_classes} its head would be untrained. Leave the flag out, or pass a checkpoint"
        )
    opened = opened_timm(
        module,
        name,
        {"source": "timm", "arch": name},
        in_chans=input_channels(in_chans, overrides),
    )
    return opened if pretrained else replace(opened, notes=(*opened.notes, UNTRAINED))


UNTRAINED = "the weights are random (--no-pretrained): the figures say nothing of a trained model"


def _unfetched(name: str, error: Exception) -> ModelError:
    said = f"({type(error).__name__}: {_first_line(error)})"
    return ModelError(
        f"the pretrained weights of {name!r} cannot be fetched {said}. Without a network, pass a "
        "checkpoint file, or local-dir:FOLDER with timm's config.json and weights; or point "
        "HF_HOME at a cache that holds the weights and set HF_HUB_OFFLINE=1; or try the "
        "architecture alone, untrained, with --no-pretrained"
    )


def local_folder(name: str) -> Path:
    """Return the folder that ``local-dir:FOLDER`` names.

    Raises:
        ModelError: it holds no config.json.
    """
    folder = Path(name.removeprefix(LOCAL_PREFIX))
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds no config.json, so timm cannot tell what is in it; pass a folder that "
            "timm.models.push_to_hf_hub or save_for_hf wrote, or the checkpoint file itself"
        )
    return folder


LOADING = frozenset(
    ("checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")
)
"""Arguments with which timm opens files, unpickling them with their code."""


def build(
    arch: str,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int | None = None,
    overrides: PreprocessingOverrides,
    model_kwargs: Mapping[str, object] = MappingProxyType({}),
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
    if forbidden := LOADING & model_kwargs.keys():
        raise UsageError(
            f"--model-kwargs {sorted(forbidden)[0]} would load another file; pass the checkpoint "
            "itself as the model"
        )
    wanted |= model_kwargs
    arguments = {key: value for key, value in wanted.items() if value is not None}
    try:
        module: nn.Module = timm.create_model(arch, pretrained=pretrained, **arguments)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        asked = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "its defaults"
        raise ModelError(f"timm cannot build {arch!r} with {asked}: {error}") from error
    return module


def opened_timm(
    module: nn.Module, name: str, provenance: Provenance, *, in_chans: int | None
) -> Opened:
    """Describe a timm model that nobody else holds, built with ``in_chans``."""
    config = dict(timm_config(module) or {})
    classes = classes_of(module)
    return Opened(
        module=module,
        name=name,
        provenance=provenance,
        stated={**config, "input_size": _input_size(module, config)},
        labels=labels_of(config),
        num_classes=classes or None,
        in_chans=in_chans or default_channels(module),
        form=OutputForm(classes) if classes else None,
        embeds=not classes,
    )


def _input_size(module: nn.Module, config: Mapping[str, object]) -> object:
    """The size a model was built for, where it knows; timm states that of the architecture."""
    built = getattr(getattr(module, "patch_embed", None), "img_size", None)
    stated = config.get("input_size")
    if isinstance(built, tuple) and len(built) == 2 and isinstance(stated, (tuple, list)):
        return (stated[0], *built)
    return stated


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
def _offline_when_unreachable(*, wanted: bool) -> Iterator[None]:
    """Let the hub answer from its cache alone when one quick question gets no answer.

    Left to itself huggingface_hub retries for most of a minute before it looks at the cache.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or (wanted and not _hub_answers())
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
