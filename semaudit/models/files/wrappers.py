"""Finds the state dict in what a checkpoint holds, however its keys nest it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from semaudit.errors import ModelError

StateDict = Mapping[str, Tensor]

PLAIN = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module"),
    *("weights", "params", "student", "online_model"),
)
AVERAGED = (
    *("state_dict_ema", "ema_state_dict", "model_ema", "ema", "ema_model", "params_ema"),
    *("model_ema_state_dict", "ema_state", "shadow"),
)
# Averaged weights come last: the plain ones are what the file is usually known for.
WRAPPERS = PLAIN + AVERAGED
DEEPEST = 8
"""How many wrappers may lie in one another."""
_MOST_VISITS = 2000
SHOWN = 3


@dataclass(frozen=True)
class Unwrapped:
    """A state dict and the keys that led to it.

    Attributes:
        state: the tensors, in the file's order; those of ``module`` when there is one.
        path: the wrapping keys, outermost first.
        averaged: whether one of them names averaged weights.
        others: the path of the plain or averaged weights that lie there too, or None.
        module: the whole module that lay there instead of a state dict, or None.
        dropped: names in the state dict that hold no tensor.
    """

    state: StateDict
    path: tuple[str, ...]
    averaged: bool = False
    others: tuple[str, ...] | None = None
    module: nn.Module | None = None
    dropped: tuple[str, ...] = ()


def unwrap(content: object, *, averaged: bool = False) -> Unwrapped:
    """Find the state dict in a checkpoint's content, however deep `WRAPPERS` nest it.

    Args:
        content: what the file holds.
        averaged: prefer averaged weights, where there are any, over plain ones.

    Raises:
        ModelError: there is none; names the top-level keys.
    """
    found = {False: None, True: None} | {
        bool(set(path) & set(AVERAGED)): (value, path)
        for value, path in reversed(list(_search(content, (), [], [_MOST_VISITS])))
    }
    choice = averaged if found[averaged] else not averaged
    chosen, other = found[choice], found[not choice]
    if chosen is None:
        raise ModelError(_nothing(content))
    value, path = chosen
    others = other[1] if other else None
    if isinstance(value, nn.Module):
        return Unwrapped(value.state_dict(), path, choice, others, value)
    state = {str(key): _bare(t) for key, t in value.items() if isinstance(t, Tensor)}
    dropped = tuple(str(key) for key in value if key not in state)
    return Unwrapped(state, path, choice, others, None, dropped)


def entries(value: object) -> dict[object, object] | None:
    """The items of a plain mapping, or None; no attribute of a hostile one is looked up."""
    if type(value) not in (dict, OrderedDict, Counter):
        return None
    return dict(dict.items(value))  # type: ignore[arg-type]


_Found = tuple["dict[object, object] | nn.Module", tuple[str, ...]]


def _search(
    value: object, path: tuple[str, ...], above: list[object], left: list[int]
) -> Iterator[_Found]:
    """Yield every state dict and module below ``value``, in the order of `WRAPPERS`."""
    left[0] -= 1
    if isinstance(value, nn.Module):
        yield value, path
        return
    inner = entries(value)
    if not inner or len(path) > DEEPEST or left[0] < 0 or any(value is one for one in above):
        return
    tensors = sum(isinstance(item, Tensor) for item in inner.values())
    named = all(isinstance(key, str) for key in inner)
    if named and tensors == len(inner):
        yield inner, path
        return
    empty = True
    for key in WRAPPERS:
        if key in inner:
            for found in _search(inner[key], (*path, key), [*above, value], left):
                empty = False
                yield found
    if empty and named and 2 * tensors > len(inner):
        yield inner, path


def _bare(tensor: Tensor) -> Tensor:
    """The tensor without attributes that a file may have hung on it, over its own methods."""
    plain = type(tensor) is Tensor and not tensor.__dict__ and not tensor.requires_grad
    return tensor if plain else Tensor.detach(tensor)


def _nothing(content: object) -> str:
    keys = entries(content)
    if keys is None:
        found = f"it holds a {type(content).__name__}"
    else:
        shown = [str(key)[:60] for key in list(keys)[:8] if isinstance(key, (str, int))]
        more = ", ..." if len(keys) > 8 else ""
        found = f"its top-level keys: {', '.join(shown) or 'none'}{more}"
    return (
        f"no state dict inside; {found}. Save one with torch.save(model.state_dict(), PATH), "
        f"bare or under one of the keys {', '.join(WRAPPERS)}"
    )
