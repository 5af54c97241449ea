"""What cannot be compared is refused, with all that differs and both values."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from known_models import ON_CPU, Linear
from pairs import (
    SEED,
    SELECT,
    SIZE,
    N,
    copied,
    images_and_labels,
    replaced,
    retabled,
    rewritten,
    scanned,
)

import semaudit
from semaudit.errors import AuditError, UsageError

Edit = Callable[[dict[str, Any]], None]


def refused(before: Path, after: Path) -> str:
    with pytest.raises(AuditError) as raised:
        semaudit.compare(before, after)
    return str(raised.value)


def probe(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["battery"] if each["name"] == name)
    return found


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.update(seed=12), "seed: 11 and 12"),
        (
            lambda d: d["data"].update(fingerprint="0" * 64),
            "contents of the pictures, which have the same names: fingerprint ",
        ),
        (lambda d: probe(d, "brightness").update(family="light"), "family of the probe brightness"),
        (lambda d: probe(d, "brightness").update(family="light"), ": photometric and light"),
        (
            lambda d: probe(d, "brightness").update(perturbation="contrast"),
            "perturbation of the probe brightness: brightness and contrast",
        ),
        (
            lambda d: probe(d, "brightness").update(ladder=[0.5, 0.75]),
            " and 0.5, 0.75",
        ),
        (
            lambda d: probe(d, "brightness").update(name="lamp"),
            "of which 1 ('brightness') only in ",
        ),
    ],
)
def test_reports_that_differ(edit: Edit, said: str, before: Path, tmp_path: Path) -> None:
    message = refused(before, rewritten(before, tmp_path / "copy", "report.json", edit))
    assert said in message
    assert message.startswith(f"{before} and {tmp_path / 'copy'} cannot be compared")


def test_the_same_classes_in_another_order(before: Path, tmp_path: Path) -> None:
    def swapped(document: dict[str, Any]) -> None:
        names = document["model"]["class_names"]
        names[0], names[1] = names[1], names[0]

    def other_words(document: dict[str, Any]) -> None:
        names = document["model"]["class_names"]
        document["model"]["class_names"] = [f"a {name}" for name in names]

    other = rewritten(before, tmp_path / "copy", "manifest.json", swapped)
    assert "order of the classes: output 0 is 'class 0' and 'class 1'" in refused(before, other)
    assert semaudit.compare(before, rewritten(before, tmp_path / "b", "manifest.json", other_words))


def test_all_that_differs_is_said_at_once(before: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["seed"] = 3
        probe(document, "brightness")["ladder"] = [0.5, 0.75]
        document["data"]["fingerprint"] = "ab" * 32

    lines = refused(before, rewritten(before, tmp_path / "copy", "report.json", edit)).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == [
        "seed",
        "contents of the pictures, which have the same names",
        "ladder of the probe brightness",
    ]
    assert "abababababababab" in lines[2]


def test_manifests_that_differ(before: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["worst_case"]["steps"] = 99
        plugin = {"path": "x.py", "sha256": "f" * 64, "perturbations": ["brightness", "other"]}
        document["plugins"] = [plugin]

    message = refused(before, rewritten(before, tmp_path / "copy", "manifest.json", edit))
    assert (
        "search for worst cases: steps 5, restarts 1, candidates 12, objective jsd and " in message
    )
    assert "steps 99" in message
    assert "plugin file of the perturbation brightness: none and ffffffffffffffff" in message
    assert "perturbation other" not in message


def test_scans_that_differ(before: Path, tmp_path: Path) -> None:
    images, labels = images_and_labels()
    fewer = scanned(0.0, tmp_path / "fewer", (images[:20], labels[:20]))
    assert f"pictures: {N} and 20, of which 3 (" in refused(before, fewer)
    assert f"and none only in {fewer}" in refused(before, fewer)
    darker = scanned(0.0, tmp_path / "darker", (images * 0.99, labels))
    assert "contents of the pictures" in refused(before, darker)
    relabelled = scanned(0.0, tmp_path / "relabelled", (images, (labels + 1) % 6))
    message = refused(before, relabelled)
    assert f"labels of {N} pictures, as of " in message
    assert f": {labels[0]} and {(labels[0] + 1) % 6}" in message
    harder = scanned(0.0, tmp_path / "harder", worst_objective="kl")
    assert "objective jsd and " in refused(before, harder)
    seeded = scanned(0.0, tmp_path / "seeded", seed=12)
    assert "seed: 11 and 12" in refused(before, seeded)
    labels_each = scanned(0.0, tmp_path / "sigmoid", activation="sigmoid")
    assert "activation: softmax and sigmoid\n" in refused(before, labels_each)
    standard = scanned(0.0, tmp_path / "standard", select=("quick", "worst_linf", "hue"))
    assert "('hue') only in " in refused(before, standard)


def test_models_of_other_classes(before: Path, tmp_path: Path) -> None:
    images, labels = images_and_labels()
    settings = {"input_size": SIZE, "seed": SEED, "select": SELECT, **ON_CPU}
    module = Linear(SIZE, 7, seed=5)
    semaudit.scan(module, (images, labels), out=tmp_path / "seven", **settings)
    lines = refused(before, tmp_path / "seven").splitlines()
    assert lines[1:-1] == ["  classes: 6 and 7"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("manifest.json", "manifest.json cannot be read: No such file"),
        ("samples.parquet", "samples.parquet is missing or damaged"),
        ("images.parquet", "images.parquet is missing or damaged"),
        ("report.json", "is no finished audit: it has samples and no report.json"),
    ],
)
def test_a_file_that_is_missing(file: str, said: str, before: Path, tmp_path: Path) -> None:
    copy = copied(before, tmp_path / "copy")
    (copy / file).unlink()
    for message in (refused(before, copy), refused(copy, before)):
        assert said in message


@pytest.mark.parametrize("content", [b"\xff", b"[", b"[]", b"{}", b'{"worst_case": 3}'])
def test_a_damaged_manifest(content: bytes, before: Path, tmp_path: Path) -> None:
    copy = copied(before, tmp_path / "copy")
    (copy / "manifest.json").write_bytes(content)
    assert str(copy / "manifest.json") in refused(before, copy)


def test_no_audit_at_all(before: Path, tmp_path: Path) -> None:
    assert "no such file or folder" in refused(before, tmp_path / "nowhere")
    assert "is a file" in refused(before, before / "report.json")
    (tmp_path / "empty").mkdir()
    assert "is no audit: it has no report.json" in refused(tmp_path / "empty", before)


@pytest.mark.parametrize("value", [1.5, -0.1, np.inf])
def test_a_value_out_of_range(value: float, before: Path, tmp_path: Path) -> None:
    def edit(table: Any) -> Any:
        values = table["shift"].to_pylist()
        values[7] = value
        return replaced(table, "shift", values)

    message = refused(before, retabled(before, tmp_path / "copy", "samples.parquet", edit))
    assert "is damaged: shift lies in [0, 1]" in message


def test_a_picture_twice(before: Path, tmp_path: Path) -> None:
    def edit(table: Any) -> Any:
        names = table["image"].to_pylist()
        return replaced(table, "image", [names[1], *names[1:]])

    copy = retabled(before, tmp_path / "copy", "images.parquet", edit)
    assert "a picture is in it twice" in refused(before, copy)
    assert "a picture is in it twice" in refused(copy, copy)


def test_another_range_of_a_metric_is_not_believed(before: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        (shift,) = (each for each in document["metrics"] if each["name"] == "shift")
        shift["upper"] = 5.0

    copy = rewritten(before, tmp_path / "copy", "report.json", edit)
    assert "says that shift lies in [0, 5]" in refused(before, copy)


def test_tables_of_another_audit(before: Path, tmp_path: Path) -> None:
    images, labels = images_and_labels()
    fewer = scanned(0.0, tmp_path / "fewer", (images[:20], labels[:20]))
    copy = copied(before, tmp_path / "copy")
    shutil.copy(fewer / "samples.parquet", copy)
    assert "belong to this report" in refused(before, copy)
    assert pq.read_table(copy / "images.parquet").num_rows == N


def test_families_that_are_not_there(before: Path, after: Path) -> None:
    with pytest.raises(UsageError, match=r"'nois' \(did you mean 'noise'\?\): one of adversarial"):
        semaudit.compare(before, after, seen={"nois"})
    with pytest.raises(UsageError, match="'identity'"):
        semaudit.compare(before, after, seen={"identity"})
