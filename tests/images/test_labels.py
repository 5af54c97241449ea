from __future__ import annotations

import pytest
from timm.data import ImageNetInfo

from semaudit.errors import ImageError
from semaudit.images.labels import map_labels
from semaudit.models.names import ClassNames
from semaudit.models.names import class_names as names_of

from .conftest import nameless


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["n03126707", "n01440764"], {"n03126707": 2, "n01440764": 0}),
        (["3", "00"], {"3": 3, "00": 0}),
        (["Killer_Whale", "tench"], {"Killer_Whale": 3, "tench": 0}),
        (["tinca-tinca", "ORCA"], {"tinca-tinca": 0, "ORCA": 3}),
        (["orca", "killer  whale"], {"orca": 3, "killer  whale": 3}),
    ],
    ids=["wordnet", "index", "name", "synonym", "two names of one class"],
)
def test_labels_map_by_id_index_or_name(
    animals: ClassNames, found: list[str], expected: dict[str, int]
) -> None:
    mapped = map_labels(found, animals, 4)
    assert mapped.indices == expected
    assert mapped.class_names is None
    assert mapped.notes == ()


def test_every_imagenet_id_maps_to_its_own_output() -> None:
    ids = ImageNetInfo().label_names()
    mapped = map_labels(ids, names_of(1000), 1000)
    assert [mapped.indices[name] for name in ids] == list(range(1000))


def test_a_name_of_two_classes_is_refused(animals: ClassNames) -> None:
    with pytest.raises(ImageError, match=r"'crane'.*outputs 1 and 2.*WordNet ids or output ind"):
        map_labels(["tench", "crane"], animals, 4)


def test_an_index_out_of_range_is_no_label(animals: ClassNames) -> None:
    with pytest.raises(ImageError, match=r"1 of 2 labels match none .* 4 classes: '4'"):
        map_labels(["3", "4"], animals, 4)


def test_unknown_labels_are_named_with_the_nearest_class(animals: ClassNames) -> None:
    with pytest.raises(
        ImageError, match=r"1 of 2 .*'Killer_Wale' \(did you mean 'killer whale'\?\).*--ignore-labe"
    ):
        map_labels(["tench", "Killer_Wale"], animals, 4)


def test_only_the_first_few_unknown_labels_are_named(animals: ClassNames) -> None:
    with pytest.raises(ImageError, match=r"5 of 5 .*'q0', 'q1', 'q2', \.\.\.;"):
        map_labels([f"q{index}" for index in range(5)], animals, 4)


def test_a_model_without_names_takes_sorted_order() -> None:
    mapped = map_labels(["dog", "cat", "eel"], nameless(3), 3)
    assert mapped.indices == {"cat": 0, "dog": 1, "eel": 2}
    assert mapped.class_names == ("cat", "dog", "eel")
    (note,) = mapped.notes
    assert "ImageFolder" in note


def test_sorted_order_needs_one_label_for_each_output(animals: ClassNames) -> None:
    with pytest.raises(ImageError, match=r"2 of 2 labels .* no names: 'cat', 'dog'; and 2 lab"):
        map_labels(["cat", "dog"], nameless(3), 3)
    with pytest.raises(ImageError, match=r"5 labels .* each of 3 outputs.*--class-map FILE"):
        map_labels(["v", "w", "x", "y", "z"], nameless(3), 3)
    with pytest.raises(ImageError, match="4 of 4 labels match none"):
        map_labels(["w", "x", "y", "z"], animals, 4)
