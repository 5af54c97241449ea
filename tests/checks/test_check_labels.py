from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from semaudit.checks import label_warnings
from semaudit.checks.labels import find_renaming
from semaudit.checks.renaming import NOWHERE, known_renamings, learn

Indices = NDArray[np.int64]
Answered = tuple[Indices, Indices]


def names(count: int) -> list[str]:
    return [f"animal {index}" for index in range(count)]


def answered(
    order: Indices, n: int, accuracy: float, rng: np.random.Generator, low: int = 0
) -> Answered:
    """Labels, and what a model says that is right at this rate once they are renamed."""
    labels = rng.integers(low, len(order), n)
    guesses = rng.integers(0, len(order), n)
    return labels, np.where(rng.random(n) < accuracy, order[labels], guesses)


def swapped(classes: int, one: int, other: int) -> Indices:
    order = np.arange(classes)
    order[[one, other]] = other, one
    return order


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_a_good_model_draws_no_warning(classes: int) -> None:
    labels, said = answered(np.arange(classes), 300, 0.8, np.random.default_rng(0))
    assert label_warnings(labels, said, classes, names(classes)) == []


def test_no_labels_no_warning() -> None:
    nothing = np.full(50, -1)
    assert label_warnings(nothing, np.zeros(50, dtype=np.int64), 10, names(10)) == []
    assert label_warnings(nothing[:0], nothing[:0], 10, names(10)) == []


def test_pictures_without_a_label_are_left_out() -> None:
    rng = np.random.default_rng(0)
    labels, said = answered(np.arange(10), 100, 0.9, rng)
    unlabelled = np.full(1000, -1)
    assert (
        label_warnings(
            np.concatenate([labels, unlabelled]),
            np.concatenate([said, rng.integers(0, 10, 1000)]),
            10,
            names(10),
        )
        == []
    )


def test_an_accuracy_at_chance_is_named_with_its_interval() -> None:
    rng = np.random.default_rng(1)
    labels, said = rng.integers(0, 10, 300), rng.integers(0, 10, 300)
    right = int((labels == said).sum())
    (message,) = label_warnings(labels, said, 10, names(10))
    assert f"accuracy {right / 300:.3f} [" in message
    assert "on 300 pictures is no better than chance (0.1 for 10 classes)" in message


def test_chance_is_not_named_where_few_pictures_leave_room_for_skill() -> None:
    labels = np.arange(10)
    assert label_warnings(labels, (labels + 3) % 1000, 1000, names(1000)) == []
    labels = np.arange(20)
    (message,) = label_warnings(labels, (labels * 7 + 300) % 1000, 1000, names(1000))
    assert "accuracy 0.000 [0.000, 0.168] on 20 pictures" in message


def test_a_poor_model_above_chance_draws_no_warning() -> None:
    labels, said = answered(np.arange(1000), 1000, 0.05, np.random.default_rng(2))
    assert label_warnings(labels, said, 1000, names(1000)) == []


@pytest.mark.parametrize(
    ("step", "claim", "cause"),
    [
        (-1, "if every label were one lower", "count from 1"),
        (1, "if every label were one higher", "background class"),
    ],
)
def test_a_shift_by_one_is_found_on_twenty_pictures_of_twenty_classes(
    step: int, claim: str, cause: str
) -> None:
    labels = np.arange(100, 120)
    said = labels + step
    said[:2] = 7
    (message,) = label_warnings(labels, said, 1000, names(1000))
    assert message.startswith(f"accuracy 0.00, but 0.90 {claim} (on 20 pictures):")
    assert cause in message


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("trained_on_text", [False, True])
def test_text_order_against_numeric_order_is_found(first: int, trained_on_text: bool) -> None:
    folders = [str(number) for number in range(first, first + 102)]
    position = {folder: index for index, folder in enumerate(sorted(folders))}
    # A picture of the number k, counted from 0, lies in the folder folders[k].
    numeric = np.random.default_rng(3).integers(0, 102, 300)
    by_text = np.array([position[folders[number]] for number in numeric])
    labels, said = (numeric, by_text) if trained_on_text else (by_text, numeric)
    (message,) = label_warnings(labels, said, 102, names(102))
    wanted = "if the labels were sorted as text" if trained_on_text else "in numeric order"
    assert "but 1.00" in message
    assert wanted in message


def test_ten_classes_have_no_text_order_of_their_own() -> None:
    kinds = [renaming.outputs.tolist() for renaming in known_renamings(10)]
    assert len(kinds) == 4  # two shifts, and '1' to '10' both ways
    assert list(range(10)) not in kinds


@pytest.mark.parametrize(("classes", "n"), [(2, 60), (10, 300), (10, 1000)])
def test_two_classes_swapped_are_named(classes: int, n: int) -> None:
    rng = np.random.default_rng(4)
    labels, said = answered(swapped(classes, 0, 1), n, 0.95, rng)
    (message,) = label_warnings(labels, said, classes, names(classes))
    assert "if 'animal 0' [0] and 'animal 1' [1] changed places" in message


@pytest.mark.parametrize("classes", [10, 100])
def test_any_permutation_is_found_on_300_pictures(classes: int) -> None:
    rng = np.random.default_rng(5)
    order = rng.permutation(classes)
    labels, said = answered(order, 300, 0.9, rng)
    (message,) = label_warnings(labels, said, classes, names(classes))
    assert "renamed by one fixed permutation" in message
    assert "pictures that it was not learned from" in message
    learned = learn(labels, said, classes).outputs
    present = np.unique(labels)
    assert (learned[present] == order[present]).mean() > 0.85
    pairs = message.split("): ", 1)[1].split("; ")[0].split("), ")
    assert len(pairs) == 3
    for pair in pairs:
        label, output = (int(part.split("]")[0]) for part in pair.split("[")[1:3])
        assert order[label] == output


def test_twenty_pictures_of_twenty_classes_prove_no_permutation() -> None:
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(20)
        found = find_renaming(np.arange(20), order, 20)
        # A permutation that is by chance a known one would be found, and is none here.
        assert found is None, seed


def test_a_named_mistake_wins_over_a_learned_list() -> None:
    rng = np.random.default_rng(6)
    labels, said = answered(np.arange(10) - 1, 1000, 0.9, rng, low=1)
    found = find_renaming(labels, said, 10)
    assert found is not None
    assert found.renaming.claim == "if every label were one lower"


def test_half_a_shift_is_better_told_as_a_permutation() -> None:
    rng = np.random.default_rng(7)
    order = np.arange(20)
    order[5:] = rng.permutation(order[5:])
    labels, said = answered(order, 2000, 0.95, rng)
    found = find_renaming(labels, said, 20)
    assert found is not None
    assert found.renaming.learned
    assert found.renaming.moved <= 15


def test_skewed_answers_that_ignore_the_picture_are_no_renaming() -> None:
    rng = np.random.default_rng(8)
    labels = rng.choice(3, 300, p=[0.8, 0.1, 0.1])
    said = rng.choice(3, 300, p=[0.1, 0.85, 0.05])
    (message,) = label_warnings(labels, said, 3, names(3))
    assert "no better than chance" in message


def test_learning_moves_no_label_without_a_reason() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    assert learn(labels, labels, 5).outputs.tolist() == [0, 1, 2, 3, 4]
    one_stray = np.array([0, 3, 1, 1, 2])
    assert learn(labels, one_stray, 5).outputs.tolist() == [0, 1, 2, 3, 4]


def test_a_label_whose_output_is_another_s_has_nowhere_to_go() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    said = np.array([1, 1, 1, 1, 1, 1])
    # Output 1 is as good for either: nothing moves.
    assert learn(labels, said, 2).outputs.tolist() == [0, 1]
    assert learn(labels, np.array([1, 1, 1, 2, 1, 2]), 3).outputs.tolist() == [1, 2, 2]
    assert NOWHERE in learn(np.array([0, 0, 0, 1]), np.array([1, 1, 1, 1]), 2).outputs


def test_the_order_of_the_pictures_hardly_matters() -> None:
    rng = np.random.default_rng(9)
    labels, said = answered(rng.permutation(10), 300, 0.9, rng)
    by_label = np.argsort(labels, kind="stable")
    one, other = (find_renaming(labels[i], said[i], 10) for i in (np.arange(300), by_label))
    assert one is not None
    assert other is not None
    assert (one.renaming.outputs == other.renaming.outputs).all()


def independent(n: int, classes: int, rng: np.random.Generator) -> Answered:
    return rng.integers(0, classes, n), rng.integers(0, classes, n)


def skewed(n: int, classes: int, rng: np.random.Generator) -> Answered:
    """Some labels, and some answers, are far commoner than others."""
    p, q = rng.dirichlet(np.full(classes, 0.3), 2)
    return rng.choice(classes, n, p=p), rng.choice(classes, n, p=q)


def confused(n: int, classes: int, rng: np.random.Generator) -> Answered:
    """Right in 3 of 10; else one of three answers that each class has of its own."""
    labels = rng.integers(0, classes, n)
    wrong = rng.integers(0, classes, (classes, 3))[labels, rng.integers(0, 3, n)]
    return labels, np.where(rng.random(n) < 0.3, labels, wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "n", "classes"),
    [
        (independent, 20, 20),
        (independent, 300, 2),
        (independent, 300, 10),
        (independent, 300, 100),
        (independent, 3000, 10),
        (skewed, 300, 2),
        (skewed, 300, 10),
        (skewed, 3000, 10),
        (confused, 300, 10),
        (confused, 3000, 10),
    ],
)
def test_random_models_almost_never_seem_renamed(
    model: Callable[[int, int, np.random.Generator], Answered], n: int, classes: int
) -> None:
    rng = np.random.default_rng(0)
    alarms = sum(find_renaming(*model(n, classes, rng), classes) is not None for _ in range(1000))
    assert alarms <= 2
