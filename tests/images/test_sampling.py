from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semaudit.errors import UsageError
from semaudit.images.sampling import take
from semaudit.images.sources.listing import Item
from semaudit.images.sources.origins import FileOrigin


def item(number: int, label: int | None) -> Item:
    return Item(f"{number}.png", FileOrigin("", f"{number}.png"), label)


labelled = st.lists(st.integers(0, 4), min_size=1, max_size=40).map(
    lambda labels: [item(i, label) for i, label in enumerate(labels)]
)
counts = st.integers(1, 45)
seeds = st.integers(0, 2**32)


@given(labelled, counts, seeds, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_listing(items, count, seed, random) -> None:
    shuffled = random.sample(items, len(items))
    assert set(take(items, count, seed)) == set(take(shuffled, count, seed))


@given(labelled, counts, seeds)
def test_original_order_and_size(items, count, seed) -> None:
    taken = take(items, count, seed)
    assert len(taken) == min(count, len(items))
    assert list(taken) == [item for item in items if item in set(taken)]


@given(labelled, counts, seeds)
def test_classes_are_balanced(items, count, seed) -> None:
    there = Counter(item.label for item in items)
    taken = Counter(item.label for item in take(items, count, seed))
    most = max(taken.values())
    assert all(taken[label] >= min(there[label], most - 1) for label in there)


@given(labelled, st.integers(1, 20), seeds)
def test_a_larger_choice_contains_the_smaller(items, count, seed) -> None:
    assert set(take(items, count, seed)) <= set(take(items, count + 1, seed))


def test_unlabelled_items_and_another_seed() -> None:
    items = [item(i, None) for i in range(100)]
    assert len(take(items, 10, 0)) == 10
    assert take(items, 10, 0) == take(items, 10, 0)
    assert take(items, 10, 0) != take(items, 10, 1)


def test_all_and_none() -> None:
    items = (item(0, None),)
    assert take(items, None, 0) == items
    assert take(items, 5, 0) == items
    with pytest.raises(UsageError, match="--num-samples is 0"):
        take(items, 0, 0)
