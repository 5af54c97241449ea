"""What is written of a case: safe names, numbers as JSON, pictures that can be drawn."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import Constant, Linear, classifier, pictures
from PIL import Image
from rich.console import Console
from test_breaking import SIZE, Embedding, Labels, Threshold, activated, brighter, grey

from semaudit.inspecting import Case, break_of
from semaudit.inspecting.files import as_json, file_name
from semaudit.inspecting.terminal import print_case

IDS = ("../../x", "/etc/passwd", "a/b.png", "a_b.png", "A_B.png", "a\\b", "C:x", "", ".", "..",
       "x" * 400, "\u202e\x1b[31m", "[red]$\\frac$", "nul", "a\nb", "ü", "é")  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    name = brighter(1)[0]
    linear = classifier(Linear(SIZE, 5, seed=5, scale=0.4), SIZE)
    return {
        "step": break_of(classifier(Threshold(0.57), SIZE), grey(), name, "brightness", label=1),
        "smooth": break_of(linear, pictures(1, SIZE, 2), name, "gaussian_noise", label=0),
        "labels": break_of(activated(Labels(), "sigmoid"), grey(), name, "brightness", label=9),
        "embedding": break_of(activated(Embedding(), "none"), grey(), name, "brightness"),
        "still": break_of(classifier(Constant(), SIZE), grey(), name, "brightness"),
        "grey": break_of(
            classifier(Linear((1, 6, 6), 3, seed=1), (1, 6, 6)), grey()[:, :1], name, "brightness"
        ),
    }


NAMES = ("step", "smooth", "labels", "embedding", "still", "grey")


def test_names_of_files_stay_in_the_folder_and_differ(cases: dict[str, Case]) -> None:
    names = [file_name(replace(cases["step"], image_id=name)) for name in IDS]
    assert len({name.lower() for name in names}) == len(IDS)
    for name in names:
        assert Path(name).name == name
        assert name.isascii()
        assert name[0] not in "._-"
        assert name.endswith(".png")
        assert len(name) < 150
    plain = replace(cases["step"], image_id="imagenet_14_129.jpg")
    assert file_name(plain) == "imagenet_14_129.jpg-brightness.png"


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_json(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    document = json.loads(json.dumps(as_json(case), allow_nan=False))
    assert document["flips"] == case.flips
    assert document["onset"] == (case.onset if case.flips else None)
    assert len(document["sweep"]["strengths"]) == len(document["sweep"]["shift"])
    assert len(document["sweep"]["classes"]) == len(case.shown) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_drawn(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    from semaudit.inspecting.picture import draw

    pytest.importorskip("matplotlib")
    case = replace(cases[name], image_id="$\\frac{ [red] 汉字 \x1b[31m")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(case, tmp_path / "case.png")
    with Image.open(tmp_path / "case.png") as picture:
        assert picture.size == (1690, 988)
        assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_told_in_any_width(name: str, width: int, cases: dict[str, Case]) -> None:
    hostile = "[bold]x[/] \x1b[31m\u202e"
    case = replace(cases[name], image_id=hostile, names=(hostile,) * len(cases[name].names))
    out = StringIO()
    print_case(case, Console(file=out, width=width, highlight=False), number=1, file="x.png")
    told = out.getvalue()
    assert max(len(line) for line in told.splitlines()) <= width
    assert "[bold]x[/]" in told
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_the_words(cases: dict[str, Case]) -> None:
    def told(name: str) -> str:
        out = StringIO()
        print_case(cases[name], Console(file=out, width=200, highlight=False), number=3)
        return " ".join(out.getvalue().split())

    step = told("step")
    assert "label class 1 (the clean answer is wrong)" in step
    assert "clean answer class 0, > 99.9 %" in step
    assert "class 0 turns into class 1" in step
    assert "of all that the output moves up to 0.19: a leap" in step
    assert "fraction of full scale" in step
    assert "breaks steepest from" in told("embedding")
    assert "the output does not move at all" in told("still")
    assert "label class 9" in told("labels")


def test_no_saliency_no_panels(cases: dict[str, Case]) -> None:
    from semaudit.inspecting.picture import _panels

    assert len(_panels(cases["step"])) == 3
    assert len(_panels(cases["smooth"])) == 5
    assert isinstance(cases["smooth"].saliency, torch.Tensor)
