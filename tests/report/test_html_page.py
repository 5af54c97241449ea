"""The HTML report: whole, offline, the same figures as the other renderings, harmless names."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import HOSTILE, hostile
from known_models import ON_CPU

import semaudit
from semaudit.errors import AuditError, UsageError
from semaudit.folder import MANIFEST, PICTURES
from semaudit.report import text
from semaudit.report.document import Report
from semaudit.report.html import gallery, to_html
from semaudit.report.html.words import LONGEST, as_script, shown
from semaudit.showcase import read_index
from semaudit.store import Samples

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, and the text of each."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


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


def test_all_figures_are_those_of_the_other_renderings(page: Page, kept_report: Report) -> None:
    said = set(page.texts)
    for rows in (
        text.headline(kept_report),
        text.probe_rows(kept_report),
        text.family_rows(kept_report),
        text.worst_rows(kept_report, 10),
        text.flip_rows(kept_report, 10),
        text.gradient_rows(kept_report),
        text.worst_case_rows(kept_report),
        [row[1:] for row in text.verdict_rows(kept_report.verdicts)],
    ):
        assert rows
        for row in rows:
            for cell in row:
                assert not cell or shown(cell) in said, cell


def test_every_chart_has_its_data_a_sentence_and_a_table(page: Page, kept_report: Report) -> None:
    names = [a["data-chart"] for _, a in page.elements if "data-chart" in a]
    assert set(names) == page.data.keys()
    kinds = [each["kind"] for each in page.data.values()]
    assert kinds.count("curve") == sum(p.family != "identity" for p in kept_report.battery)
    assert {"dots", "heat", "bins"} < set(kinds)
    figures = [a for t, a in page.elements if t == "figure" and "chart" in (a.get("class") or "")]
    summaries = [text for text in page.texts if text == "As a table"]
    assert len(figures) == len(summaries) == len(names)


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


def test_what_moves_the_score_adds_up(page: Page, kept_report: Report) -> None:
    assert kept_report.score is not None
    points = page.data["score-chart"]["data"]["y"]
    assert sum(points) == pytest.approx(100 - kept_report.score.value, abs=1e-3)
    assert points == sorted(points, reverse=True)


def test_the_heat_map_by_counting(page: Page, kept_audit: Path) -> None:
    audit_frame = semaudit_frame(kept_audit)
    shown_data = page.data["class-chart"]["data"]
    means = audit_frame.groupby(["clean_class", "probe", "image"])["shift"].mean()
    means = means.groupby(["clean_class", "probe"]).mean().unstack()[shown_data["probes"]]
    counts = audit_frame.groupby("clean_class")["image"].nunique()
    assert len(shown_data["classes"]) == len(counts)
    names = {f"{'abcd'[k]} ({n})": k for k, n in counts.items()}
    for label, row in zip(shown_data["classes"], shown_data["z"], strict=True):
        assert row == pytest.approx(means.loc[names[label]].tolist(), abs=1e-4)


def semaudit_frame(folder: Path) -> Any:
    import pandas as pd

    frame = pd.read_parquet(folder / "samples.parquet")
    names = {"image": str, "probe": str, "family": str}
    frame = frame.astype(names)
    return frame[~frame["family"].isin(["identity", "adversarial"])]


def test_the_onsets_by_counting(page: Page, kept_report: Report, kept_audit: Path) -> None:
    samples = Samples(kept_audit, kept_report.layout)
    onsets = samples.path("onset")
    choices = page.data["onset-chart"]["data"]["choices"]
    named = {each["name"]: each for each in choices}
    total = np.zeros(10, dtype=int)
    for t, track in enumerate(kept_report.layout.tracks):
        if not track.counts:
            assert track.name not in named
            continue
        shares = onsets[:, t] / track.ladder[-1]
        flipped = shares[~np.isnan(shares)]
        expected = np.bincount(np.minimum((flipped * 10).astype(int), 9), minlength=10)
        assert named[track.name]["counts"] == expected.tolist()
        assert named[track.name]["never"] == len(shares) - len(flipped)
        total += expected
    assert choices[0]["name"] == "all probes"
    assert choices[0]["counts"] == total.tolist()


def test_the_pictures_stand_side_by_side(page: Page, kept_audit: Path) -> None:
    index = read_index(kept_audit)
    assert index is not None
    images = [a for t, a in page.elements if t == "img"]
    assert len(images) == 5 * len(index.pictures) == 20
    assert all(a["alt"] and a["width"] and a["height"] for a in images)
    first = (images[0]["src"] or "").partition("base64,")[2]
    file = index.pictures[0].files["clean"]
    assert base64.b64decode(first) == (kept_audit / PICTURES / file.name).read_bytes()


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


def test_embeddings_have_neither_classes_nor_flips(tmp_path: Path) -> None:

    from known_models import Linear, pictures

    audit = semaudit.scan(
        Linear((3, 16, 16), 6, seed=1), pictures(4, (3, 16, 16), seed=2),
        select="quick", activation="none", keep_pictures=2, out=tmp_path / "a", **ON_CPU,
    )  # fmt: skip
    page = Page(to_html(audit.report, audit.folder))
    assert not {"class-chart", "onset-chart", "families-flips"} & page.data.keys()
    assert sum(tag == "img" for tag, _ in page.elements) == 6
