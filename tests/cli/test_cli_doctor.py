"""`semaudit doctor`: known answers come out, and what is broken ends it with 1."""

from __future__ import annotations

import json
import time
from importlib.metadata import metadata

import pytest
import torch
from shared import Run

from semaudit.doctoring import surroundings
from semaudit.doctoring.selfcheck import self_check


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_the_known_answers_come_out() -> None:
    known = self_check()
    assert all(each.right for each in known), known
    assert 0 < {each.name: each.expected for each in known}["flip_rate"] < 1


def test_nothing_is_broken(cli: Run) -> None:
    ended = cli("doctor")
    assert ended.code == 0, ended
    assert "offline by HF_HUB_OFFLINE" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "Nothing is broken."
    for said in ("semaudit", "torch", "cpu, ", "GiB free", "shift: expected", "semaudit finetune"):
        assert said in ended.stdout


def test_json(cli: Run) -> None:
    found = json.loads(cli("doctor", "--format", "json").stdout)
    assert found["broken"] == []
    assert found["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert {each["name"] for each in found["answers"]} >= {"shift", "flip_rate", "gradient_l2"}


def test_a_wrong_answer_and_wrong_settings_are_1(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("SEMAUDIT_SEED", "x")
    monkeypatch.setattr("semaudit.doctoring.selfcheck.STEEPNESS", float("nan"))
    ended = cli("doctor")
    assert ended.code == 1
    assert "broken: the settings here cannot be read" in ended.stdout
    assert "broken: the self-check broke" in ended.stdout


def test_the_hub_never_holds_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(surroundings, "HUB_SECONDS", 0.2)
    monkeypatch.setattr(surroundings, "_answers", lambda: bool(time.sleep(3)))
    started = time.monotonic()
    assert surroundings.hub().startswith("not reachable")
    assert time.monotonic() - started < 2


def test_every_extra_of_the_package_is_told() -> None:
    extras = metadata("semaudit").get_all("Provides-Extra") or []
    assert set(surroundings.EXTRAS) == {*extras} - {"demo", "dev"}
