"""A tree of classes from a YAML or JSON file.

Groups are lists or mappings of what is in them, classes are names, output indices or WordNet ids::

    animals:
      cats: [tabby, tiger cat]
      dogs:
        length: 2               # of the edge above the dogs; 1 where nothing is said
        children: [beagle, n02088466]
    things:
      teapot:                   # a class may stand as a key, with nothing or its length behind it
      crane: 0.5
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from semaudit.errors import UsageError, did_you_mean
from semaudit.images.labels.ways import by_index, by_name
from semaudit.models.names import ClassNames
from semaudit.taxonomy.tree import Taxonomy

_SHOWN = 5  # how many classes an error names of each kind
_DESCRIBED = {"length", "children"}


def read_tree(path: Path, class_names: ClassNames, num_classes: int) -> Taxonomy:
    """Read a tree that holds every class exactly once.

    Raises:
        UsageError: the file cannot be read, is no tree, or its leaves are not the classes; names
            the file, and the line or the classes.
    """
    growing = _Growing(path)
    try:
        growing.group(_root(path), 0)
    except RecursionError as error:
        raise UsageError(f"{path}: the groups are nested too deeply") from error
    found = _classes(path, list(growing.names.values()), class_names, num_classes)
    classes = [-1] * len(growing.parents)
    for node, index in zip(growing.names, found, strict=True):
        classes[node] = index
    return Taxonomy.of(str(path), growing.parents, growing.lengths, classes)


@dataclass
class _Growing:
    """A tree that is being read: parents and edge lengths by node, names of the leaves by node."""

    path: Path
    parents: list[int] = field(default_factory=lambda: [-1])
    lengths: list[float] = field(default_factory=lambda: [0.0])
    names: dict[int, str] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def group(self, node: yaml.Node, parent: int) -> None:
        """Add what is in a list or a mapping below ``parent``."""
        if id(node) in self._seen:
            raise self._wrong(node, "anchors and aliases are not supported")
        self._seen.add(id(node))
        if not node.value:
            raise self._wrong(node, "a group without classes")
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._item(item, parent)
            return
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, "a key must be the name of a group or a class")
            if counts[key.value] > 1:
                raise self._wrong(key, f"{key.value!r} is given twice")
            self._entry(key, value, parent)

    def _item(self, item: yaml.Node, parent: int) -> None:
        """One member of a list; a mapping of one key is what it names."""
        if isinstance(item, yaml.ScalarNode):
            self.names[self._add(parent, 1.0)] = item.value
        elif isinstance(item, yaml.MappingNode) and len(item.value) == 1:
            self.group(item, parent)
        else:
            self._below(item, parent)

    def _entry(self, key: yaml.ScalarNode, value: yaml.Node, parent: int) -> None:
        """One key of a mapping: a group, or a class with or without a length."""
        if not isinstance(value, yaml.ScalarNode):
            self._below(value, parent)
            return
        empty = value.tag == "tag:yaml.org,2002:null"
        length = 1.0 if empty else self._length(value, key.value)
        self.names[self._add(parent, length)] = key.value

    def _below(self, node: yaml.Node, parent: int) -> None:
        """Add a node for a list or mapping, which may state its own length."""
        described = _described(node)
        if described is None:
            self.group(node, self._add(parent, 1.0))
            return
        if isinstance(described["children"], yaml.ScalarNode):
            raise self._wrong(described["children"], "children must be a list or a mapping")
        length = self._length(described["length"], "length")
        self.group(described["children"], self._add(parent, length))

    def _length(self, value: yaml.Node, of: str) -> float:
        try:
            length = float(value.value)
        except (ValueError, TypeError):
            length = math.nan
        if not 0 <= length < math.inf:
            raise self._wrong(
                value,
                f"{of!r} is followed by {value.value!r}: a length is a number of at least 0, and "
                "the classes of a group are a list, as [tabby, tiger cat]",
            )
        return length

    def _add(self, parent: int, length: float) -> int:
        self.parents.append(parent)
        self.lengths.append(length)
        return len(self.parents) - 1

    def _wrong(self, node: yaml.Node, message: str) -> UsageError:
        return UsageError(f"{self.path}:{node.start_mark.line + 1}: {message}")


def _described(node: yaml.Node) -> dict[str, yaml.Node] | None:
    """The length and the children of a mapping that holds just these two."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != len(_DESCRIBED):
        return None
    entries = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    return entries if set(entries) == _DESCRIBED else None


def _root(path: Path) -> yaml.Node:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--taxonomy {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--taxonomy {path}: is not UTF-8 text") from error
    if path.suffix == ".json":
        # JSON is YAML but for tabs, which only stand between its tokens.
        text = text.replace("\t", " ")
    try:
        # Not the faster loader in C, which deep nesting overflows: it takes Python down with it.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        raise UsageError(f"{where}: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not isinstance(root, (yaml.MappingNode, yaml.SequenceNode)):
        raise UsageError(f"{path}: must hold a tree: a mapping or a list of groups and classes")
    return root


def _classes(
    path: Path, names: Sequence[str], class_names: ClassNames, num_classes: int
) -> list[int]:
    """The class that each leaf names."""
    candidates = _candidates(names, class_names, num_classes)
    unknown = [name for name in names if not candidates[name]]
    vague = [name for name in names if len(candidates[name]) > 1]
    counts = Counter(min(candidates[name]) for name in names if len(candidates[name]) == 1)
    doubled = [_shown(index, class_names) for index, count in counts.items() if count > 1]
    missing = [_shown(i, class_names) for i in range(num_classes) if i not in counts]
    if not (unknown or vague or doubled or missing):
        return [min(candidates[name]) for name in names]
    known = [name for words in (class_names.names, *class_names.synonyms) for name in words]
    problems = (
        ("no class of the model", unknown, lambda name: f"{name!r}{did_you_mean(name, known)}"),
        ("the name of several classes (use output indices or WordNet ids)", vague, repr),
        ("given twice", doubled, str),
        ("missing", missing, str),
    )
    raise UsageError(
        f"{path}: the tree must hold each of the model's {num_classes} classes once; "
        + "; ".join(_problem(*problem) for problem in problems if problem[1])
    )


def _candidates(
    names: Sequence[str], class_names: ClassNames, num_classes: int
) -> Mapping[str, frozenset[int]]:
    """The classes that each leaf may mean: by WordNet id, else by name, else by index."""
    wordnet = {name: frozenset({i}) for i, name in enumerate(class_names.wordnet_ids)}
    named, numbered = by_name(names, class_names), by_index(names, num_classes)
    return {name: wordnet.get(name) or named[name] or numbered[name] for name in names}


def _problem(what: str, names: Sequence[str], show: Callable[[str], str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f", and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return f"{what}: {', '.join(map(show, distinct[:_SHOWN]))}{more}"


def _shown(index: int, class_names: ClassNames) -> str:
    return f"{class_names.names[index]!r} (output {index})"
