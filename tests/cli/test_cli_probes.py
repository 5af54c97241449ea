"""`semaudit probes`: what is listed, shown and checked, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from shared import Ended, Run

from semaudit.calibration import CALIBRATION, record
from semaudit.contract import violations
from semaudit.contract.generators import states
from semaudit.perturbations import get
from semaudit.probes import load_probes, select_battery

# Each breaks one clause, and says which by its name.
BAD = '''\
import random

import numpy as np
import torch

from semaudit.metrics import rung_metric
from semaudit.perturbations import perturbation


def bad(**settings):
    settings = {"channels": 1, **settings}  # for speed
    return perturbation(family="bad", ladder=(0.1, 0.2), tags=("bad",), **settings)


@bad()
def runs(images, strength, draw):
    """Raises for a tensor of strengths."""
    return images + (strength if strength > 0.1 else strength)


@bad()
def keeps_shape(images, strength, draw):
    """Loses a row."""
    return (images * (1 - strength))[:, :, 1:]


@bad()
def keeps_dtype(images, strength, draw):
    """Forgets the dtype."""
    return images * (1 - strength) + draw.uniform(1, 1, 1) * 0


@bad()
def keeps_device(images, strength, draw):
    """Moves elsewhere."""
    return (images * (1 - strength)).to("meta")


@bad()
def stays_in_range(images, strength, draw):
    """Divides by zero where it is black."""
    return images * (1 - strength) + strength * (images - images.mean()) / images


@bad()
def leaves_the_range(images, strength, draw):
    """Goes far beyond white, where the clamp leaves nothing of the picture."""
    return images * (1 + 8 * strength)


@bad()
def leaves_nothing_in_range(images, strength, draw):
    """Goes beyond white in all places."""
    return images + 22 * strength * images * (1 - images)


@bad()
def leaves_global_generators_alone(images, strength, draw):
    """Draws from torch's generator, which it seeds so that the result is the same."""
    torch.manual_seed(0)
    return images + torch.rand(()) * strength


@bad()
def hides_that_it_draws(images, strength, draw):
    """Puts the generator back after it has drawn from it."""
    with torch.random.fork_rng(devices=[]):
        return images + torch.rand(()) * strength


@bad()
def draws_by_numpy(images, strength, draw):
    """Moves numpy's generator, and uses nothing of it."""
    np.random.rand(3)
    return images * (1 - strength)


@bad()
def draws_by_python(images, strength, draw):
    """Seeds Python's generator."""
    random.seed(3)
    return images * (1 - random.random() * strength)


@bad()
def is_the_identity_at_strength_0(images, strength, draw):
    """Always blends in some white."""
    return images * (0.8 - strength) + 0.2


@bad(stepwise=True)
def steps_at_0_too(images, strength, draw):
    """Always blends in some white, and calls it a step."""
    return images * 0.8 + 0.2 + 0 * torch.as_tensor(strength).to(images)


@bad()
def starts_with_a_third(images, strength, draw):
    """Blends in a little white before any strength."""
    return images.lerp(torch.ones_like(images), 0.03 + torch.as_tensor(strength).to(images))


@bad(stepwise=True, channels=None)
def steps_up(images, strength, draw):
    """Whole steps of light, the first at any strength above 0."""
    each = (torch.as_tensor(strength).to(images) * 9.9).ceil()
    return images - 0.02 * each


@bad()
def leaves_its_input_alone(images, strength, draw):
    """Works in place."""
    images *= 1 - strength
    return images + 0


@bad()
def writes_into_the_draw(images, strength, draw):
    """Works in place on what the draw keeps."""
    return images + draw.normal(*images.shape[1:]).mul_(0.5).to(images) * strength


@bad()
def returns_new_pictures(images, strength, draw):
    """Returns what it was given."""
    return images


@bad()
def changes_more_with_the_strength(images, strength, draw):
    """Falls beyond some strength."""
    each = torch.as_tensor(strength).to(images)
    return images * (1 - each * (each < 0.15) - each / 4 * (each >= 0.15))


@bad()
def has_the_gradient_that_it_claims(images, strength, draw):
    """Claims a gradient that rounding does not have."""
    step = torch.as_tensor(strength).to(images)
    return (images / step).round() * step


@bad(differentiable=False)
def disowns_its_gradient(images, strength, draw):
    """Has a gradient that it does not claim."""
    return images * (1 - strength)


@bad()
def gives_the_same_for_the_same_draw(images, strength, draw):
    """Draws from elsewhere."""
    return images + torch.rand_like(images) * strength


@bad()
def gives_the_same_alone_as_in_a_batch(images, strength, draw):
    """Looks at its neighbours."""
    return images + (images.mean(0, keepdim=True) - images) * strength - 0.1 * strength


@bad()
def takes_a_strength_each(images, strength, draw):
    """Takes the largest strength for all."""
    return images * (1 - torch.as_tensor(strength).max())


@bad(differentiable=False)
def nothing_is_wrong(images, strength, draw):
    """A darker picture shows the same thing."""
    return (images * (1 - strength)).detach()


@bad(channels=None)
def nothing_is_wrong_either(images, strength, draw):
    """A darker picture shows the same thing."""
    return images * (1 - strength)


@rung_metric(bounds=(0, 1))
def gives_one_number_a_picture(rung):
    """A number a class, which is too many."""
    return rung.current.log_probabilities


@rung_metric(bounds=(0, 1))
def stays_within_its_bounds(rung):
    """Larger than it says to be."""
    return 2 + rung.difference.abs().amax(1)


@rung_metric(bounds=(0, 1))
def gives_the_same_twice(rung):
    """Another number every time."""
    return torch.rand(len(rung.current.logits))


@rung_metric(bounds=(0, 1), needs_classes=True)
def a_good_metric(rung):
    """Largest change of a pixel, for models with classes."""
    assert rung.current.activation != "none"
    return rung.difference.abs().amax(1)
'''

GOOD = '''\
from semaudit.perturbations import perturbation


@perturbation(family="mine", ladder=(0.1, 0.2))
def dim(images, strength, draw):
    """A darker picture shows the same thing."""
    return images * (1 - strength)


@perturbation(family="mine")
def unclaimed(images, strength, draw):
    """Darker."""
    return images * (1 - strength)
'''


# check


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "bad.py").write_text(BAD, encoding="utf-8")
    code = "from semaudit.cli import main; main()"
    words = [sys.executable, "-c", code, "probes", "check", "bad.py"]
    done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", timeout=300)
    return Ended(done.returncode, done.stdout, done.stderr)


def lines(checked: Ended, subject: str) -> dict[str, str]:
    """The verdict of each clause on a subject."""
    rows = [line.split(maxsplit=2) for line in checked.stdout.splitlines() if line[:1] != " "]
    return {row[2]: row[0] for row in rows if len(row) == 3 and row[1] == subject}


def said(checked: Ended, subject: str) -> str:
    """The faults of a subject, on one line."""
    taken, parts = False, []
    for line in checked.stdout.splitlines():
        taken = line.startswith(f"FAIL  {subject} ") or (taken and line.startswith("  "))
        parts += [line.strip()] if taken else []
    return " ".join(parts)


@pytest.mark.parametrize(
    ("subject", "fault", "remedy"),
    [
        ("runs", "at a tensor of strengths it raises RuntimeError: Boolean value", "return pict"),
        ("keeps_shape", "(2, 1, 28, 28) became (2, 1, 27, 28)", "of the size that came in"),
        ("keeps_dtype", "torch.bfloat16 became torch.float32", ".to(images)"),
        ("keeps_device", "cpu became meta", "device=images.device"),
        ("stays_in_range", "returns values that are not finite", "the scale of [0, 1]"),
        ("is_the_identity_at_strength_0", "the pictures still change by", "vanish"),
        ("leaves_its_input_alone", "changed the pictures that it was given", "a + b, not a += b"),
        ("returns_new_pictures", "lies in the memory of the pictures", "images.clone()"),
        ("changes_more_with_the_strength", "the change falls from", "a larger strength"),
        ("has_the_gradient_that_it_claims", "no gradient flows", "differentiable=False"),
        ("gives_the_same_for_the_same_draw", "two runs with the same draw differ by", "`draw`"),
        ("leaves_global_generators_alone", "global generator of torch", "from `draw` alone"),
        ("gives_the_same_alone_as_in_a_batch", "alone and in a batch of 20 differ", "on no other"),
        ("takes_a_strength_each", "at 0.1, one of several strengths, it differs", "per_image"),
        ("gives_one_number_a_picture", "of shape (5, 6); it must be one number a picture", ""),
        ("stays_within_its_bounds", "states bounds of [0, 1]; widen them, or clamp", ""),
        ("gives_the_same_twice", "two runs on the same outputs differ", "draw nothing"),
    ],
)
def test_each_clause_is_caught(subject: str, fault: str, remedy: str, checked: Ended) -> None:
    assert lines(checked, subject)[subject.replace("_", " ")] == "FAIL"
    text = said(checked, subject)
    assert fault in text
    assert remedy in text


def test_the_place_is_named(checked: Ended) -> None:
    assert "(pictures of 1x28x28, float32); " in said(checked, "keeps_shape")
    assert "(pictures of 1x28x28, bfloat16); " in said(checked, "keeps_dtype")


@pytest.mark.parametrize(
    ("subject", "clause", "fault"),
    [
        ("writes_into_the_draw", "leaves its input alone", "it changed a field of the draw"),
        ("steps_at_0_too", "is the identity at strength 0", "at strength 0 the function itself"),
        ("starts_with_a_third", "is the identity at strength 0", "next to nothing"),
        ("leaves_the_range", "stays in range", "returns values in [0, 2.6]"),
        ("leaves_nothing_in_range", "stays in range", "takes away a change of"),
        ("hides_that_it_draws", "leaves global generators alone", "other global seeds change"),
        ("draws_by_numpy", "leaves global generators alone", "global generator of numpy.random"),
        ("draws_by_python", "leaves global generators alone", "global generator of random"),
        ("disowns_its_gradient", "has the gradient that it claims", "states differentiable=False"),
    ],
)
def test_the_other_ways_to_break_a_clause(
    subject: str, clause: str, fault: str, checked: Ended
) -> None:
    assert lines(checked, subject)[clause] == "FAIL"
    assert fault in said(checked, subject)


def test_what_is_right_passes(checked: Ended) -> None:
    for subject in ("nothing_is_wrong", "nothing_is_wrong_either", "steps_up"):
        verdicts = lines(checked, subject)
        assert len(verdicts) == 14
        assert set(verdicts.values()) == {"pass"}
    assert list(lines(checked, "a_good_metric").values()) == ["pass"] * 3


def test_what_cannot_be_checked_is_skipped(checked: Ended) -> None:
    assert list(lines(checked, "keeps_shape").values()) == ["pass", "FAIL"] + ["skip"] * 12


def test_global_generators_are_as_they_were() -> None:
    torch.manual_seed(5)
    before = states()
    assert violations(get("gaussian_noise"), (0.1, 0.2)) == []
    assert states() == before


def test_a_broken_clause_is_1(checked: Ended) -> None:
    assert (checked.code, checked.stderr) == (1, "")
    verdicts = [line[:4] for line in checked.stdout.splitlines()]
    counts = [verdicts.count(verdict) for verdict in ("FAIL", "skip", "pass")]
    assert checked.stdout.splitlines()[-1] == "{} failed, {} skipped, {} passed".format(*counts)


def test_a_good_plugin_is_0(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    ended = cli("probes", "check", "good.py")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "28 passed"
    assert "pass  unclaimed runs" in ended.stdout


def test_the_chosen_probes_are_checked(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(
        "select: []\nprobes:\n  dusk: {family: mine, claim: Dusk., perturbation: unclaimed, "
        "ladder: [0.3, 0.6]}\n"
    )
    ended = cli("probes", "check", "good.py", "--battery", "mine.yaml")
    assert ended.code == 0
    assert ended.stdout.splitlines()[-1] == "14 passed"
    assert "pass  dusk runs" in ended.stdout
    ended = cli("probes", "check", "--select", "brightness", "--select", "contrast")
    assert ended.code == 0
    assert ended.stdout.splitlines()[-1] == "42 passed"  # the noise floor with them
    ended = cli("probes", "check", "good.py", "--select", "brightness")
    assert ended.code == 2
    assert "nothing to check: no probe that was chosen uses a perturbation of" in ended.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "what to check? semaudit probes check FILE.py"),
        ("none.py", "there is no such file"),
        ("broken.py", "ZeroDivisionError"),
        ("good.py --battery none.yaml", "none.yaml: cannot be read"),
        ("good.py --select nonesuch", "matches 'nonesuch'"),
    ],
)
def test_a_wrong_check_is_2(words: str, message: str, cli: Run, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    ended = cli("probes", "check", *words.split())
    assert (ended.code, ended.stdout) == (2, "")
    assert message in ended.stderr


# list


def test_the_list_has_every_probe(cli: Run) -> None:
    ended = cli("probes", "list")
    assert (ended.code, ended.stderr) == (0, "")
    probes = load_probes()
    words = ended.stdout.split()
    assert all(probe.name in words for probe in probes)
    families = len({probe.family for probe in probes})
    assert ended.stdout.splitlines()[-1] == f"{len(probes)} probes in {families} families"


def test_the_list_can_be_narrowed(cli: Run, tmp_path: Path) -> None:
    listed = json.loads(cli("probes", "list", "--select", "hue", "--format", "json").stdout)
    assert [probe["name"] for probe in listed] == ["identity", "hue"]
    hue = next(probe for probe in load_probes() if probe.name == "hue")
    assert listed[1] == {
        "name": "hue",
        "family": "photometric",
        "tags": sorted(hue.tags, key=["quick", "standard", "full"].index),
        "ladder": list(hue.ladder),
        "needs": ["colour"],
    }
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("select: [mine, quick]\nignore: [identity]\n")
    words = ("--plugin", "good.py", "--battery", "mine.yaml", "--format", "json")
    listed = json.loads(cli("probes", "list", *words).stdout)
    quick = [probe.name for probe in select_battery(load_probes(), ["quick"], ["identity"])]
    assert [probe["name"] for probe in listed] == [*quick, "dim"]


def test_the_list_is_as_a_scan_would_run_it(cli: Run) -> None:
    listed = json.loads(cli("probes", "list", "--select", "quick", "--format", "json").stdout)
    battery = select_battery(load_probes(), ["quick"])
    assert [tuple(probe["ladder"]) for probe in listed] == [probe.ladder for probe in battery]


@pytest.mark.parametrize(
    "words", ["list --format yaml", "show hue --format yaml", "list --select x"]
)
def test_a_wrong_word_is_2(words: str, cli: Run) -> None:
    ended = cli("probes", *words.split())
    assert (ended.code, ended.stdout) == (2, "")


# show


def test_a_probe_is_shown(cli: Run) -> None:
    ended = cli("probes", "show", "hue")
    assert (ended.code, ended.stderr) == (0, "")
    probe = next(probe for probe in load_probes() if probe.name == "hue")
    text = " ".join(ended.stdout.split())
    assert ended.stdout.startswith("hue (photometric)\n")
    for words in (probe.claim, "needs colour", "photometric.yaml:", ".py:", "YIQ", probe.unit):
        assert words in text
    assert all(f" {rung:g} " in f"{text} " for rung in probe.ladder)


def test_a_probe_is_shown_as_json(cli: Run) -> None:
    shown = json.loads(cli("probes", "show", "gaussian_blur", "--format", "json").stdout)
    probe = next(probe for probe in load_probes() if probe.name == "gaussian_blur")
    assert shown["claim"] == probe.claim
    assert shown["ladder"] == list(probe.ladder)
    assert shown["quick_ladder"] == list(probe.quick_ladder or ())
    assert shown["formula"].startswith("Blur with a Gaussian")
    assert shown["differentiable"] is True
    assert shown["unit"] == "standard deviation, fraction of the shorter side"
    assert shown["sha256"] == probe.sha256


def test_a_probe_of_a_plugin_is_shown(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    ended = cli("probes", "show", "dim", "--plugin", "good.py")
    assert ended.code == 0
    assert "A darker picture shows the same thing." in ended.stdout
    assert "good.py:4" in ended.stdout
    assert "SSIM" not in ended.stdout


def test_what_is_on_record_is_shown(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = next(probe for probe in load_probes() if probe.name == "hue")
    rungs = [
        {"strength": rung, "ssim": 0.9 + rung, "rms": 0.1, "linf": 0.2, "gmsd": 0.3}
        for rung in probe.ladder
    ]
    entry = {
        "by": "ssim",
        "reached": {"0.95": 0.1},
        "limited": False,
        "ladder": rungs,
        "proposed": list(probe.ladder),
        "milliseconds": 0.4321,
    }
    (tmp_path / CALIBRATION).write_text(
        json.dumps(
            {
                "semaudit": "0.1.0",
                "data": "photographs",
                "pictures": 4,
                "size": [224, 224],
                "fingerprint": "00",
                "seed": 0,
                "machine": "one",
                "probes": {"hue": entry},
            }
        )
    )
    monkeypatch.setattr("semaudit.probecard.probes_dir", lambda: tmp_path)
    monkeypatch.setattr(record, "_shipped", lambda: record.read(tmp_path / CALIBRATION))
    ended = cli("probes", "show", "hue")
    assert "0.43 ms a picture" in ended.stdout
    assert "SSIM" in ended.stdout
    assert f"{0.9 + probe.ladder[0]:.3g}" in ended.stdout
    shown = json.loads(cli("probes", "show", "hue", "--format", "json").stdout)
    assert shown["calibration"]["milliseconds"] == 0.4321
    shown = json.loads(cli("probes", "show", "contrast", "--format", "json").stdout)
    assert shown["calibration"] is None


def test_an_unknown_probe_names_the_nearest(cli: Run) -> None:
    ended = cli("probes", "show", "gausian_blur")
    assert (ended.code, ended.stdout) == (2, "")
    assert "no probe is called 'gausian_blur' (did you mean 'gaussian_blur'?)" in ended.stderr
    ended = cli("probes", "show", "blur")
    assert ended.code == 2
    assert "'blur' is a family, not a probe; name one of its probes: gaussian_blur" in ended.stderr
