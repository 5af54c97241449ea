"""Says what candidates with the same tensors differ in: padding, activation, window, mean, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

from torch import nn

from semaudit.models.architectures.meta import TORCHVISION, built

Facts = dict[str, str]

PREPROCESSING = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
GOES_WITH_SIZE = ("input_size", "interpolation", "crop_pct", "crop_mode")
"""Of these, what weights of one architecture at several picture sizes mostly differ in."""
FIRST = ("padding", "activation", "eps", "window", "pool")
"""What is named first, since it changes the answers most."""
MOST = 6
_TRAINING = ("drop", "init", "checkpoint", "inplace", "momentum", "jit", "fused", "export")
_DERIVED = ("num_", "in_", "out_", "feat", "dim", "area", "shape", "length", "resolution")
_DERIVED_TOO = ("reduction", "grid", "target", "img_size", "dynamic_padding")


@dataclass(frozen=True)
class Difference:
    """What an architecture has that another candidate has not, in words."""

    arch: str
    words: str


def differences(
    archs: Sequence[str], sizes: Mapping[str, int | tuple[int, int]] | None = None
) -> list[Difference]:
    """Compare architectures that have the same tensors, each against all others.

    Args:
        archs: names that the installed timm or torchvision knows.
        sizes: the picture size, side or height and width, of those that have the tensors at
            another than their own.
    """
    sizes = sizes or {}
    built_facts = [module_facts(built(arch)) for arch in archs]
    seen = [_gathered(facts, built_facts) for facts in built_facts]
    settings = [preprocessing_facts(arch) for arch in archs]
    for facts, own in zip(seen, settings, strict=True):
        facts |= {k: v for k, v in own.items() if any(other[k] != v for other in settings)}
    return [
        Difference(arch, _words(_resized(facts, settings[place]["input_size"], sizes.get(arch))))
        for place, (arch, facts) in enumerate(zip(archs, seen, strict=True))
    ]


def _resized(facts: Facts, own: str, size: int | tuple[int, int] | None) -> Facts:
    """Say so where an architecture would be at another picture size than its own."""
    if size is None:
        return facts
    side = f"({size}, {size})" if isinstance(size, int) else str(size)
    return {**facts, "input_size": f"{side} and not its own {own}"}


def module_facts(module: nn.Module) -> dict[str, Facts]:
    """For each module, by its path, what it is and its plain attributes."""
    return {path: _facts_of(inner) for path, inner in module.named_modules()}


def _facts_of(module: nn.Module) -> Facts:
    kind = type(module).__name__
    if kind == "Identity":  # as good as absent
        return {}
    facts = {name: text for name, value in vars(module).items() if (text := _plain(name, value))}
    if kind.endswith("Same"):  # timm's layers that pad as TensorFlow does
        kind, facts["padding"] = kind.removesuffix("Same"), "SAME"
    if ".activation" in type(module).__module__:  # torch's module of them, or timm's
        return {"activation": kind}
    if "eps" in facts:
        facts[f"{_norm_name(kind)} eps"] = facts.pop("eps")
    return {"layer": kind, **facts}


def _norm_name(kind: str) -> str:
    return next((name for name in ("BatchNorm", "LayerNorm", "GroupNorm") if name in kind), kind)


def _plain(name: str, value: object) -> str:
    """An attribute's value in words; nothing where it says nothing of the answers."""
    if name.startswith("_") or name in ("training", "N"):
        return ""
    if any(word in name for word in (*_TRAINING, *_DERIVED, *_DERIVED_TOO)):
        return ""
    if isinstance(value, (FunctionType, BuiltinFunctionType)):
        return value.__name__
    if isinstance(value, (list, tuple)) and all(isinstance(v, int) for v in value) and value:
        return str(value[0]) if len(set(value)) == 1 else str(tuple(value))
    return str(value) if isinstance(value, (bool, int, float, str)) else ""


def _gathered(facts: dict[str, Facts], others: Sequence[dict[str, Facts]]) -> Facts:
    """The values, over all modules, of what some other candidate has otherwise."""
    values: dict[str, dict[str, None]] = {}
    for path in dict.fromkeys(path for other in others for path in other):
        own = facts.get(path, {})
        rivals = [other.get(path, {}) for other in others]
        if any(
            bool(rival) != bool(own) or rival.get("layer") != own.get("layer") for rival in rivals
        ):
            kind = own.get("layer") or own.get("activation") or "none"
            values.setdefault(_role(path), {})[kind] = None
            continue
        for name in dict.fromkeys(name for rival in rivals for name in rival):
            if any(rival.get(name) != own.get(name) for rival in rivals) and name in own:
                values.setdefault(name, {})[own[name]] = None
    if any("SAME" in rival.get("padding", "") for o in others for rival in o.values()):
        _tell_padding(values)
    return {name: _some(list(found)) for name, found in values.items()}


def _role(path: str) -> str:
    """What a module is to its parent: ``aa`` of ``layer1.0.aa``, ``conv1`` of ``conv1.2``."""
    named = [part for part in path.split(".") if part and not part.isdigit()]
    return named[-1] if named else "layer"


def _tell_padding(values: dict[str, dict[str, None]]) -> None:
    if "padding" in values and "SAME" not in values["padding"]:
        values["padding"] = {"symmetric": None}


def _some(values: list[str]) -> str:
    values = [value for value in values if value != "none"] or values
    return "/".join(values[:3]) + ("/…" if len(values) > 3 else "")


def preprocessing_facts(arch: str) -> Facts:
    """The preprocessing that the architecture's default weights were trained with."""
    if arch.startswith(TORCHVISION):
        return dict.fromkeys(PREPROCESSING, "torchvision's")
    import timm

    config: Mapping[str, Any] = vars(
        timm.models.get_pretrained_cfg(arch) or timm.models.PretrainedCfg()
    )
    return {name: _tuple(config.get(name)) for name in PREPROCESSING}


def _tuple(value: object) -> str:
    return str(tuple(value)) if isinstance(value, (list, tuple)) else str(value)


def _words(facts: Facts) -> str:
    def rank(name: str) -> tuple[int, bool]:
        place = next((i for i, word in enumerate(FIRST) if word in name), len(FIRST))
        return place, name in PREPROCESSING

    names = sorted(facts, key=rank)
    kept = [n for n in names if n not in PREPROCESSING][:MOST]
    kept += [n for n in names if n in PREPROCESSING]
    words = (f"{name.replace('_', ' ')} {facts[name]}" for name in kept)
    return ", ".join(words) or "the same layers and preprocessing; only the name differs"
