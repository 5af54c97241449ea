from __future__ import annotations

from pathlib import Path

import pytest

from semaudit.errors import ImageError, UsageError
from semaudit.images.labels.classmap import read_class_map


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.txt", "cat\nbig dog\n"),
        ("m.txt", "\ufeffcat\nbig dog\n\n"),
        ("m.txt", "big dog 1\ncat 0\n"),
        ("m.csv", "cat,0\nbig dog, 1\n"),
        ("m.json", '{"cat": 0, "big dog": 1}'),
        ("m.json", '["cat", "big dog"]'),
        ("m.yaml", "cat: 0\nbig dog: 1\n"),
        ("m.yml", "- cat\n- big dog\n"),
    ],
)
def test_forms(tmp_path: Path, name: str, text: str) -> None:
    class_map = read_class_map(written(tmp_path, name, text), 2)
    assert class_map.indices == {"cat": 0, "big dog": 1}
    assert class_map.map_labels(["big dog"], None).indices == {"big dog": 1}


def test_names_that_end_in_numbers_are_names(tmp_path: Path) -> None:
    class_map = read_class_map(written(tmp_path, "m.txt", "class 1\nclass 2\n"), 2)
    assert class_map.indices == {"class 1": 0, "class 2": 1}


def test_lines_of_synsets_go_by_the_id(tmp_path: Path) -> None:
    text = "n01440764 tench, Tinca tinca\nn01443537 goldfish\n"
    class_map = read_class_map(written(tmp_path, "m.txt", text), 2)
    assert class_map.indices == {"n01440764": 0, "n01443537": 1}


def test_numbers_of_a_data_set_go_by_its_names_or_as_they_are(tmp_path: Path) -> None:
    by_name = read_class_map(written(tmp_path, "a.txt", "cat\ndog\n"), 2)
    assert by_name.map_labels(["0", "1"], ("dog", "cat")).indices == {"0": 1, "1": 0}
    shifted = read_class_map(written(tmp_path, "b.txt", "1 0\n2 1\n"), 2)
    assert shifted.map_labels(["1", "2"], None).indices == {"1": 0, "2": 1}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.txt", "", "is empty"),
        ("m.txt", "cat\n\ndog\n", "line 2 is empty"),
        ("m.txt", "cat\ncat\n", "entry 2: 'cat' is there twice"),
        ("m.txt", "cat 0\ndog 2\n", "'dog' has the index 2.*count from 0 to 1"),
        ("m.txt", "a\nb\nc\n", "'c' has the index 2"),
        ("m.json", '{"cat": -1}', "has the index -1"),
        ("m.json", '{"cat": "0"}', "has '0' for an index"),
        ("m.json", '{"cat": true}', "has True for an index"),
        ("m.json", "{", "cannot be parsed"),
        ("m.json", "[" * 100_000, "cannot be parsed"),
        ("m.json", "3", "neither a list"),
        ("m.yaml", "a: [", "cannot be parsed"),
        ("m.yaml", "!!python/object/apply:os.system ['true']", "cannot be parsed"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_class_map(written(tmp_path, name, text), 2)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.txt: No such file"):
        read_class_map(tmp_path / "nowhere.txt", 2)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match="not a text file in UTF-8"):
        read_class_map(tmp_path / "latin.txt", 2)


def test_a_label_that_is_not_there(tmp_path: Path) -> None:
    class_map = read_class_map(written(tmp_path, "m.txt", "cat\ndog\n"), 2)
    with pytest.raises(ImageError, match=r"1 of 2 labels, the first 'dgo' \(did you mean 'dog'"):
        class_map.map_labels(["cat", "dgo"], None)
