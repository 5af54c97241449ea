"""The picture of the frontier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from semaudit.finetuning.drawing import draw_frontier
from semaudit.finetuning.interpolation import Point

pytest.importorskip("matplotlib")

NAN = float("nan")


def point(share: float, shift: float, kept: float) -> Point:
    return Point(share, shift, NAN, kept, 100 * (1 - kept), 1.0, 0.01)


def named(
    points: list[Point], chosen: Point | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The shares that are written beside dots, of points with no flips in one panel alone."""
    from matplotlib.axes import Axes

    names: list[str] = []
    real = Axes.annotate

    def noted(self: Axes, text: str, *given: object, **more: object) -> object:
        names.append(text)
        return real(self, text, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "annotate", noted)
    draw_frontier(points, chosen, "accuracy", "a title", path)
    return names


def test_names_do_not_hide_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [point(each / 10, 0.5 - each / 1e5, 0.95) for each in range(1, 10)]
    points = [point(0, 1.0, 1.0), *crowd, point(1, 0.0, 0.9)]
    path = tmp_path / "frontier.png"
    assert named(points, crowd[4], path, monkeypatch) == ["0", "0.5", "1"]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_dots_that_lie_apart_are_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [point(each / 10, 1 - each / 10, 1 - each / 100) for each in range(11)]
    found = named(points, None, tmp_path / "frontier.png", monkeypatch)
    assert sorted(found, key=float) == [f"{each / 10:g}" for each in range(11)]


def test_names_that_have_room_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shifts = (0.0060, 0.0059, 0.0070, 0.0076, 0.0084, 0.0091, 0.0099)
    points = [point(each / 10, shift, 0.9) for each, shift in enumerate(shifts)]
    found = named(points, points[1], tmp_path / "frontier.png", monkeypatch)
    assert sorted(found, key=float) == ["0", "0.2", "0.3", "0.4", "0.5", "0.6"]


def test_what_is_not_finite_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [point(0, 1.0, 1.0), point(1, float("nan"), 0.0)]
    assert named(points, None, tmp_path / "frontier.png", monkeypatch) == ["0"]


def test_flips_have_a_panel_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [replace(point(each, 1 - each, 0.9), flips=0.1 * each) for each in (0.0, 0.5, 1.0)]
    found = named(points, points[1], tmp_path / "frontier.png", monkeypatch)
    assert sorted(found) == ["0", "0", "0.5", "0.5", "1", "1"]


def test_axes_show_no_more_than_a_change_of_rounding_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    points = [point(each, 0.025 + 1e-12 * each, 0.9583) for each in (0.0, 1.0)]
    draw_frontier(points, None, "accuracy", "a title", tmp_path / "frontier.png")
    (axes,) = drawn[0].axes
    low, high = axes.get_xlim()
    assert high - low > 1e-4
    assert [each.get_text() for each in axes.get_legend().get_texts()] == ["the original is kept"]
