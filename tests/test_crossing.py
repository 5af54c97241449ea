"""Where decisions change between two points: against closed forms, and in how many looks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from semaudit.crossing import HALVINGS, MOST_LOOKS, Seen, crossing

WIDTH = 2.0**-HALVINGS


def search(places: Tensor, lead: str) -> tuple[Tensor, int, list[int]]:
    """Look for the places where leads of a shape cross 0: found, looks, pictures of each look."""
    looks: list[int] = []

    def leads(at: Tensor, rows: Tensor) -> Tensor:
        away = places[rows] - at
        return {
            "even": away,
            "steep": away.sign() * away.abs() ** 3,
            "curved": torch.expm1(4 * away),
            "leap": torch.where(away > 0, 1.0, -1e-3).to(away),
            "silent": torch.full_like(away, float("inf")),
        }[lead]

    def see(rows: Tensor, at: Tensor) -> Seen:
        looks.append(len(rows))
        return at >= places[rows], leads(at, rows)

    everyone = torch.arange(len(places))
    ends = (leads(torch.full_like(places, end), everyone) for end in (0.0, 1.0))
    return crossing(*ends, see), len(looks), looks


@pytest.mark.parametrize("lead", ["even", "steep", "curved", "leap", "silent"])
@given(place=st.floats(1e-6, 1.0))
def test_what_is_found_has_changed_and_a_thousandth_less_has_not(lead: str, place: float) -> None:
    found, looks, _ = search(torch.tensor([place], dtype=torch.float64), lead)
    assert place <= found.item() <= place + WIDTH * (1 + 1e-9)
    assert looks <= MOST_LOOKS


@pytest.mark.parametrize(("lead", "most"), [("even", 5), ("curved", 7), ("leap", MOST_LOOKS)])
def test_along_smooth_paths_few_looks_are_enough(lead: str, most: float) -> None:
    places = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    _, _, sizes = search(places, lead)
    assert sum(sizes) / len(places) <= most
    assert sizes == sorted(sizes, reverse=True)  # what is found leaves the batch


def test_a_margin_that_is_no_number_ends_its_own_search_only() -> None:
    places = torch.tensor([0.3, 0.6])

    def see(rows: Tensor, at: Tensor) -> Seen:
        away = places[rows] - at
        return away <= 0, torch.where(rows == 0, torch.nan, away)

    found = crossing(torch.ones(2), -torch.ones(2), see)
    assert found[0].isnan()
    assert 0.6 <= found[1].item() <= 0.6 + WIDTH


def test_no_pictures_are_not_looked_at() -> None:
    def see(rows: Tensor, at: Tensor) -> Seen:
        raise AssertionError((rows, at))

    assert crossing(torch.empty(0), torch.empty(0), see).shape == (0,)
