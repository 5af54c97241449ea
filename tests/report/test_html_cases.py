"""What `semaudit inspect` has drawn, in the HTML report: shown, told in words, never trusted."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from webpage import Page

from semaudit.errors import AuditError
from semaudit.folder import CASE_NUMBERS, CASES
from semaudit.report.document import Report
from semaudit.report.html import cases, to_html

SCRIPT = "<script>alert(1)</script>\u202e"


def side(at: float, first: float) -> dict[str, Any]:
    classes = [{"index": 0, "name": "a cat", "probability": first}]
    classes += [{"index": 1, "name": SCRIPT, "probability": 1 - first}]
    return {"strength": at, "decided": [int(first < 0.5)], "classes": classes}


def case(file: str, *, flips: bool = True) -> dict[str, Any]:
    return {
        "file": file,
        "image": "cat.png",
        "probe": {"name": "brightness", "family": "photometric", "more": "is no concern here"},
        "flips": flips,
        "clean": side(0, 0.9),
        "before": side(0.1, 0.52),
        "after": side(0.1001, 0.48),
    }


@pytest.fixture
def drawn(kept_report: Report, kept_audit: Path, tmp_path: Path) -> Path:
    """A copy of the audit with two drawings; the numbers of the second tell of no flip."""
    audit = tmp_path / "audit"
    shutil.copytree(kept_audit, audit)
    (audit / CASES).mkdir()
    for name in ("one.png", "two.png"):
        Image.effect_noise((400, 240), 60).save(audit / CASES / name)
    write(audit, kept_report, [case("one.png"), case("two.png", flips=False)])
    return audit


def write(audit: Path, report: Report, found: list[dict[str, Any]], **model: str) -> None:
    document = {
        "model": {"weights_sha256": report.model.weights_sha256, **model},
        "data": {"fingerprint": report.data.fingerprint},
        "cases": found,
    }
    (audit / CASES / CASE_NUMBERS).write_text(json.dumps(document), encoding="utf-8")


def drawings(page: Page) -> list[dict[str, str | None]]:
    return [a for tag, a in page.elements if tag == "img" and "cat.png" in (a["alt"] or "")]


def test_drawings_are_embedded_and_told_in_words(kept_report: Report, drawn: Path) -> None:
    page = Page(to_html(kept_report, drawn))
    first, second = drawings(page)
    assert (first["width"], first["height"]) == ("400", "240")
    assert (first["src"] or "").startswith("data:image/")
    alt = first["alt"] or ""
    assert "cat.png under brightness (photometric): flips at 0.1001" in alt
    assert "clean answer a cat, 90.0\u00a0%; just before a cat, 52.0\u00a0%; just past <scr" in alt
    assert "steepest from 0.1 to 0.1001; clean answer" in (second["alt"] or "")
    assert "How single answers break" in page.texts
    assert len(page.scripts) == 3
    assert "\u202e" not in "".join(page.texts)


def test_an_audit_without_drawings_says_nothing_of_them(
    kept_report: Report, kept_audit: Path
) -> None:
    assert "How single answers break" not in to_html(kept_report, kept_audit)


def test_drawings_of_another_model_are_left_out(kept_report: Report, drawn: Path) -> None:
    write(drawn, kept_report, [case("one.png")], weights_sha256="0" * 64)
    page = Page(to_html(kept_report, drawn))
    assert drawings(page) == []
    assert any("of another model" in each for each in page.texts)


def test_what_is_no_drawing_is_left_out_and_named(
    kept_report: Report, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drawn / CASES / "one.png").write_text("<svg onload=alert(1)>", encoding="utf-8")
    (drawn / CASES / "two.png").unlink()
    Image.new("RGB", (60, 40)).save(drawn / CASES / "wide.png")
    Image.new("RGB", (6, 4)).save(drawn / CASES / "jpeg.png", format="JPEG")
    monkeypatch.setattr(cases, "_MOST_PIXELS", 2_000)
    names = ("one.png", "two.png", "wide.png", "jpeg.png")
    write(drawn, kept_report, [case(name) for name in names])
    page = Page(to_html(kept_report, drawn))
    assert drawings(page) == []
    said = " ".join(page.texts)
    assert "cases/one.png is left out: it is no picture." in said
    assert "cases/two.png is left out: No such file" in said
    assert "cases/wide.png is left out: it is larger than any that is drawn." in said
    assert "cases/jpeg.png is left out: it is no picture." in said


@pytest.mark.parametrize("name", ["../../etc/x.png", "/x.png", "a/b.png", ".png", "x.svg", ""])
def test_only_files_of_the_folder_are_read(name: str, kept_report: Report, drawn: Path) -> None:
    write(drawn, kept_report, [case(name)])
    with pytest.raises(AuditError, match=r"cases\.json is damaged at cases\.0\.file"):
        to_html(kept_report, drawn)


def test_damaged_numbers_are_an_error(kept_report: Report, drawn: Path) -> None:
    (drawn / CASES / CASE_NUMBERS).write_text("{", encoding="utf-8")
    with pytest.raises(AuditError, match="draw again with semaudit inspect"):
        to_html(kept_report, drawn)


def test_drawings_stop_where_the_room_does(kept_report: Report, drawn: Path) -> None:
    one = cases.cases(kept_report, drawn, 10**7).drawn[0]
    found = cases.cases(kept_report, drawn, len(one.source) + 10)
    assert len(found.drawn) == 1
    assert "1 more are in the audit's folder cases" in found.remarks[-1]


def test_a_damaged_drawing_is_left_out_too(kept_report: Report, drawn: Path) -> None:
    """Pillow has errors of its own for these: a header that claims too much, a broken chunk."""
    whole = (drawn / CASES / "one.png").read_bytes()
    claim = (20_000).to_bytes(4, "big") * 2
    header = b"IHDR" + claim + whole[24:29]
    bomb = whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]
    (drawn / CASES / "one.png").write_bytes(bomb)
    at = whole.index(b"IDAT") - 4
    broken = whole[:at] + b"\x00\x00\x00\x04\x01\x02\x03\x04abcd" + b"\x00" * 4 + whole[at:]
    (drawn / CASES / "two.png").write_bytes(broken)
    page = Page(to_html(kept_report, drawn))
    assert drawings(page) == []
    said = " ".join(page.texts)
    assert "cases/one.png is left out" in said
    assert "cases/two.png is left out" in said


def test_what_is_left_for_want_of_room_is_counted_once(kept_report: Report, drawn: Path) -> None:
    room = len(cases.cases(kept_report, drawn, 10**7).drawn[0].source) + 10
    names = ("gone.png", "one.png", "two.png")
    write(drawn, kept_report, [case(name) for name in names])
    found = cases.cases(kept_report, drawn, room)
    assert len(found.drawn) == 1
    assert "1 more are in the audit's folder cases" in found.remarks[-1]
