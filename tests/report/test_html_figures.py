"""The HTML report shows the figures of the other renderings, and of the audit's tables."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_models import ON_CPU
from webpage import Page

import semaudit
from semaudit.folder import PICTURES
from semaudit.report import text
from semaudit.report.document import Report
from semaudit.report.html import to_html
from semaudit.report.html.words import shown
from semaudit.showcase import read_index
from semaudit.store import Samples


@pytest.fixture(scope="module")
def page(kept_report: Report, kept_audit: Path) -> Page:
    return Page(to_html(kept_report, kept_audit))


def test_all_figures_are_those_of_the_other_renderings(page: Page, kept_report: Report) -> None:
    said = set(page.texts)
    for rows in (
        text.headline(kept_report),
        text.probe_rows(kept_report),
        text.family_rows(kept_report),
        text.worst_rows(kept_report, 10),
        text.flip_rows(kept_report, 10),
        text.gradient_rows(kept_report),
        text.worst_case_rows(kept_report),
        [row[1:] for row in text.verdict_table(kept_report.verdicts)[1]],
    ):
        assert rows
        for row in rows:
            for cell in row:
                assert not cell or shown(cell) in said, cell


def test_every_chart_has_its_data_a_sentence_and_a_table(page: Page, kept_report: Report) -> None:
    names = [a["data-chart"] for _, a in page.elements if "data-chart" in a]
    assert set(names) == page.data.keys()
    kinds = [each["kind"] for each in page.data.values()]
    assert kinds.count("curve") == sum(p.family != "identity" for p in kept_report.battery)
    assert {"dots", "heat", "bins"} < set(kinds)
    figures = [a for t, a in page.elements if t == "figure" and "chart" in (a.get("class") or "")]
    summaries = [text for text in page.texts if text == "As a table"]
    assert len(figures) == len(summaries) == len(names)


def test_what_moves_the_score_adds_up(page: Page, kept_report: Report) -> None:
    assert kept_report.score is not None
    points = page.data["score-chart"]["data"]["y"]
    assert sum(points) == pytest.approx(100 - kept_report.score.value, abs=1e-3)
    assert points == sorted(points, reverse=True)


def test_the_heat_map_by_counting(page: Page, kept_audit: Path) -> None:
    audit_frame = semaudit_frame(kept_audit)
    shown_data = page.data["class-chart"]["data"]
    means = audit_frame.groupby(["clean_class", "probe", "image"])["shift"].mean()
    means = means.groupby(["clean_class", "probe"]).mean().unstack()[shown_data["probes"]]
    counts = audit_frame.groupby("clean_class")["image"].nunique()
    assert len(shown_data["classes"]) == len(counts)
    names = {f"{'abcd'[k]} ({n})": k for k, n in counts.items()}
    for label, row in zip(shown_data["classes"], shown_data["z"], strict=True):
        assert row == pytest.approx(means.loc[names[label]].tolist(), abs=1e-4)


def semaudit_frame(folder: Path) -> Any:
    import pandas as pd

    frame = pd.read_parquet(folder / "samples.parquet")
    names = {"image": str, "probe": str, "family": str}
    frame = frame.astype(names)
    return frame[~frame["family"].isin(["identity", "adversarial"])]


def test_the_onsets_by_counting(page: Page, kept_report: Report, kept_audit: Path) -> None:
    samples = Samples(kept_audit, kept_report.layout)
    onsets = samples.path("onset")
    choices = page.data["onset-chart"]["data"]["choices"]
    named = {each["name"]: each for each in choices}
    total = np.zeros(10, dtype=int)
    for t, track in enumerate(kept_report.layout.tracks):
        if not track.counts:
            assert track.name not in named
            continue
        shares = onsets[:, t] / track.ladder[-1]
        flipped = shares[~np.isnan(shares)]
        expected = np.bincount(np.minimum((flipped * 10).astype(int), 9), minlength=10)
        assert named[track.name]["counts"] == expected.tolist()
        assert named[track.name]["never"] == len(shares) - len(flipped)
        total += expected
    assert choices[0]["name"] == "all probes"
    assert choices[0]["counts"] == total.tolist()


def test_the_pictures_stand_side_by_side(page: Page, kept_audit: Path) -> None:
    index = read_index(kept_audit)
    assert index is not None
    images = [a for t, a in page.elements if t == "img"]
    assert len(images) == 5 * len(index.pictures) == 20
    assert all(a["alt"] and a["width"] and a["height"] for a in images)
    first = (images[0]["src"] or "").partition("base64,")[2]
    file = index.pictures[0].files["clean"]
    assert base64.b64decode(first) == (kept_audit / PICTURES / file.name).read_bytes()


def test_embeddings_have_neither_classes_nor_flips(tmp_path: Path) -> None:

    from known_models import Linear, pictures

    audit = semaudit.scan(
        Linear((3, 16, 16), 6, seed=1), pictures(4, (3, 16, 16), seed=2),
        select="quick", activation="none", keep_pictures=2, out=tmp_path / "a", **ON_CPU,
    )  # fmt: skip
    page = Page(to_html(audit.report, audit.folder))
    assert not {"class-chart", "onset-chart", "families-flips"} & page.data.keys()
    assert sum(tag == "img" for tag, _ in page.elements) == 6
