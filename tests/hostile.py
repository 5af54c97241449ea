"""Words that would do harm if they became markup, and an audit full of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from semaudit.folder import MANIFEST, PICTURES
from semaudit.report.document import Baseline, Doubt, Outcome, Report, Unread
from semaudit.report.html.record import FINETUNED
from semaudit.showcase import Index, read_index
from semaudit.showcase.index import INDEX

HOSTILE = (
    "</script><script>window.owned=1</script><img src=x onerror='window.owned=2'>"
    '"\' onload="window.owned=3" <!-- {{7*7}} {% raw %} ]]> \u2028\u2029\u202e\u200f\n\x1b[31m '
    '<a href="javascript:window.owned=4">link</a> $\\alpha$ %{x} &lt;b&gt;' + "x" * 4000
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
            "baseline": None if report.baseline is None else _of_baseline(report.baseline, words),
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


def _of_baseline(baseline: Baseline, words: str) -> Baseline:
    family = [each.model_copy(update={"name": words}) for each in baseline.changed[1:]]
    texts: dict[str, Any] = dict.fromkeys(("source", "model", "weights_sha256"), words)
    more = {"notes": [words], "changed": [*baseline.changed[:1], *family]}
    return baseline.model_copy(update={**texts, **more})


def hostile(report: Report, folder: Path, to: Path, words: str) -> Report:
    """A copy of the audit in which every text that comes from outside is these words."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    index = read_index(folder)
    assert index is not None
    answer = {"names": [words], "probability": 0.5}
    kept = [
        each.model_copy(
            update={
                **dict.fromkeys(("image", "label_name", "clean_name", "probe", "unit"), words),
                "clean": each.clean.model_copy(update=answer),
                "changed": each.changed.model_copy(update=answer),
            }
        )
        for each in index.pictures
    ]
    renamed = Index(pictures=kept, notes=[words])
    (to / PICTURES / INDEX).write_text(renamed.model_dump_json(), encoding="utf-8")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["model"]["class_names"] = [words] * report.model.num_classes
    manifest["model"]["provenance"] = {words: words}
    manifest["settings"][words] = {"value": words, "origin": words}
    (to / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    point = {"share": 0.5, "shift": 0.1, "kept": 0.9}
    finetuned = {"frontier": [point], "kept": words, "choice": {"why": words}}
    (to.parent / FINETUNED).write_text(json.dumps(finetuned), encoding="utf-8")
    return renamed(report, words).model_copy(update={"degenerate": words})
