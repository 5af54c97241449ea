"""The HTML report: whole, offline, the same figures as the other renderings, harmless names."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
from hostile import HOSTILE, hostile
from webpage import Page

from semaudit.errors import AuditError, UsageError
from semaudit.folder import MANIFEST, PICTURES
from semaudit.report.document import Report
from semaudit.report.html import gallery, to_html
from semaudit.report.html.words import LONGEST, as_script, shown


@pytest.fixture(scope="module")
def page(kept_report: Report, kept_audit: Path) -> Page:
    return Page(to_html(kept_report, kept_audit))


def test_it_needs_nothing_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/"))
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_every_link_leads_somewhere_and_every_name_is_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("href", "aria-labelledby", "for"):
            for each in (attributes.get(name) or "").removeprefix("#").split():
                assert each in ids


def test_the_verdict_comes_first(kept_report: Report, kept_audit: Path) -> None:
    page = to_html(kept_report, kept_audit)
    assert page.index("<h2") == page.index('<h2 id="verdict-title">')
    word = re.search(r'<p class="word">(\w+ ?\w*)</p>', page)
    outcomes = {each.outcome.value for each in kept_report.verdicts}
    assert word is not None
    assert word[1].lower() in outcomes
    none = to_html(kept_report.model_copy(update={"verdicts": []}), None)
    assert "NO GATES" in none
    assert "DEGENERATE" in to_html(kept_report.model_copy(update={"degenerate": "why"}), None)


def test_pictures_stop_where_the_room_does(
    kept_report: Report, kept_audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "BUDGET", 8_000)
    page = to_html(kept_report, kept_audit)
    assert page.count("<article") < 4
    assert "there is no room here" in page


def test_without_the_folder_it_says_what_is_left_out(kept_report: Report) -> None:
    page = Page(to_html(kept_report, None))
    assert not {"class-chart", "onset-chart"} & page.data.keys()
    assert any("they need the audit's folder" in each for each in page.texts)
    assert any("without the audit's folder" in each for each in page.texts)


def test_an_old_audit_has_neither_pictures_nor_names(
    kept_report: Report, kept_audit: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(kept_audit, old)
    shutil.rmtree(old / PICTURES)
    manifest = json.loads((old / MANIFEST).read_text())
    del manifest["model"]["class_names"]
    (old / MANIFEST).write_text(json.dumps(manifest))
    page = to_html(kept_report, old)
    assert "--keep-pictures" in page
    assert kept_report.worst[0].clean_name in str(Page(page).data["class-chart"]["data"]["classes"])


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_a_damaged_manifest_is_said(
    content: str, kept_report: Report, kept_audit: Path, tmp_path: Path
) -> None:
    shutil.copytree(kept_audit, tmp_path / "audit")
    (tmp_path / "audit" / MANIFEST).write_text(content)
    with pytest.raises(AuditError, match=r"manifest\.json is damaged"):
        to_html(kept_report, tmp_path / "audit")


def test_hostile_names_are_only_names(
    kept_report: Report, kept_audit: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one" / "audit", tmp_path / "two" / "audit"
    harmless = Page(to_html(hostile(kept_report, kept_audit, one, "word"), one))
    written = to_html(hostile(kept_report, kept_audit, two, HOSTILE), two)
    page = Page(written)
    assert page.shape == harmless.shape
    assert len(page.scripts) == 3
    assert page.scripts[1:] == harmless.scripts[1:]
    assert not re.search("[\u2028\u2029\u202e\u200f\x1b]", written.replace(page.scripts[1], ""))
    assert any("{{7*7}}" in each for each in page.texts)
    assert max(len(each) for each in page.texts if "owned" in each) <= 1_100
    assert page.data["frontier-chart"]["data"]["x"] == [0.1]


def test_json_in_a_script_ends_nothing() -> None:
    written = as_script({HOSTILE: [HOSTILE]})
    assert json.loads(written) == {HOSTILE: [HOSTILE]}
    assert not set("<>&\u2028\u2029") & set(written)


def test_long_and_half_characters() -> None:
    assert len(shown("x" * 4000)) == LONGEST
    assert shown("a\ud800b\u200fc") == "a b c"


def test_what_is_missing_is_named(kept_report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "plotly" else found(name)
    )
    with pytest.raises(UsageError, match=r"package plotly: pip install 'semaudit\[html\]'"):
        to_html(kept_report, None)
