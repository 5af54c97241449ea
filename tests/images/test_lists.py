from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources.listing import Found
from semaudit.images.sources.lists import find_in_list

from .conftest import Paint


@pytest.fixture
def folder(tmp_path: Path, paint: Paint) -> Path:
    paint(tmp_path / "a.png")
    paint(tmp_path / "sub" / "b, c.png", seed=1)
    return tmp_path


def listed(path: Path, text: str, **options: object) -> Found:
    path.write_text(text, encoding="utf-8")
    return find_in_list(path, **{"split": None, "labels": True, **options})  # type: ignore[arg-type]


def pairs(found: Found) -> list[tuple[str, str]]:
    assert found.labels is not None
    return list(zip(found.names, found.labels, strict=True))


BOTH = [("a.png", "cat"), ("sub/b, c.png", "7")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", 'path,label\na.png,cat\n"sub/b, c.png",7\n'),
        ("l.csv", '\ufefflabel,Image Path\r\ncat,a.png\r\n7,"sub/b, c.png"\r\n'),
        ("l.csv", 'a.png,cat\n"sub/b, c.png",7\n'),
        ("l.csv", 'cat,a.png\n7,"sub/b, c.png"\n\n'),
        ("l.tsv", "filename\tother\twnid\na.png\tx\tcat\n./sub/b, c.png\ty\t7\n"),
        ("l.csv", 'path,labels\na.png,cat\n"sub/b, c.png",7\n'),
        ("l.csv", 'path,labels,label\na.png,no,cat\n"sub/b, c.png",no,7\n'),
        ("l.jsonl", '{"file": "a.png", "target": "cat"}\n\n{"file": "sub/b, c.png", "target": 7}'),
    ],
)
def test_forms(folder: Path, name: str, text: str) -> None:
    found = listed(folder / name, text)
    assert pairs(found) == BOTH
    assert found.origin(1).read() == (folder / "sub" / "b, c.png").read_bytes()


def test_parquet_with_numbers_and_gaps(folder: Path) -> None:
    table = pd.DataFrame({"image": ["a.png", "sub/b, c.png"], "label": [3.0, 7.0]})
    table.to_parquet(folder / "l.parquet")
    found = find_in_list(folder / "l.parquet", split=None, labels=True)
    assert pairs(found) == [("a.png", "3"), ("sub/b, c.png", "7")]
    table["label"] = [3.0, float("nan")]
    table.to_parquet(folder / "l.parquet")
    with pytest.raises(ImageError, match=r"1 rows have no label: line 2 \('sub"):
        find_in_list(folder / "l.parquet", split=None, labels=True)
    (folder / "bad.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(ImageError, match=r"bad\.parquet as Parquet"):
        find_in_list(folder / "bad.parquet", split=None, labels=True)


def test_pictures_inside_parquet_point_to_the_way_out(folder: Path) -> None:
    pd.DataFrame({"image": [{"bytes": b"x", "path": "a"}], "label": [1]}).to_parquet(
        folder / "l.parquet"
    )
    with pytest.raises(ImageError, match="--dataset hfds/"):
        find_in_list(folder / "l.parquet", split=None, labels=True)


def test_absolute_paths_below_the_list_are_named_below_it(folder: Path) -> None:
    found = listed(folder / "l.csv", f"path\n{folder}/a.png\n")
    assert found.names == ["a.png"]
    assert found.labels is None


def test_named_columns(folder: Path) -> None:
    text = "what,where,label\ncat,a.png,x\n"
    found = listed(folder / "l.csv", text, path_column="where", label_column="what")
    assert pairs(found) == [("a.png", "cat")]
    with pytest.raises(UsageError, match=r"--label-column wat: .*did you mean 'what'"):
        listed(folder / "l.csv", text, path_column="where", label_column="wat")
    with pytest.raises(UsageError, match="columns what, where, label, and none is called path"):
        listed(folder / "l.csv", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "path,breed,split\na.png,cat,val\n"),
        ("l.jsonl", '{"path": "a.png", "breed": "cat", "split": "val"}'),
    ],
)
def test_a_column_that_may_hold_the_labels_is_noted(folder: Path, name: str, text: str) -> None:
    found = listed(folder / name, text)
    assert found.labels is None
    (note,) = found.notes
    assert "taken as unlabelled: of its columns (breed) none is called label, class," in note
    assert "name it (--label-column)" in note
    assert listed(folder / name, text, label_column="breed").notes == ()
    assert listed(folder / name, text, labels=False).notes == ()


def test_a_parquet_column_that_may_hold_the_labels_is_noted(folder: Path) -> None:
    table = pd.DataFrame({"image": ["a.png"], "x": [1], "y": [3]})
    table.to_parquet(folder / "l.parquet")
    (note,) = find_in_list(folder / "l.parquet", split=None, labels=True).notes
    assert "of its columns (x, y) none is called" in note


def test_a_list_of_paths_alone_needs_no_note(folder: Path) -> None:
    assert listed(folder / "l.csv", "path,split\na.png,val\n").notes == ()
    assert listed(folder / "l.csv", "a.png\n").notes == ()


def test_labels_are_not_looked_at_when_they_are_not_wanted(folder: Path) -> None:
    assert listed(folder / "l.csv", "path,label\na.png,\n", labels=False).labels is None


def test_split_column(folder: Path) -> None:
    text = 'path,label,split\na.png,cat,train\n"sub/b, c.png",7,val\n'
    found = listed(folder / "l.csv", text)
    assert pairs(found) == BOTH[1:]
    assert found.notes == (
        f"the pictures are those of val, not train in {folder / 'l.csv'}; --split chooses another",
    )
    assert pairs(listed(folder / "l.csv", text, split="train")) == BOTH[:1]
    assert pairs(listed(folder / "l.csv", text, split="validation")) == BOTH[1:]
    with pytest.raises(UsageError, match=r"--split test: .*it has train, val"):
        listed(folder / "l.csv", text, split="test")
    with pytest.raises(UsageError, match="no column called split"):
        listed(folder / "l.csv", "path\na.png\n", split="test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("path,label\n", "lists no pictures"),
        ("path,label\na.png,cat\n,cat\n", r"1 rows name no picture: line 3 \(''\)"),
        ("path,label\na.png, \n", r"1 rows have no label: line 2 \('a.png'\)"),
        ("path,label\na.png,x\n./a.png,x\n", "1 rows name a picture again: line 3"),
        (
            "path,label\n" + "".join(f"x{i}.png,1\n" for i in range(5)),
            r"5 rows name a picture that is not there: line 2 \('x0.png'\), 3 \('x1.png'\), "
            r"4 \('x2.png'\), \.\.\.; paths are relative to ",
        ),
        ("path,label\na.png,cat,dog\n", "line 2 has 3 cells, and the first line has 2"),
        ('path,label\n"a\n\n.png",cat\nq.png\n', "line 5 has 1 cells"),
        ('path,label\n"a.png,cat\n', "is no table after line"),
    ],
)
def test_bad_tables(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        listed(folder / "l.csv", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]\n", "line 1 is no JSON object"),
        ('{"path": "a.png"}\n{"pa', "line 2 is not JSON"),
        ("[" * 100_000, "line 1 is not JSON"),
        ("\n", "is empty"),
    ],
)
def test_bad_json_lines(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        listed(folder / "l.jsonl", text)


def test_hostile_names(folder: Path, paint: Paint) -> None:
    (folder / "l.csv").write_bytes(b"path\ncaf\xe9.png\n")
    with pytest.raises(ImageError, match="not in UTF-8"):
        find_in_list(folder / "l.csv", split=None, labels=True)
    names = ["x" * 4000 + ".png", "a\0.png", "\ud800.png", "new\nline.png"]
    text = "\n".join(json.dumps({"path": name}) for name in names)
    with pytest.raises(ImageError, match="4 rows name a picture that is not there") as caught:
        listed(folder / "l.jsonl", text)
    assert len(str(caught.value)) < 1500
    assert "\n" not in str(caught.value)
    paint(folder / "new\nline.png")
    found = listed(folder / "l.csv", 'path,label\n"new\nline.png",cat\n')
    assert pairs(found) == [("new\nline.png", "cat")]
    assert found.origin(0).where.endswith("new\\nline.png")


def test_another_unicode_form_of_a_name_is_pointed_at(folder: Path, paint: Paint) -> None:
    paint(folder / "caf\u00e9.png")
    with pytest.raises(ImageError, match="there is one in the Unicode form NFC"):
        listed(folder / "l.csv", "path\ncafe\u0301.png\n")


def test_a_column_that_is_there_twice_is_refused(folder: Path) -> None:
    with pytest.raises(ImageError, match="has 2 columns 'label'; rename one"):
        listed(folder / "l.csv", "path,label,label\na.png,cat,dog\n")


def test_another_column_of_labels_is_named(folder: Path) -> None:
    found = listed(folder / "l.csv", 'path,labels,label\na.png,no,cat\n"sub/b, c.png",no,7\n')
    (note,) = found.notes
    assert note == (
        "labels are those of the column label; labels could be meant too (--label-column)"
    )
    chosen = listed(folder / "l.csv", "path,labels,label\na.png,no,cat\n", label_column="labels")
    assert chosen.notes == ()
    assert chosen.labels == ["no"]


@pytest.mark.parametrize("header", ["path,label,Label", "path,Label,target"])
def test_rivals_are_named_whatever_their_case(folder: Path, header: str) -> None:
    found = listed(folder / "l.csv", header + "\na.png,cat,dog\n")
    (note,) = found.notes
    assert f"{header.rpartition(',')[2]} could be meant too" in note
