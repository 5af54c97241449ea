"""All renderings of the report document: by name, and by the ending of a file's name.

A rendering is one function from the document, and the audit's folder if there is one, to a text;
it is imported when it is used. None needs the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError, did_you_mean
from semaudit.files import appearing_file, check_file
from semaudit.report.document import Report


@dataclass(frozen=True)
class Rendering:
    """One way to show an audit.

    Attributes:
        name: as --format takes it.
        endings: of the files that are written this way.
        home: its function, as ``module:name``.
        grades: whether the function takes ``accepted``: it tells gates that stop a job from others.
        needs: a function that raises UsageError where packages are missing, if it needs any.
    """

    name: str
    endings: tuple[str, ...]
    home: str
    grades: bool = False
    needs: str | None = None

    def check(self) -> None:
        """Raise UsageError where it could not render for want of packages."""
        if self.needs is not None:
            _found(self.needs)()

    def render(self, report: Report, folder: Path | None = None, *, accepted: bool = False) -> str:
        """Render a report.

        Args:
            report: the document.
            folder: the audit's, if there is one.
            accepted: whether inconclusive gates are accepted, as by --accept-inconclusive.
        """
        more = {"accepted": accepted} if self.grades else {}
        rendered: str = _found(self.home)(report, folder, **more)
        return rendered


def _found(home: str) -> Callable[..., Any]:
    module, _, name = home.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


RENDERINGS: Mapping[str, Rendering] = {
    each.name: each
    for each in (
        Rendering("table", (".txt",), "semaudit.report.terminal:to_text"),
        Rendering("json", (".json",), "semaudit.report.file:to_json"),
        Rendering("markdown", (".md",), "semaudit.report.markdown:to_markdown"),
        Rendering("github", (), "semaudit.report.github:to_github", grades=True),
        Rendering("junit", (".xml",), "semaudit.report.junit:to_junit", grades=True),
        Rendering(
            "sarif", (".sarif", ".sarif.json"), "semaudit.report.sarif:to_sarif", grades=True
        ),
        Rendering(
            "html",
            (".html",),
            "semaudit.report.html:to_html",
            needs="semaudit.report.html.library:require",
        ),
        Rendering("csv", (".csv",), "semaudit.report.csv:to_csv"),
    )
}
"""By name; `semaudit.values.Format` lists the same names."""

ENDINGS: Mapping[str, Rendering] = {
    ending: each for each in RENDERINGS.values() for ending in each.endings
}


def of_file(out: Path) -> Rendering:
    """The rendering that a file's ending asks for.

    Raises:
        UsageError: the ending means nothing.
    """
    name = out.name.lower()
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return ENDINGS[ending]
    raise UsageError(
        f"-o {out}: the ending {out.suffix!r} says no format{did_you_mean(out.suffix, ENDINGS)}: "
        f"one of {', '.join(ENDINGS)}"
    )


def check_outputs(outs: Sequence[Path], audit: Path | None, form: str) -> None:
    """Make sure, before any work, that all files can be written, and the format be rendered.

    Args:
        outs: the files.
        audit: the audit's folder, if there is one; it may not be there yet.
        form: the rendering's name that standard output gets.

    Raises:
        UsageError: an ending means nothing, two are one file, one cannot be written, or is one of
            the audit's own; or a package is missing.
    """
    from semaudit.folder import check_rendering

    RENDERINGS[form].check()
    for k, out in enumerate(outs):
        of_file(out).check()
        to_appear = False
        if audit is not None and out.resolve().is_relative_to(audit.resolve()):
            check_rendering(out, audit)
            to_appear = not audit.exists()
        if not to_appear:
            check_file(out)
        if out.resolve() in {each.resolve() for each in outs[:k]}:
            raise UsageError(f"-o {out} is named twice")


def write(
    report: Report, outs: Sequence[Path], folder: Path | None = None, *, accepted: bool = False
) -> None:
    """Write all files; they take their names together, at the end."""
    with ExitStack() as stack:
        works = [stack.enter_context(appearing_file(out)) for out in outs]
        for out, work in zip(outs, works, strict=True):
            text = of_file(out).render(report, folder, accepted=accepted)
            work.write_text(text, encoding="utf-8", newline="")
