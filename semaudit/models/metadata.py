"""What a checkpoint says of itself beside its weights: architecture, classes, preprocessing.

All of it comes from foreign hands. It is first copied into plain values of bounded size, then
each value is taken if its type and range are right, and otherwise left out with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from semaudit.models.files.wrappers import WRAPPERS, entries
from semaudit.models.plain import LONGEST, Plain
from semaudit.models.stated import read_stated

ARCH_KEYS = ("arch", "architecture", "model_name", "model_arch", "timm_model", "arch_name")
NESTED = (
    *("args", "hyper_parameters", "hparams", "hyperparameters", "config", "cfg", "opt"),
    *("metadata", "meta", "model_args", "model_config", "pretrained_cfg"),
)
MODEL_KEYS = ("model", "backbone", "name")
"""Keys that may name an architecture inside settings, and something else outside."""
LABELS = ("class_to_idx", "classes", "class_names", "label_names", "labels", "id2label")
MOST_LABELS = 100_000
_MOST_RAW = 60
_ARCH = re.compile(r"[A-Za-z][\w\-/:]*(\.[\w\-]+)?")


@dataclass(frozen=True)
class Metadata:
    """What is stated, as far as it is believable.

    Attributes:
        arch: the architecture's name, without a tag; not checked against any registry.
        arch_from: where it was found, such as ``"args.model"``.
        tag: of the pretrained weights, such as ``"a1_in1k"``.
        num_classes: the width of the logits.
        labels: the names of the classes, in the order of the outputs.
        preprocessing: in timm's keys; what is not stated is absent.
        model_args: timm's arguments of the architecture, plain values only.
        epoch: how many epochs the model was trained.
        raw: everything plain that was found, as text to show, under dotted names.
        notes: what was there and was not taken, a sentence each.
    """

    arch: str | None = None
    arch_from: str | None = None
    tag: str | None = None
    num_classes: int | None = None
    labels: tuple[str, ...] | None = None
    preprocessing: Mapping[str, object] = field(default_factory=dict)
    model_args: Mapping[str, object] = field(default_factory=dict)
    epoch: int | None = None
    raw: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def metadata_of(content: object, *, beside: object = None) -> Metadata:
    """Gather what a file's content, or a safetensors header, and a config.json beside it state.

    Args:
        content: a mapping; its state dicts are passed over.
        beside: the parsed config.json; the file itself is believed first.
    """
    sources = {"": _outside_weights(content), "config.json": Plain().copy(beside)}
    flat = {
        dotted: value
        for origin, values in sources.items()
        if isinstance(values, dict)
        for dotted, value in _settings(values, origin)
    }
    notes: list[str] = []
    arch, arch_from = _first_arch(flat, notes)
    arch, tag = _tagged(arch)
    labels = _labels(flat, notes)
    counts = [value for key, value in flat.items() if _leaf(key) in ("num_classes", "n_classes")]
    num_classes = _count(counts, "num_classes", 1_000_000, notes)
    if labels and num_classes not in (None, len(labels)):
        notes.append(f"it names {len(labels)} classes but states {num_classes}; names left out")
        labels = None
    args = flat.get("model_args", flat.get("config.json.model_args"))
    return Metadata(
        arch=arch,
        arch_from=arch_from,
        tag=tag or _text(flat.get("config.json.pretrained_cfg.tag")),
        num_classes=num_classes or (len(labels) if labels else None),
        labels=labels,
        preprocessing=_preprocessing(flat),
        model_args=dict(args) if isinstance(args, dict) else {},
        epoch=_count([flat.get("epoch")], "epoch", 10_000_000, notes, least=0),
        raw=_raw(flat),
        notes=tuple(notes),
    )


def _outside_weights(content: object) -> object:
    items = entries(content) or {}
    kept = {
        key: item
        for key, item in items.items()
        if isinstance(key, str) and not (key in WRAPPERS and not isinstance(item, str))
    }
    return Plain().copy({k: v for k, v in kept.items() if "optim" not in k and "sched" not in k})


def _settings(values: Mapping[str, object], origin: str) -> list[tuple[str, object]]:
    """Name every value by its path, looking into the mappings that hold settings."""
    found: list[tuple[str, object]] = []
    for key, value in values.items():
        dotted = f"{origin}.{key}" if origin else key
        found.append((dotted, value))
        if isinstance(value, dict) and (key in NESTED or key in MODEL_KEYS):
            found += _settings(value, dotted)
    return found


def _leaf(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _first_arch(flat: Mapping[str, object], notes: list[str]) -> tuple[str | None, str | None]:
    """The first value under a key that names an architecture, and the key."""
    plain = [key for key in flat if _leaf(key) in ARCH_KEYS]
    inside = [key for key in flat if "." in key and _leaf(key) in MODEL_KEYS]
    for key in (*plain, *inside, *(key for key in flat if key == "model")):
        text = _text(flat[key])
        if text and _ARCH.fullmatch(text):
            return text, key
        if not isinstance(flat[key], dict):
            notes.append(f"{key} names no architecture ({str(flat[key])[:40]!r}); left out")
    return None, None


def _tagged(arch: str | None) -> tuple[str | None, str | None]:
    """Part ``"timm/resnet50.a1_in1k"`` into a name and a tag."""
    if arch is None:
        return None, None
    name, _, tag = re.sub(r"^(hf[-_]hub:)?timm/", "", arch).partition(".")
    return name, tag or None


def _text(value: object) -> str | None:
    good = isinstance(value, str) and 0 < len(value) < LONGEST and value.isprintable()
    return str(value) if good else None


def _count(
    values: list[object], what: str, most: int, notes: list[str], *, least: int = 1
) -> int | None:
    """The first whole number within bounds."""
    for value in values:
        if isinstance(value, str) and value.isdecimal() and len(value) < 10:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        if value is not None:
            notes.append(f"{what} is no count ({str(value)[:40]!r}); left out")
    return None


def _labels(flat: Mapping[str, object], notes: list[str]) -> tuple[str, ...] | None:
    """The names of the classes by output, from a list or from a mapping either way around."""
    for key in sorted(
        (k for k in flat if _leaf(k) in LABELS), key=lambda k: LABELS.index(_leaf(k))
    ):
        value = flat[key]
        by_index = value
        if isinstance(value, list):
            by_index = dict(enumerate(value))
        elif isinstance(value, dict) and all(isinstance(item, int) for item in value.values()):
            by_index = {index: name for name, index in value.items()}
        elif isinstance(value, dict):
            by_index = {int(k): v for k, v in value.items() if k.isdecimal() and len(k) < 8}
        if isinstance(by_index, dict) and 0 < len(by_index) <= MOST_LABELS:
            names = [_text(by_index.get(index)) for index in range(len(by_index))]
            if len(by_index) == len(value) and all(names):  # type: ignore[arg-type]
                return tuple(name for name in names if name)
        if value:
            notes.append(f"{key} does not name the classes 0, 1, ... in plain words; left out")
    return None


def _preprocessing(flat: Mapping[str, object]) -> Mapping[str, object]:
    """What settings state, the innermost configuration of preprocessing first."""
    wanted = (*("mean", "std", "input_size", "img_size", "crop_pct", "crop_mode"), "interpolation")
    nested = [key for key in flat if "." in key and _leaf(key) in wanted]
    outer = [key for key in flat if "." not in key and key in wanted]
    stated: dict[str, object] = {}
    for key in (*nested, *outer):
        if flat[key] is not None and flat[key] != "":
            stated.setdefault(_leaf(key), flat[key])
    if "input_size" in stated:  # says more than a side alone
        stated.pop("img_size", None)
    channels = flat.get("args.in_chans", 3)
    good = isinstance(channels, int) and 1 <= channels <= 1024
    return read_stated(stated, channels=int(str(channels)) if good else 3).preprocessing


def _raw(flat: Mapping[str, object]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for key, value in flat.items():
        if isinstance(value, (str, int, float)) and len(shown) < _MOST_RAW:
            text = "".join(char if char.isprintable() else " " for char in str(value))
            shown[key[:LONGEST]] = text[:LONGEST]
    return shown
