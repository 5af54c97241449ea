"""The kept pictures, side by side."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from semaudit.report.document import Report
from semaudit.report.html.words import label, shown
from semaudit.report.text import number, percent
from semaudit.showcase import Answer, Index, Kept, Role, read_index, read_picture

BUDGET = 4_500_000
"""Characters that pictures may take, so that the page stays under 10 MB."""

_TITLES: dict[Role, str] = {
    "clean": "clean",
    "changed": "changed",
    "difference": "difference",
    "saliency_clean": "saliency, clean",
    "saliency_changed": "saliency, changed",
}


@dataclass(frozen=True)
class Panel:
    """One picture with what stands under it."""

    title: str
    alt: str
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One of the worst pictures."""

    name: str
    probe: str
    clean_class: str
    flipped: bool
    facts: tuple[tuple[str, str], ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Gallery:
    """All cards, what to filter them by, and remarks."""

    cards: tuple[Card, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Characters that the pictures take."""
        return sum(len(panel.source) for card in self.cards for panel in card.panels)

    @property
    def probes(self) -> list[str]:
        """Of the cards, each once."""
        return sorted({card.probe for card in self.cards})

    @property
    def classes(self) -> list[str]:
        """Of the cards, each once."""
        return sorted({card.clean_class for card in self.cards})


def gallery(report: Report, audit: Path | None) -> Gallery:
    """Read what an audit has kept, as far as there is room."""
    index = None if audit is None else read_index(audit)
    if audit is None or index is None:
        return Gallery(remarks=(_none(audit),))
    cards: list[Card] = []
    room = BUDGET
    for kept in index.pictures:
        card = _card(report, kept, audit)
        room -= sum(len(panel.source) for panel in card.panels)
        if room < 0:
            break
        cards.append(card)
    return Gallery(tuple(cards), tuple(_remarks(index, len(cards))))


def _none(audit: Path | None) -> str:
    if audit is None:
        return "Pictures are left out: there is only report.json, without the audit's folder."
    return "The audit kept no pictures: scan with --keep-pictures to see the worst of them here."


def _remarks(index: Index, count: int) -> list[str]:
    left = len(index.pictures) - count
    more = (
        [f"{left} more are in the audit's folder pictures: there is no room here."] if left else []
    )
    notes = [f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in index.notes]
    return [*notes, *more]


def _card(report: Report, kept: Kept, audit: Path) -> Card:
    changed = kept.changed.names != kept.clean.names
    facts = [
        ("at", f"{kept.probe} {kept.strength:g}" + (f" ({kept.unit})" if kept.unit else "")),
        ("shift there", number(kept.cell_shift)),
        ("mean shift", number(kept.shift)),
    ]
    if report.model.activation != "none":
        facts = [
            ("clean answer", _said(kept.clean)),
            ("changed answer", _said(kept.changed)),
            *facts,
        ]
    if kept.label is not None:
        facts.insert(0, ("label", kept.label_name or f"class {kept.label}"))
    return Card(
        name=shown(kept.image),
        probe=label(kept.probe),
        clean_class=label(kept.clean_name),
        flipped=changed,
        facts=tuple((name, shown(fact)) for name, fact in facts),
        panels=tuple(_panel(kept, role, audit) for role in _TITLES if role in kept.files),
    )


def _said(answer: Answer) -> str:
    if answer.probability is None:
        return ", ".join(answer.names) or "no label"
    return f"{', '.join(answer.names)}, {percent(answer.probability)}"


def _panel(kept: Kept, role: Role, audit: Path) -> Panel:
    file = kept.files[role]
    content = base64.b64encode(read_picture(audit, file)).decode("ascii")
    times = f" × {kept.difference_factor}" if role == "difference" else ""
    return Panel(
        title=f"{_TITLES[role]}{times}",
        alt=shown(
            f"{_TITLES[role]}{times}: {label(kept.image)}, {label(kept.probe)} {kept.strength:g}"
        ),
        source=f"data:image/{file.name.rpartition('.')[2]};base64,{content}",
        width=file.width,
        height=file.height,
    )
