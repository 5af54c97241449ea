"""No name of a picture, class, model or probe becomes more than a name in any rendering."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
from xml.etree import ElementTree

import pytest
from hostile import renamed
from hostile_words import PAIRED, SAMPLE, WORDS, markdown_tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.report.renderings import RENDERINGS

REPORT, HELD = (read_report(folder / "report.json") for folder in (SAMPLE, PAIRED))
HTML = pytest.mark.skipif(
    importlib.util.find_spec("semaudit.report.html") is None, reason="no rendering as HTML"
)
NAMES = [pytest.param(name, marks=HTML if name == "html" else ()) for name in RENDERINGS]


def rendered(name: str, report: Report = REPORT) -> str:
    return RENDERINGS[name].render(report)


def check_harmless(name: str, shown: str) -> None:
    """No rendering holds what a terminal, a parser or a GitHub job would obey."""
    if name == "html":  # the page's own scripts, of which no word is from outside
        shown = re.sub(r"<script>.*?</script>", "", shown, flags=re.DOTALL)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", shown)
    shown.encode("utf-8")
    if name == "html":
        return
    if name == "table":  # which is printed between ::stop-commands::
        return
    assert "##[" not in shown
    lines = shown.split("\n")
    commands = [line for line in lines if line.lstrip().startswith("::")]
    if name == "github":
        assert commands == lines[:-1]
        assert len(commands) <= 10
        pattern = r"::(error|warning|notice) title=[^:,]*::[^\r\n]*"
        assert all(re.fullmatch(pattern, line) for line in commands)
    else:
        assert commands == []
    if name == "markdown":
        check_markdown(shown)
    elif name == "junit":
        ElementTree.fromstring(shown)
    elif name in ("json", "sarif"):
        json.loads(shown)
    elif name == "csv":
        rows = list(csv.reader(io.StringIO(shown)))
        assert {len(row) for row in rows} == {12}
        assert not any(re.match(r"\s*[=+@]", cell) for row in rows for cell in row)


def check_markdown(shown: str) -> None:
    tokens = markdown_tokens(shown)
    html = {token.content.strip() for token in tokens if token.type.startswith("html")}
    assert all(re.fullmatch(r"</details>|<details><summary>[\w ,]+</summary>", h) for h in html)
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "fence", "code_block", "blockquote_open", "s_open"}
    assert not kinds & {"em_open", "ordered_list_open", "hr"}
    strong = tokens[:-2]
    bold = {strong[k + 1].content for k, t in enumerate(strong) if t.type == "strong_open"}
    assert bold <= {"Degenerate model:", "Warning:", "Untrustworthy:"}
    assert [t.tag for t in tokens if t.type == "heading_open"].count("h1") == 1
    assert {t.content for t in tokens if t.type == "code_inline"} <= {
        digest[:12]
        for each in (REPORT, HELD)
        for digest in (each.model.weights_sha256, each.data.fingerprint)
    }
    bare = re.sub(r"<!--.*?-->", "", shown)
    assert not re.search(r"@\w|(?<!\\)://|\bwww\.|(?<!&)#\d", bare)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", WORDS, ids=[ascii(each)[:24] for each in WORDS])
def test_hostile_words_stay_words(words: str, name: str) -> None:
    report = renamed(REPORT, words)
    check_harmless(name, rendered(name, report))
    held = renamed(HELD, words)
    named = held.model_copy(update={"degenerate": words, "score": None})
    check_harmless(name, RENDERINGS[name].render(named, accepted=True))


@pytest.mark.parametrize("name", [name for name in RENDERINGS if name != "html"])
@given(words=st.text(max_size=60))
@settings(max_examples=25)
def test_no_words_do_harm(name: str, words: str) -> None:
    check_harmless(name, rendered(name, renamed(REPORT, words)))


@pytest.mark.parametrize("name", ["table", "markdown", "github", "junit", "sarif"])
def test_long_names_are_cut_and_short_ones_are_not(name: str) -> None:
    model = REPORT.model.model_copy(update={"name": "n" * 4000})
    shown = rendered(name, REPORT.model_copy(update={"model": model}))
    assert "n" * 100 in shown.replace("\n", "")
    assert "n" * 200 not in shown.replace("\n", "")
    assert REPORT.model.name in rendered(name)
