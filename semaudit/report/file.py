"""report.json as a file: its JSON Schema, and reading it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError
from semaudit.files import parsed, read_text
from semaudit.folder import REPORT
from semaudit.report.document import SCHEMA_VERSION, Report


def schema() -> dict[str, Any]:
    """The JSON Schema of report.json; `report.schema.json`, beside this file, is a copy of it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Report.model_json_schema(mode="serialization"),
    }


def read_report(path: Path) -> Report:
    """Read a report.json back.

    Raises:
        AuditError: it is missing, damaged or of another version.
    """
    name_it = "name the folder that --out of a scan wrote, or its report.json"
    if path.parent.is_file():
        raise AuditError(f"{path.parent} is a file and no audit: {name_it}")
    advice = f"is {path.parent} an audit?" if path.name == REPORT else name_it
    return parse_report(read_text(path, advice), path)


def parse_report(text: str, path: Path) -> Report:
    """Read the text of a report that is at ``path``.

    Raises:
        AuditError: it is damaged or of another version.
    """
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise AuditError(f"{path} is not a semaudit report; scan again") from error
    if version != SCHEMA_VERSION:
        raise AuditError(
            f"{path} has schema version {version}, this semaudit reads {SCHEMA_VERSION}"
        )
    return parsed(Report, text, path, "scan again")


def to_json(report: Report, folder: Path | None = None) -> str:
    """Return the document itself."""
    return as_json(report.model_dump(mode="json"))


def as_json(content: object) -> str:
    """JSON in ASCII, which no encoding of a terminal or file can damage, without NaN.

    Nor can a GitHub job take anything in it for a command: ``##[`` is obeyed anywhere in a line.
    """
    return json.dumps(content, indent=1, allow_nan=False).replace("##[", "#\\u0023[") + "\n"
