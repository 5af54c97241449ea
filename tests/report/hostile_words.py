"""The sample audits, and words that would do harm if a rendering took them for more than words."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token
from shared import REPO

DATA = REPO / "tests" / "data"
SAMPLE = DATA / "sample_audit"
PAIRED = DATA / "baseline_audit"
"""Held against ``baseline.semaudit`` beside it; with kept pictures, and hashes."""

WORDS = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "\"quoted\" 'twice' & &lt;b&gt; ]]> -->",
    "one\ntwo\r\nthree\u2028four\x85five",
    "\u202egnp.exe \u2066hidden\u2069 \u200fmark",
    "\x1b[31mred\x1b]0;title\x07 \x9b2J",
    "null\x00 bell\x08 not xml \ufffe\uffff\x0b",
    "::error::out\n::set-output name=a::b ##[error]old",
    "::stop-commands::x",
    "% 25 %0A, a:b, title=x",
    "[link](https://example.org) ![](x) |cell| `code` **bold** www.example.org",
    "@everyone #1 https://example.org/ $x$ ~~gone~~",
    "- item",
    "1. first",
    "> quoted\n# heading\n```\n---",
    "=cmd|' /C calc'!A0",
    '",,\n"=1+1',
    "{0} {{7*7}} ${x}",
    "../../up/%2e%2e/\\..",
    "//example.org/x",
    "Åsa 犬 👩‍🚀 é",
    "..",
    "",
    " ",
    "x" * 4000,
    "<" * 4000,
)


def markdown_tokens(shown: str) -> list[Token]:
    """All tokens of GitHub's flavour of Markdown, but for links that it sees in bare words."""
    parser = MarkdownIt("gfm-like", {"linkify": False})
    return [leaf for token in parser.parse(shown) for leaf in ([token, *(token.children or [])])]
