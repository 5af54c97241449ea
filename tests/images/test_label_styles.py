from __future__ import annotations

import pytest
from timm.data import ImageNetInfo

from semaudit.errors import ImageError
from semaudit.images.labels import map_classes, map_labels
from semaudit.models.names import ClassNames

from .conftest import nameless


def imagenet() -> ClassNames:
    info = ImageNetInfo()
    words = [tuple(text.split(", ")) for text in info.label_descriptions()]
    return ClassNames(tuple(names[0] for names in words), tuple(words), tuple(info.label_names()))


@pytest.mark.parametrize(
    "found",
    [
        ["n01440764_tench", "n02071294-killer whale"],
        ["tench-n01440764", "n02071294"],
        ["0_tench", "3_orca"],
        ["000.tench", "003.killer_whale"],
        ["1_tench", "4_orca"],  # a name counts more than a number
        ["00_x", "03_y"],
        ["tench, Tinca tinca", "killer whale, orca"],
    ],
)
def test_folder_styles(animals: ClassNames, found: list[str]) -> None:
    mapped = map_labels(found, animals, 4)
    assert [mapped.indices[label] for label in found] == [0, 3]
    assert mapped.notes == ()


def test_a_number_settles_a_name_of_two_classes(animals: ClassNames) -> None:
    mapped = map_labels(["1_crane", "2_crane"], animals, 4)
    assert mapped.indices == {"1_crane": 1, "2_crane": 2}


def test_the_other_folders_settle_a_name_of_two_classes() -> None:
    names = ClassNames(("crane", "crane"), (("crane", "bird"), ("crane", "machine")))
    mapped = map_labels(["crane", "machine"], names, 2)
    assert mapped.indices == {"crane": 0, "machine": 1}


def test_a_first_name_counts_more_than_a_synonym() -> None:
    names = ClassNames(("panther", "cougar"), (("panther",), ("cougar", "panther")))
    assert map_labels(["panther"], names, 2).indices == {"panther": 0}


def test_the_colliding_names_of_imagenet() -> None:
    names = imagenet()
    with pytest.raises(ImageError, match=r"'crane'.*outputs 134 and 517.*other labels leave open"):
        map_labels(["crane", "tench"], names, 1000)
    mapped = map_labels(["maillot", "maillot, tank suit", "sunglasses", "sunglass"], names, 1000)
    assert mapped.indices == {
        "maillot": 638, "maillot, tank suit": 639, "sunglasses": 837, "sunglass": 836,
    }  # fmt: skip


def test_whole_descriptions_are_unambiguous() -> None:
    names = imagenet()
    found = {", ".join(names.synonyms[i]): i for i in (*range(0, 1000, 7), 638, 264, 474)}
    assert map_labels(found, names, 1000).indices == found
    assert map_labels(["maillot", "tench"], names, 1000).indices["maillot"] == 638


def test_case_counts_where_the_labels_keep_it() -> None:
    names = imagenet()
    assert map_labels(["Cardigan", "tench"], names, 1000).indices["Cardigan"] == 264
    assert map_labels(["cardigan", "Chihuahua"], names, 1000).indices["cardigan"] == 474
    for found in (["Cardigan", "Tench"], ["cardigan", "chihuahua"]):
        with pytest.raises(ImageError, match="outputs 264 and 474"):
            map_labels(found, names, 1000)


def test_a_200_class_subset_on_1000_outputs_is_partial() -> None:
    names = imagenet()
    ids = names.wordnet_ids[7::5]
    mapped = map_labels(ids, names, 1000)
    assert [mapped.indices[name] for name in ids] == list(range(7, 1000, 5))


def test_a_200_class_subset_on_200_outputs_takes_sorted_ids() -> None:
    names = imagenet()
    ids = [names.wordnet_ids[index] for index in range(999, 0, -5)]
    mapped = map_labels(ids, nameless(200), 200)
    assert [mapped.indices[name] for name in sorted(ids)] == list(range(200))
    assert mapped.class_names is not None
    assert mapped.class_names[-1] == "toilet tissue"
    assert "sorted order" in mapped.notes[0]


@pytest.mark.parametrize("found", [["1", "2", "3", "4"], ["01", "02", "03", "04"], ["2", "4"]])
@pytest.mark.parametrize("named", [True, False])
def test_labels_that_count_from_one_are_not_shifted(
    animals: ClassNames, found: list[str], named: bool
) -> None:
    with pytest.raises(ImageError, match=r"'0?4'; outputs count from 0 to 3.*--class-map"):
        map_labels(found, animals if named else nameless(4), 4)


def test_a_doubt_about_counting_from_one_is_noted(animals: ClassNames) -> None:
    (note,) = map_labels(["1", "2", "3"], animals, 4).notes
    assert "from 1 to 3" in note
    assert map_labels(["0", "1", "2"], animals, 4).notes == ()
    assert map_labels(["1", "3"], animals, 4).notes == ()


def test_numbers_beyond_the_outputs_are_never_sorted() -> None:
    with pytest.raises(ImageError, match="2 of 3 labels match none"):
        map_labels(["2", "10", "100"], nameless(3), 3)
    assert map_labels(["2", "10"], nameless(100), 100).indices == {"2": 2, "10": 10}


def test_hostile_labels() -> None:
    long = "9" * 5000
    with pytest.raises(ImageError, match=r"'999[9.]+'") as caught:
        map_labels([long, "x" * 4000, "a\nb"], nameless(4), 4)
    assert len(str(caught.value)) < 2000
    with pytest.raises(ImageError, match=r"'cafe\\u0301' and 'caf\\xe9' look the same"):
        map_labels(["caf\u00e9", "cafe\u0301"], nameless(2), 2)


def test_another_unicode_form_is_the_same_name() -> None:
    names = ClassNames(("caf\u00e9", "bar"), (("caf\u00e9",), ("bar",)))
    assert map_labels(["cafe\u0301"], names, 2).indices == {"cafe\u0301": 0}


def test_classes_of_a_data_set_keep_their_numbers_where_nothing_speaks_against(
    animals: ClassNames,
) -> None:
    same = map_classes(["0", "2"], ("tench", "crane", "crane", "orca"), animals, 4)
    assert (same.indices, same.class_names, same.notes) == ({"0": 0, "2": 2}, None, ())
    named = map_classes(["1"], ("cat", "dog"), nameless(2), 2)
    assert (named.indices, named.class_names) == ({"1": 1}, ("cat", "dog"))


def test_classes_of_a_data_set_go_by_name_where_numbers_differ(animals: ClassNames) -> None:
    mapped = map_classes(["0", "1"], ("orca", "tench"), animals, 4)
    assert mapped.indices == {"0": 3, "1": 0}
    assert "by name" in mapped.notes[0]
    turned = map_classes(["0", "3"], ("orca", "crane", "crane", "tench"), animals, 4)
    assert turned.indices == {"0": 3, "3": 0}
    by_id = map_classes(["0"], ("n03126707",), animals, 4)
    assert by_id.indices == {"0": 2}


def test_classes_of_a_data_set_that_the_model_lacks(animals: ClassNames) -> None:
    with pytest.raises(ImageError, match=r"1 of 2 labels match none.*'tank'"):
        map_classes(["0", "1"], ("tank", "tench"), animals, 4)
    with pytest.raises(ImageError, match="label 2 is none of the data set's 2 classes"):
        map_classes(["2"], ("tank", "tench"), animals, 4)
