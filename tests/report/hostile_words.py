"""The sample audit, and words that would do harm if a rendering took them for more than words."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from shared import REPO

from semaudit.report.document import Doubt, Outcome, Report, Unread

SAMPLE = REPO / "tests" / "data" / "sample_audit"

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


def renamed(report: Report, words: str) -> Report:
    """A copy of the report in which every text that may come from outside is these words."""

    def of(each: Any, *fields: str) -> Any:
        return each.model_copy(update=dict.fromkeys(fields, words))

    probe = report.battery[1].name

    def of_probe(each: Any, field: str) -> Any:
        return of(each, field) if getattr(each, field) == probe else each

    return report.model_copy(
        update={
            "model": of(report.model, "name", "preprocessing").model_copy(
                update={"notes": [words]}
            ),
            "data": of(report.data, "source").model_copy(
                update={
                    "notes": [words],
                    "unreadable": [Unread(image=words, reason=words)],
                    "unreadable_count": 1,
                }
            ),
            "warnings": [words],
            "doubts": [Doubt(name=words, meaning=words, evidence=words)],
            "battery": [of(of_probe(each, "name"), "claim") for each in report.battery],
            "curves": [of_probe(each, "probe") for each in report.curves],
            "estimates": [of_probe(each, "name") for each in report.estimates],
            "class_flips": [of(each, "from_name", "to_name") for each in report.class_flips],
            "worst": [of(each, "image", "clean_name", "to_name", "probe") for each in report.worst],
            "verdicts": [
                *(of(each, "reason") for each in report.verdicts),
                *(
                    of(each, "gate", "reason").model_copy(update={"outcome": outcome})
                    for each in report.verdicts[:1]
                    for outcome in Outcome
                ),
            ],
        }
    )


def markdown_tokens(shown: str) -> list[Token]:
    """All tokens of GitHub's flavour of Markdown, but for links that it sees in bare words."""
    parser = MarkdownIt("gfm-like", {"linkify": False})
    return [leaf for token in parser.parse(shown) for leaf in ([token, *(token.children or [])])]
