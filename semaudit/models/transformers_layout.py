"""Folders that Hugging Face transformers wrote: recognised, and the way out named."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from semaudit.errors import ModelError
from semaudit.models.files.contents import find_file
from semaudit.models.stated import read_stated
from semaudit.models.timm_models import LOCAL_PREFIX

_LARGEST = 16 << 20
_WEIGHTS = re.compile(
    r"(pytorch_|tf_|flax_)?model(-\d+-of-\d+)?\.(safetensors|bin|h5|msgpack)(\.index\.json)?"
)
_LONGEST = 60  # characters of a name that a message shows


def transformers_layout(model: str | Path) -> str | None:
    """Say what a folder of transformers', or a file in it, is and how to audit it; else None.

    A folder that timm wrote, or that wraps a model of timm's, is none: it names an architecture.

    Args:
        model: as the user named it; what is no path is no folder either.
    """
    path = Path(str(model).removeprefix(LOCAL_PREFIX))
    folder = path if path.is_dir() else path.parent
    config = _read(folder / "config.json") if path.exists() else {}
    kinds = config.get("architectures")
    named = [str(each) for each in kinds] if isinstance(kinds, list) else []
    named += [str(config["model_type"])] if isinstance(config.get("model_type"), str) else []
    if not named or "architecture" in config:
        return None
    what = ", ".join(f"{each[:_LONGEST]!a}" for each in named[:2])
    return (
        f"{path} is a model of Hugging Face transformers ({what}), whose networks semaudit does "
        "not build. Let a function build it, in a file of your own:\n"
        "    from transformers import AutoModelForImageClassification\n"
        "    def build():\n"
        f"        return AutoModelForImageClassification.from_pretrained({folder.as_posix()!r})\n"
        f"and audit FILE.py:build{_flags(folder)}; or export it to ONNX"
    )


def explained(error: ModelError, model: str | Path) -> ModelError | None:
    """Put a failure to open a model together with what stands around it; None where nothing does.

    What went wrong comes first, unless the file is one that transformers writes: an ONNX file
    beside such weights fails for reasons of its own.
    """
    foreign = transformers_layout(model)
    if foreign is None:
        return None
    ordered = (foreign, f"({error})") if _is_theirs(model) else (str(error), f"({foreign})")
    return ModelError("\n".join(ordered))


def _is_theirs(model: str | Path) -> bool:
    """Whether a file, or the one in a folder, is called as transformers calls weights."""
    try:
        file = find_file(Path(str(model).removeprefix(LOCAL_PREFIX)))
    except ModelError:  # a folder of several
        return True
    return _WEIGHTS.fullmatch(file.name) is not None


def _flags(folder: Path) -> str:
    """The normalisation that stands beside the weights, as flags."""
    stated = read_stated(_read(folder / "preprocessor_config.json")).preprocessing
    values = {key: stated.get(key) for key in ("mean", "std")}
    return "".join(
        f" --{key} {','.join(map('{:g}'.format, each))}"
        for key, each in values.items()
        if isinstance(each, tuple)
    )


def _read(file: Path) -> Mapping[str, object]:
    """The JSON object in a file; empty where there is none."""
    try:
        if file.stat().st_size > _LARGEST:
            return {}
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
