"""Walking a ladder: what is compared with what, and the second look."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from known_models import Ledger, Linear, Recorder, classifier, pictures

from semaudit.divergence import jensen_shannon
from semaudit.look import look, look_again
from semaudit.metrics import PATH_FUNCTIONS, RUNG_FUNCTIONS
from semaudit.perturbations import Draw, get
from semaudit.probes import load_probes, select_battery
from semaudit.trace import walk

SIZE = (3, 8, 8)
IDS = tuple("abcde")


def battery(*names: str):
    return select_battery(load_probes(), names)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_second_look_sees_the_same_pictures_in_other_batches(n: int) -> None:
    ledger = Ledger()
    model = classifier(Recorder(Linear(SIZE, 4, seed=1), ledger), SIZE)
    images = pictures(n, SIZE, seed=2)
    ledger.forget()
    first = look(model, images)
    seen = ledger.hashes
    assert ledger.sizes == [n]
    ledger.forget()
    second = look_again(lambda pictures, _: look(model, pictures), images)
    assert ledger.hashes == seen
    assert ledger.sizes == {1: [2], 2: [1, 1], 3: [2, 1], 5: [3, 2]}[n]
    # In their own order, for all that they were seen in another.
    torch.testing.assert_close(second.logits, first.logits, atol=1e-12, rtol=0)
    assert torch.equal(second.images, images)
    assert len(second.logits) == n


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_second_look_brings_the_features_too(n: int) -> None:
    model = classifier(Linear(SIZE, 4, seed=1), SIZE)
    images = pictures(n, SIZE, seed=2)
    first, second = (
        look(model, images),
        look_again(lambda pictures, _: look(model, pictures), images),
    )
    assert torch.equal(first.features, images.flatten(1).double())
    assert torch.equal(second.features, first.features)


def test_a_walk_compares_each_rung_with_the_clean_picture_and_with_the_rung_before() -> None:
    (_, probe) = battery("contrast")
    module = Linear(SIZE, 5, seed=3, scale=0.5)
    model = classifier(module, SIZE)
    images = pictures(5, SIZE, seed=4, low=0.2, high=0.8)
    draw = Draw.of(0, probe.name, IDS)
    steps: list[int] = []
    with torch.inference_mode():
        trace = walk(model, probe, look(model, images), draw, steps.append)
        rungs = [images, *(get("contrast")(images, s, draw) for s in probe.ladder)]
        outputs = [module(each).log_softmax(1) for each in rungs]
    assert steps == [5] * 4
    assert set(trace.rungs) == set(RUNG_FUNCTIONS)
    assert set(trace.paths) == set(PATH_FUNCTIONS)
    shift = torch.stack([jensen_shannon(outputs[0], each) for each in outputs[1:]], 1)
    torch.testing.assert_close(trace.rungs["shift"], shift, atol=1e-12, rtol=0)
    neighbours = [
        jensen_shannon(before, after).sqrt() for before, after in itertools.pairwise(outputs)
    ]
    distance = torch.stack(neighbours, 1)
    torch.testing.assert_close(trace.paths["jump"], distance.amax(1), atol=1e-10, rtol=0)
    share = distance.amax(1) / distance.sum(1)
    torch.testing.assert_close(trace.paths["concentration"], share, atol=1e-8, rtol=0)
    moved = [
        (after - before).double().square().mean((1, 2, 3)).sqrt()
        for before, after in itertools.pairwise(rungs)
    ]
    slope = (distance / torch.stack(moved, 1)).amax(1)
    torch.testing.assert_close(trace.paths["secant_slope"], slope, rtol=1e-5, atol=0)
    whole = np.concatenate([np.zeros((5, 1)), shift.numpy()], 1)
    area = np.trapezoid(whole, (0, *probe.ladder), axis=1) / probe.ladder[-1]
    np.testing.assert_allclose(trace.paths["shift_area"].numpy(), area, atol=1e-12)
    classes = torch.stack([each.argmax(1) for each in outputs[1:]], 1)
    assert torch.equal(trace.classes, classes)
    rms = (rungs[2] - images).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(trace.rungs["input_rms"][:, 1].float(), rms)


def test_the_noise_floor_is_walked_with_the_second_look() -> None:
    ledger = Ledger()
    model = classifier(Recorder(Linear(SIZE, 4, seed=1), ledger), SIZE)
    images = pictures(5, SIZE, seed=2)
    (probe,) = battery("identity")
    clean = look(model, images)
    ledger.forget()
    with torch.inference_mode():
        trace = walk(model, probe, clean, Draw.of(0, probe.name, IDS))
    assert ledger.sizes == [3, 2]
    assert trace.rungs["shift"].shape == (5, 1)
    assert trace.rungs["shift"].max() < 1e-14
    assert not trace.rungs["flip"].any()
    assert not trace.rungs["input_rms"].any()
