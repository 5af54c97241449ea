"""report.json: described by a schema, read back equal, and refused when it is not what it says."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from shared import ARCH

import semaudit
from semaudit.errors import AuditError
from semaudit.report.document import SCHEMA_VERSION, Report
from semaudit.report.file import read_report, schema

SCHEMA = json.loads((resources.files("semaudit.report") / "report.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def document(audited: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((audited / "report.json").read_text(encoding="utf-8"))
    return loaded


def test_the_shipped_schema_is_the_code_s() -> None:
    """After a change: json.dumps(schema(), indent=1) and a line's end make the file anew."""
    assert schema() == SCHEMA


def test_the_schema_is_a_schema_and_closed() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    objects = [SCHEMA, *(each for each in SCHEMA["$defs"].values() if each["type"] == "object")]
    assert all(each["additionalProperties"] is False for each in objects)
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(Report.model_fields)


def test_a_report_follows_the_schema(document: dict[str, Any]) -> None:
    jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"seed": "zero"},
        {"surprise": 1},
        {"score": {"value": 1, "low": 0, "high": 2}},
    ],
)
def test_the_schema_refuses_what_is_no_report(
    document: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, **change}, SCHEMA)


def test_a_report_with_verdicts_and_one_withheld_follow_it_too(
    checkpoint: Path, dull_checkpoint: Path, pictures: Path
) -> None:
    common = {"select": "brightness", "device": "cpu", "img_size": 32}
    gates = ["score>=20", "logit_distance.p95<=1e-9", "shift.max<=0.999"]
    judged = semaudit.scan(checkpoint, pictures, arch=ARCH, fail_on=gates, **common)
    assert len(judged.verdicts) == 3
    withheld = semaudit.scan(dull_checkpoint, pictures, arch="test_resnet", **common)
    assert withheld.report.score is None
    floor = semaudit.scan(checkpoint, pictures, arch=ARCH, **{**common, "select": "identity"})
    unlabelled = semaudit.scan(checkpoint, pictures, arch=ARCH, ignore_labels=True, **common)
    single = semaudit.scan(checkpoint, pictures, arch=ARCH, num_samples=1, **common)
    for audit in (judged, withheld, floor, unlabelled, single):
        text = audit.report.model_dump_json()
        jsonschema.validate(json.loads(text), SCHEMA)
        assert Report.model_validate_json(text) == audit.report


def test_what_is_read_is_what_was_written(audited: Path, tmp_path: Path) -> None:
    report = read_report(audited / "report.json")
    (tmp_path / "again.json").write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
    assert read_report(tmp_path / "again.json") == report
    assert (tmp_path / "again.json").read_bytes() == (audited / "report.json").read_bytes()


def test_a_second_scan_gives_the_same_report(
    audited: Path, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    semaudit.scan(
        checkpoint, pictures, arch=ARCH, img_size=32, select="quick", device="cpu", out=out
    )
    assert (out / "report.json").read_bytes() == (audited / "report.json").read_bytes()


def test_an_estimate_is_looked_up_by_name(audited: Path) -> None:
    report = read_report(audited / "report.json")
    found = report.estimate("shift", "probe", "brightness", "p95")
    assert found is not None
    assert (found.metric, found.name, found.statistic) == ("shift", "brightness", "p95")
    assert report.estimate("shift", "probe", "nowhere") is None


# What cannot be read.


def refused(path: Path) -> str:
    with pytest.raises(AuditError) as error:
        read_report(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_no_report(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "report.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a semaudit report"),
        (b'{"schema_version": 1, "semaudit": ', "is not a semaudit report"),
        (b"[1, 2]", "is not a semaudit report"),
        (b"{}", "is not a semaudit report"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"schema_version": 2}', "has schema version 2, this semaudit reads 1"),
        (b'{"schema_version": 1}', "is damaged at semaudit: Field required; scan again"),
    ],
)
def test_a_damaged_report(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    assert said in refused(path)


def test_a_report_with_one_wrong_value(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**document, "data": {**document["data"], "pictures": "many"}}))
    assert "is damaged at data.pictures" in refused(path)
