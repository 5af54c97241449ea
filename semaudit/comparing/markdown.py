"""A comparison as Markdown, for a file or a pull request."""

from __future__ import annotations

from semaudit.comparing import words
from semaudit.comparing.document import Comparison
from semaudit.report.markdown import escape, table


def to_markdown(found: Comparison) -> str:
    """Return the whole comparison."""
    parts = [f"# semaudit compare: {escape(words.subject(found))}"]
    parts.append("\n".join(f"- {name}: {escape(value)}" for name, value in words.sides(found)))
    parts.append(f"**{escape(words.closing(found))}**")
    parts += [f"**Warning:** {escape(warning)}" for warning in found.warnings]
    parts += [f"> {escape(note)}" for note in found.notes]
    clean = words.clean_rows(found)
    sections = [("Clean pictures and the score", clean)] if clean else []
    for title, rows in [*sections, *words.sections(found)]:
        parts.append(f"## {title}\n\n{table(('', *words.CHANGE_HEADERS), rows)}")
    if found.changes:
        parts.append(escape(words.how_to_read(found)))
    churn = words.churn_rows(found)
    if churn:
        parts.append(f"## Answers of the two models\n\n{table(words.CHURN_HEADERS, churn)}")
        parts.append(escape(words.CHURN_NOTE))
    said = words.mcnemar(found)
    if said is not None:
        parts.append(escape(said))
    parts.append(
        f"Means over {found.pictures:,} pictures, paired, with 95 % intervals. Seed "
        f"{found.seed}, pictures `{found.fingerprint[:12]}`, weights "
        f"`{found.before.weights_sha256[:12]}` and `{found.after.weights_sha256[:12]}`."
    )
    return "\n\n".join(parts) + "\n"
