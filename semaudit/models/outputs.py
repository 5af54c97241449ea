"""From whatever a module puts out to logits: found once, on reference pictures, then applied.

Modules answer with a tensor, or with a dict, tuple or dataclass that holds one; with logits or
with probabilities; with a column a class, or with one value that tells yes from no.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from semaudit.errors import ModelError, UsageError
from semaudit.metric import Activation
from semaudit.models.scales import Scale, are_probabilities, as_logits, no_probabilities

NAMES = (
    *("logits", "logit", "cls_logits", "class_logits", "out", "output", "outputs", "scores"),
    *("prediction", "predictions", "pred", "preds", "probs", "probabilities", "cls", "y"),
)
"""What the entry of a dict or an object that holds the answer is called, the surest first."""

ONE_VALUE = "the output is one value a picture: taken for yes (class 1) against no (0)"
"""What a reader should know of a single column under softmax."""

DEEPEST = 4


@dataclass(frozen=True)
class OutputForm:
    """Where logits are in a module's output, and what must be done to them.

    Attributes:
        width: the columns of the tensor there; 1 for a single value a picture.
        path: keys, attributes and positions that lead to the tensor.
        scale: what the tensor holds.
    """

    width: int
    path: tuple[str | int, ...] = ()
    scale: Scale = "logits"

    def num_classes(self, activation: Activation) -> int:
        """The columns of the logits: under softmax a single value tells two classes apart."""
        return max(self.width, 2) if activation == "softmax" else self.width

    def logits(self, output: object, activation: Activation) -> Tensor | None:
        """Take the logits (n, classes) out of an output; None where it has another shape."""
        table = _table_at(output, self.path)
        if table is None or table.shape[1] != self.width:
            return None
        return as_logits(table, self.scale, activation)


@dataclass(frozen=True)
class Examined:
    """The form of a module's output, and what a reader should know of it."""

    form: OutputForm
    notes: tuple[str, ...]


def examine(
    answers: Sequence[object],
    count: int,
    *,
    activation: Activation,
    num_classes: int | None = None,
    scale: Scale | None = None,
) -> Examined:
    """Find the logits in the outputs for batches of ``count`` reference pictures.

    Args:
        answers: as the module returned them, one or more.
        count: of pictures in each batch, at least 2.
        activation: what the logits mean.
        num_classes: the width to look for; any when None.
        scale: what they hold; looked at when None.

    Raises:
        ModelError: nothing in the output has one row a picture.
        UsageError: they may be probabilities or logits; or are called probabilities and are none.
    """
    output = answers[0]
    # A single value tells two classes apart.
    widths = None if num_classes is None else {num_classes, num_classes - (num_classes == 2)}
    found = [
        (path, table)
        for path, tensor in _tensors(output)
        if tensor.is_floating_point() and (table := as_table(tensor)) is not None
        if len(table) == count
    ]
    fitting = [each for each in found if widths is None or each[1].shape[1] in widths]
    if not fitting:
        raise ModelError(_nothing(output, count, num_classes))
    path, table = min(fitting, key=lambda each: _rank(each[0]))
    if len(fitting) > 1 and _rank(path)[0] == len(NAMES):
        shapes = ", ".join(f"{_spelled(p)} {tuple(t.shape)}" for p, t in fitting)
        raise ModelError(
            f"several of its outputs could be the logits: {shapes}; say how many classes there "
            "are with --num-classes, or wrap the model so that forward returns only its logits"
        )
    notes = []
    if path:
        others = len(found) - 1
        more = f"; it holds {others} more like it, not used" if others else ""
        notes.append(f"the output is a {_kind(output)}; taken for logits: {_spelled(path)}{more}")
    width = table.shape[1]
    if width == 1 and activation == "softmax":
        notes.append(ONE_VALUE)
    tables = [_table_at(answer, path) for answer in answers]
    if scale == "probabilities":
        require_probabilities([each for each in tables if each is not None], activation)
    if scale is None:
        probable = all(each is not None and are_probabilities(each, activation) for each in tables)
        if probable and (width == 1 or activation == "sigmoid"):
            raise UsageError(
                "its outputs lie in [0, 1] for a grey, a random, a black and a white picture, as "
                "those of logits may: say which they are with --outputs probabilities or "
                "--outputs logits"
            )
        scale = "probabilities" if probable else "logits"
        if scale == "probabilities":
            notes.append(
                "the outputs are probabilities, not logits: their logarithms are taken for logits"
            )
    return Examined(OutputForm(width, path, scale), tuple(notes))


def require_probabilities(tables: Sequence[Tensor], activation: Activation) -> None:
    """Hold what the user calls probabilities against the outputs for reference pictures.

    Raises:
        UsageError: they are none; says why.
    """
    if reason := no_probabilities(tables, activation):
        raise UsageError(
            "its outputs for a grey, a random, a black and a white picture are not probabilities: "
            f"{reason}; leave out --outputs probabilities"
        )


def _table_at(output: object, path: Sequence[str | int]) -> Tensor | None:
    for step in path:
        output = _step(output, step)
    return as_table(output) if isinstance(output, Tensor) else None


def as_table(tensor: Tensor) -> Tensor | None:
    """(n, k) from (n,), (n, k) or (n, k, 1, 1); None for any other shape."""
    if tensor.ndim == 1:
        return tensor[:, None]
    if tensor.ndim > 2 and all(side == 1 for side in tensor.shape[2:]):
        return tensor.flatten(1)
    return tensor if tensor.ndim == 2 else None


def _tensors(
    output: object, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Tensor]]:
    if isinstance(output, Tensor):
        yield path, output
    elif len(path) < DEEPEST:
        for step, value in _entries(output):
            yield from _tensors(value, (*path, step))


def _entries(output: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(output, Mapping):
        yield from ((key, value) for key, value in output.items() if isinstance(key, (str, int)))
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        yield from zip(output._fields, output, strict=True)
    elif isinstance(output, (tuple, list)):
        yield from enumerate(output)
    elif dataclasses.is_dataclass(output):
        yield from ((each.name, getattr(output, each.name)) for each in dataclasses.fields(output))
    else:
        yield from (
            (name, value) for name in NAMES if (value := getattr(output, name, None)) is not None
        )


def _step(output: object, step: str | int) -> object:
    if isinstance(output, Mapping):
        return output.get(step)
    if isinstance(step, int):
        return output[step] if isinstance(output, (tuple, list)) and step < len(output) else None
    return getattr(output, step, None)


def _rank(path: tuple[str | int, ...]) -> tuple[int, int]:
    """Named as logits are first, then what lies least deep; the order of the output breaks ties."""
    named = [
        NAMES.index(step.lower())
        for step in path
        if isinstance(step, str) and step.lower() in NAMES
    ]
    return (min(named, default=len(NAMES)), len(path))


def _spelled(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step!r}]" for step in path)


def _kind(output: object) -> str:
    return "dict" if isinstance(output, Mapping) else type(output).__name__


def _nothing(output: object, count: int, num_classes: int | None) -> str:
    wanted = f"({count}, {num_classes or 'classes'})"
    if isinstance(output, Tensor):
        seen = f"a tensor of shape {tuple(output.shape)}"
    else:
        shapes = [f"{_spelled(path)} {tuple(each.shape)}" for path, each in _tensors(output)]
        seen = f"a {_kind(output)} with {', '.join(shapes[:6]) or 'no tensor in it'}"
    return (
        f"it puts out {seen} for {count} pictures, where logits of shape {wanted} are needed; wrap "
        "the model so that forward returns only its logits"
    )
