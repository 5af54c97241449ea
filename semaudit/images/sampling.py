"""A seeded, class-balanced choice of pictures that does not depend on how they were listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from semaudit.errors import UsageError
from semaudit.images.source import Item


def take(items: Sequence[Item], num_samples: int | None, seed: int) -> tuple[Item, ...]:
    """Choose ``num_samples`` items, as evenly over the classes as can be, in the given order.

    The choice depends on the seed, the image ids and the labels alone, and a larger choice
    contains every smaller one. None, or more than there are, takes all.

    Raises:
        UsageError: ``num_samples`` is below 1.
    """
    if num_samples is not None and num_samples < 1:
        raise UsageError(f"--num-samples is {num_samples}; it must be at least 1")
    if num_samples is None or num_samples >= len(items):
        return tuple(items)
    chosen = set(_round_robin(items, seed)[:num_samples])
    return tuple(item for item in items if item in chosen)


def _round_robin(items: Sequence[Item], seed: int) -> list[Item]:
    """Every class's first item, then every class's second, each round in hash order."""
    keys = {item: _key(item, seed) for item in items}
    rounds: dict[Item, int] = {}
    seen: Counter[int | None] = Counter()
    for item in sorted(items, key=keys.__getitem__):
        rounds[item] = seen[item.label]
        seen[item.label] += 1
    return sorted(items, key=lambda item: (rounds[item], keys[item]))


def _key(item: Item, seed: int) -> bytes:
    return blake2b(f"{seed}|{item.image_id}".encode()).digest()


__all__ = ["take"]
