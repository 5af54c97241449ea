"""Builds the architecture that a checkpoint is of, at the sizes that its tensors have."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from semaudit.models.architectures import Recognised
from semaudit.models.files.wrappers import StateDict
from semaudit.models.keys import Implied, implied_sizes
from semaudit.models.preprocessing import input_channels, timm_config
from semaudit.models.reading import Opening, Reading
from semaudit.models.recognition import Choice
from semaudit.models.timm_models import build, classes_of, default_channels
from semaudit.models.torchvision_models import PREFIX as TORCHVISION
from semaudit.models.torchvision_models import build_torchvision, with_channels

SHAPING = frozenset(
    (
        *("img_size", "patch_size", "window_size", "global_pool", "class_token", "reg_tokens"),
        *("no_embed_class", "pos_embed", "qkv_bias", "qk_norm", "init_values", "fc_norm"),
        *("pre_norm", "final_norm", "embed_dim", "embed_dims", "depth", "depths", "num_heads"),
        *("mlp_ratio", "act_layer", "norm_layer", "drop_rate", "drop_path_rate", "output_stride"),
        *("stem_type", "aa_layer", "pad_type", "bn_eps", "dynamic_img_size", "strict_img_size"),
    )
)
"""Arguments of timm's models that a file may state: none of them opens another file."""


def believable_arguments(stated: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Part the arguments that a file states into those that shape a module and all others.

    Others could name further files to be opened: timm's ``checkpoint_path`` unpickles one.
    """
    taken = {key: value for key, value in stated.items() if key in SHAPING}
    return taken, sorted(stated.keys() - taken.keys())


def construct(
    choice: Choice, stated: Mapping[str, object], opening: Opening, reading: Reading
) -> tuple[nn.Module, int]:
    """Build the architecture at the sizes that its tensors have; also its input channels.

    Args:
        choice: the architecture, and the tensors.
        stated: timm's arguments that the file states, as far as they are believable.
        opening: its ``model_kwargs`` outweigh what the file and the tensors say.
        reading: its class count, channels and picture size do so too.

    Raises:
        ModelError: it cannot be built so.
    """
    asked = input_channels(reading.in_chans, reading.overrides)
    sizes, arch = choice.sizes, choice.arch
    if arch.startswith(TORCHVISION):
        classes = reading.num_classes or (sizes and sizes.num_classes) or None
        channels = asked or (sizes.in_chans if sizes else 3)
        options = {**(sizes.options if sizes else {}), **opening.model_kwargs}
        built_there = build_torchvision(arch, classes, options)
        return with_channels(built_there, channels), channels
    arguments = {**stated, **_sizes(sizes, reading), **opening.model_kwargs}

    def built(classes: int | None, channels: int | None) -> nn.Module:
        return build(
            arch,
            num_classes=classes,
            in_chans=channels,
            overrides=reading.overrides,
            model_kwargs=arguments,
        )

    if sizes is not None:
        channels = asked or sizes.in_chans
        classes = sizes.num_classes if reading.num_classes is None else reading.num_classes
        return built(classes, channels), channels
    module = built(reading.num_classes, asked)
    have = (classes_of(module), asked or default_channels(module))
    implied = _implied(choice.state, module, have[1])
    want = (
        reading.num_classes or implied.num_classes or have[0],
        asked or implied.in_chans or have[1],
    )
    return (module if want == have else built(*want)), want[1]


def _sizes(sizes: Recognised | None, reading: Reading) -> Mapping[str, object]:
    """timm's arguments for sizes other than the architecture's own."""
    if sizes is None:
        return {}
    img_size = None if reading.overrides.spatial_size else sizes.img_size
    named = {"img_size": img_size, "patch_size": sizes.patch_size, **sizes.options}
    return {key: value for key, value in named.items() if value is not None}


def _implied(state: StateDict, module: nn.Module, in_chans: int) -> Implied:
    config = timm_config(module) or {}
    return implied_sizes(
        state,
        module.state_dict(),
        classifiers=_layer_names(config.get("classifier")),
        first_convs=_layer_names(config.get("first_conv")),
        in_chans=in_chans,
    )


def _layer_names(names: object) -> tuple[str, ...]:
    """timm states one name, several, or none."""
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, (tuple, list)) else ()
