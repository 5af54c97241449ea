"""A workflow for GitHub that scans, which annotates the job and writes its summary, and keeps the audit."""

WORKFLOW = """\
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
      - run: python -m pip install semaudit
      - run: semaudit scan --out audit
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: semaudit
          path: audit
          if-no-files-found: ignore
"""
