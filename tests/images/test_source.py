from __future__ import annotations

import os
from pathlib import Path

import pytest

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources.folders import Listing, list_folder
from semaudit.models.names import ClassNames

from .conftest import Paint, nameless


def listed(data: Path, pattern: str | None = None, ignore: bool = False) -> Listing:
    return list_folder(
        data,
        class_names=nameless(1000),
        num_classes=1000,
        label_pattern=pattern,
        ignore_labels=ignore,
    )


def test_class_folders_of_any_depth(tmp_path: Path, paint: Paint, animals: ClassNames) -> None:
    paint(tmp_path / "tench" / "a.PNG")
    paint(tmp_path / "orca" / "north" / "far" / "b.jpg")
    (tmp_path / "orca" / "notes.txt").write_text("not a picture")
    (tmp_path / "no pictures here").mkdir()
    listing = list_folder(tmp_path, class_names=animals, num_classes=4)
    assert [(item.image_id, item.label) for item in listing.items] == [
        ("orca/north/far/b.jpg", 3),
        ("tench/a.PNG", 0),
    ]
    assert listing.items[0].origin.where == str(tmp_path / "orca/north/far/b.jpg")
    assert listing.labelled
    assert listing.notes == ()


def test_flat_folder_is_unlabelled_and_naturally_sorted(tmp_path: Path, paint: Paint) -> None:
    for name in ("img10.png", "img9.png", "Img1.png", ".hidden.png", ".thumbs/x.png"):
        paint(tmp_path / name)
    listing = listed(tmp_path)
    assert [item.image_id for item in listing.items] == ["Img1.png", "img9.png", "img10.png"]
    assert {item.label for item in listing.items} == {None}
    assert not listing.labelled


def test_single_picture(tmp_path: Path, paint: Paint) -> None:
    listing = listed(paint(tmp_path / "one.webp"))
    assert [item.image_id for item in listing.items] == ["one.webp"]
    (tmp_path / "one.txt").write_text("")
    with pytest.raises(ImageError, match=r"one\.txt is not a picture.*\.jpg"):
        listed(tmp_path / "one.txt")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no pictures in .* \.jpeg .* \.png"):
        listed(tmp_path)
    with pytest.raises(ImageError, match=r"there is no folder or picture .*nowhere"):
        listed(tmp_path / "nowhere")


def test_mixed_folder_is_refused_unless_labels_are_ignored(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "top.png")
    paint(tmp_path / "tench" / "a.png")
    with pytest.raises(ImageError, match="1 pictures beside its class folders"):
        listed(tmp_path)
    listing = listed(tmp_path, ignore=True)
    assert not listing.labelled
    assert len(listing.items) == 2


def test_a_link_back_up_does_not_loop(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [item.image_id for item in listed(tmp_path, ignore=True).items] == ["a/x.png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows names are Unicode")
def test_a_name_that_is_not_unicode_is_refused(tmp_path: Path, paint: Paint) -> None:
    picture = paint(tmp_path / "x.png")
    try:
        picture.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    except OSError:
        pytest.skip("the file system takes Unicode names only")
    with pytest.raises(ImageError, match="not valid UTF-8"):
        listed(tmp_path)


def test_folder_names_become_class_names(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "dog" / "a.png")
    paint(tmp_path / "cat" / "a.png")
    listing = list_folder(tmp_path, class_names=nameless(2), num_classes=2)
    assert listing.class_names == ("cat", "dog")
    assert [item.label for item in listing.items] == [0, 1]
    assert len(listing.notes) == 1


@pytest.mark.parametrize("pattern", [r"imagenet_\d+_(\d+)", r"(imagenet)_\d+_(?P<label>\d+)"])
def test_label_pattern_on_real_pictures(photos: Path, pattern: str) -> None:
    listing = listed(photos, pattern)
    assert len(listing.items) == 20
    assert listing.labelled
    for item in listing.items:
        assert item.label == int(Path(item.image_id).stem.split("_")[2])
    (note,) = listing.notes
    assert note.endswith("pictures do not match --label-pattern and were left out")


def test_label_pattern_still_selects_when_labels_are_ignored(photos: Path) -> None:
    listing = listed(photos, r"imagenet_\d+_(\d+)", ignore=True)
    assert len(listing.items) == 20
    assert not listing.labelled


def test_label_pattern_that_selects_all_leaves_no_note(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "top_7.png")
    paint(tmp_path / "sub" / "a_8.png")
    listing = listed(tmp_path, r"_(\d)")
    assert {item.image_id: item.label for item in listing.items} == {
        "sub/a_8.png": 8,
        "top_7.png": 7,
    }
    assert listing.notes == ()


def test_wrong_label_patterns(photos: Path) -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        listed(photos, "(")
    with pytest.raises(UsageError, match="has no group"):
        listed(photos, "imagenet")
    with pytest.raises(ImageError, match=r"none of the .* matches --label-pattern"):
        listed(photos, "(zebra)")
