"""A workflow for GitHub: the scan annotates the job, writes its summary, and its audit is kept."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution

PLACEHOLDER = "git+https://github.com/OWNER/semaudit@REF"
"""What pip installs from where semaudit does not know where it is from itself."""

# What a public repository is fetched by; nothing in it means anything to a shell or to YAML.
_FETCHED = re.compile(r"https://[\w.-]+(?:/[\w.~-]+)+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")

_WORKFLOW = """\
# Scans as semaudit.yaml says; the job fails where a limit is broken or cannot be decided.
name: semaudit
on: [push, pull_request]
permissions:
  contents: read
jobs:
  audit:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
          cache: pip
          cache-dependency-path: semaudit.yaml
      # semaudit is on no package index yet: it is installed from its repository.{todo}
      - run: python -m pip install "{source}"
      - run: semaudit scan --out audit
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: semaudit
          path: audit
          if-no-files-found: ignore
"""

_TODO = """
      # TO DO: OWNER and REF are those of the repository and the version that you took it from."""


def source() -> str:
    """What pip installs semaudit from again: where it was fetched from itself, if a job can."""
    try:
        recorded = json.loads(distribution("semaudit").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return PLACEHOLDER
    fetched = recorded.get("vcs_info") if isinstance(recorded, dict) else None
    if not isinstance(fetched, dict) or recorded.get("subdirectory"):
        return PLACEHOLDER
    address = str(recorded.get("url"))
    commit = str(fetched.get("commit_id"))
    if fetched.get("vcs") == "git" and _FETCHED.fullmatch(address) and _COMMIT.fullmatch(commit):
        return f"git+{address}@{commit}"
    return PLACEHOLDER


def workflow(source: str) -> str:
    """The text of the workflow."""
    return _WORKFLOW.format(source=source, todo=_TODO if source == PLACEHOLDER else "")
