"""``--class-map``: a file that says which output each label stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from semaudit.errors import ImageError, UsageError, did_you_mean
from semaudit.images.labels import LabelMap
from semaudit.images.sources.origins import shown

_LARGEST = 64 << 20
_PAIR = re.compile(r"(.*[^\s,])(?:\s*,\s*|\s+)([0-9]{1,9})")
_SYNSET = re.compile(r"(n[0-9]{8})(?:\s.*)?")


@dataclass(frozen=True)
class ClassMap:
    """Labels and their outputs, as a file states them."""

    path: Path
    indices: Mapping[str, int]

    def map_labels(self, found: Iterable[str], classes: Sequence[str] | None) -> LabelMap:
        """Look every label up, by its name where the source numbers and names its classes.

        Raises:
            ImageError: the file does not mention a label.
        """
        named = {label: _name(label, classes) for label in found}
        outputs = {
            label: self.indices.get(name, self.indices.get(label)) for label, name in named.items()
        }
        missing = sorted(named[label] for label, output in outputs.items() if output is None)
        if missing:
            raise ImageError(
                f"--class-map {self.path} does not mention {len(missing)} of {len(named)} labels, "
                f"the first {shown(missing[0])!r}{did_you_mean(missing[0][:100], self.indices)}"
            )
        return LabelMap({label: index for label, index in outputs.items() if index is not None})


def read_class_map(path: Path, num_classes: int) -> ClassMap:
    """Read a class map.

    A text file has one class a line, in the order of the outputs, or ``label index`` on every
    line; a line that starts with a WordNet id stands for that id. A ``.json``, ``.yaml`` or
    ``.yml`` file holds a list of labels or a mapping of labels to indices.

    Raises:
        UsageError: the file cannot be read, states something twice, or an index is no output.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"--class-map {path} is larger than {_LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        raise UsageError(f"cannot read --class-map {path}: {reason}") from error
    suffix = path.suffix.lower()
    structured = suffix in {".json", ".yaml", ".yml"}
    pairs = _of_structure(_parsed(text, path), path) if structured else _of_lines(text, path)
    if not pairs:
        raise UsageError(f"--class-map {path} is empty")
    return ClassMap(path, _checked(pairs, path, num_classes))


def _name(label: str, classes: Sequence[str] | None) -> str:
    if classes is None or not label.isdigit() or int(label) >= len(classes):
        return label
    return classes[int(label)]


def _parsed(text: str, path: Path) -> object:
    try:
        # The safe loader in C reads ten times as fast where there is one.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.load(text, loader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--class-map {path} cannot be parsed: {reason}") from error


def _of_structure(content: object, path: Path) -> list[tuple[str, object]]:
    if isinstance(content, list) and all(isinstance(name, (str, int)) for name in content):
        return [(str(name), index) for index, name in enumerate(content)]
    if isinstance(content, dict):
        return [(str(name), index) for name, index in content.items()]
    raise UsageError(
        f"--class-map {path} holds neither a list of labels nor a mapping of labels to indices"
    )


def _of_lines(text: str, path: Path) -> list[tuple[str, object]]:
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if "" in lines:
        raise UsageError(
            f"--class-map {path}, line {lines.index('') + 1} is empty, and lines count as outputs"
        )
    matches = [_PAIR.fullmatch(line) for line in lines]
    pairs = [(match[1], int(match[2])) for match in matches if match]
    # Class names may end in numbers: "class 1", "class 2" are names, since nothing is twice.
    if len(pairs) == len(lines) and len({name for name, _ in pairs}) == len(lines):
        return [(name, index) for name, index in pairs]
    synsets = [_SYNSET.fullmatch(line) for line in lines]
    if all(synsets):
        lines = [match[1] for match in synsets if match]
    return [(name, index) for index, name in enumerate(lines)]


def _checked(
    pairs: Sequence[tuple[str, object]], path: Path, num_classes: int
) -> Mapping[str, int]:
    indices: dict[str, int] = {}
    for number, (name, index) in enumerate(pairs, start=1):
        where = f"--class-map {path}, entry {number}"
        if name in indices:
            raise UsageError(f"{where}: {shown(name)!r} is there twice")
        if not isinstance(index, int) or isinstance(index, bool):
            raise UsageError(f"{where}: {shown(name)!r} has {index!r} for an index, not a number")
        if not 0 <= index < num_classes:
            raise UsageError(
                f"{where}: {shown(name)!r} has the index {index}, and the model's {num_classes} "
                f"outputs count from 0 to {num_classes - 1}"
            )
        indices[name] = index
    return indices


__all__ = ["ClassMap", "read_class_map"]
