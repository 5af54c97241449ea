"""A seeded, class-balanced choice of pictures that does not depend on how they were listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from semaudit.errors import UsageError
from semaudit.images.sources.listing import Item


def take(items: Sequence[Item], num_samples: int | None, seed: int) -> tuple[Item, ...]:
    """Choose ``num_samples`` items, as evenly over the classes as can be, in the given order.

    The choice depends on the seed, the image ids and the labels alone, and a larger choice
    contains every smaller one. None, or more than there are, takes all.

    Raises:
        UsageError: ``num_samples`` is below 1.
    """
    check_count(num_samples)
    if num_samples is None or num_samples >= len(items):
        return tuple(items)
    return tuple(items[index] for index in sorted(_round_robin(items, seed)[:num_samples]))


def check_count(num_samples: int | None) -> None:
    """Make sure that a number of samples is none or positive.

    Raises:
        UsageError: it is below 1.
    """
    if num_samples is not None and num_samples < 1:
        raise UsageError(f"--num-samples is {num_samples}; it must be at least 1")


def _round_robin(items: Sequence[Item], seed: int) -> list[int]:
    """Every class's first item, then every class's second, each round in hash order."""
    keys = [_key(item, seed) for item in items]
    rounds = [0] * len(items)
    seen: Counter[int | None] = Counter()
    by_key = sorted(range(len(items)), key=keys.__getitem__)
    for index in by_key:
        label = items[index].label
        rounds[index] = seen[label]
        seen[label] += 1
    return sorted(by_key, key=rounds.__getitem__)  # stable: within a round the keys still rule


def _key(item: Item, seed: int) -> bytes:
    return blake2b(f"{seed}|{item.image_id}".encode()).digest()


__all__ = ["check_count", "take"]
