"""Probes that mean nothing for the pictures at hand are left out, and a line says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from known_models import ON_CPU, Linear
from PIL import Image
from shared import ARCH, Run

import semaudit
from semaudit.applicability import Looked, applicable, count_grey, needs_colour
from semaudit.errors import ProbeError
from semaudit.perturbations import perturbation, registry
from semaudit.probes import Probe, load_probes, select_battery


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))


def battery(*select: str) -> tuple[Probe, ...]:
    return select_battery(load_probes(), select)


def names(probes: tuple[Probe, ...]) -> list[str]:
    return [probe.name for probe in probes]


def test_nothing_is_left_out_without_a_reason() -> None:
    chosen = battery("hue", "brightness")
    assert applicable(chosen, 3) == (chosen, ())
    assert applicable(chosen, 3, side=28, colour=Looked(20, 0)) == (chosen, ())


def test_another_number_of_channels() -> None:
    kept, notes = applicable(battery("hue", "brightness"), 1)
    assert names(kept) == ["identity", "brightness"]
    assert notes == ("left out, for they mean nothing for 1 channel(s): hue",)


def test_grey_pictures_in_three_channels() -> None:
    kept, notes = applicable(battery("hue", "saturation", "brightness"), 3, colour=Looked(20, 20))
    assert names(kept) == ["identity", "brightness"]
    (note,) = notes
    assert note.startswith(
        "left out, for they mean nothing without colour, and all 20 pictures that were looked at "
        "are grey: "
    )
    assert {"hue", "saturation"} == set(note.rpartition(": ")[2].split(", "))


def test_pictures_that_are_too_small() -> None:
    perturbation(family="mine", ladder=(0.1,), name="fine_print", smallest_side=64)(_words)
    chosen = battery("fine_print", "brightness")
    assert applicable(chosen, 3, side=64)[1] == ()
    kept, notes = applicable(chosen, 3, side=63)
    assert names(kept) == ["identity", "brightness"]
    assert notes == (
        "left out, for they mean nothing below 64 pixels a side (63 here): fine_print",
    )


def test_each_reason_has_a_line() -> None:
    perturbation(family="mine", ladder=(0.1,), name="fine_print", smallest_side=64)(_words)
    kept, notes = applicable(battery("fine_print", "hue", "brightness"), 1, side=28)
    assert names(kept) == ["identity", "brightness"]
    assert len(notes) == 2


def test_nothing_but_the_noise_floor_is_an_error() -> None:
    with pytest.raises(ProbeError, match=r"empty: left out, .*without colour.*: hue"):
        applicable(battery("hue"), 3, colour=Looked(20, 20))
    chosen = battery("identity")
    assert applicable(chosen, 3, colour=Looked(20, 20)) == (chosen, ())


def test_needs_colour() -> None:
    assert needs_colour(battery("hue"))
    assert not needs_colour(battery("brightness"))


def grey_scan(images: torch.Tensor, **settings: object) -> semaudit.Audit:
    size = tuple(images.shape[1:])
    return semaudit.scan(
        Linear(size, 4, seed=1),
        images,
        select=["hue", "brightness"],
        input_size=size,
        **ON_CPU,
        **settings,
    )


def test_a_scan_looks_for_colour() -> None:
    grey = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    audit = grey_scan(grey.contiguous())
    assert [probe.name for probe in audit.report.battery] == ["identity", "brightness"]
    (note,) = [note for note in audit.report.data.notes if "left out" in note]
    assert note.endswith("all 40 pictures that were looked at are grey: hue")

    one_of_the_first = grey.clone()
    one_of_the_first[20, 0, 3, 3] = 1 - one_of_the_first[20, 1, 3, 3].round()
    audit = grey_scan(one_of_the_first)
    assert [probe.name for probe in audit.report.battery] == ["identity", "brightness", "hue"]
    assert not [note for note in audit.report.data.notes if "left out" in note]
    (note,) = [note for note in audit.report.data.notes if "looked at" in note]
    assert note == (
        "39 of 40 pictures that were looked at are grey, of which claims on colour mean little; "
        "they count with the others under hue"
    )


def test_the_last_bit_of_lossy_compression_is_no_colour() -> None:
    grey = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).mul(0.9)
    nearly = torch.cat((grey, grey + 1 / 255, grey), 1)
    assert "hue" not in [probe.name for probe in grey_scan(nearly).report.battery]


def test_grey_pictures_on_disk(cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "grey"
    for picture in pictures.rglob("*.png"):
        target = folder / picture.parent.name / picture.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(picture).convert("L").convert("RGB").save(target)
    model = (str(checkpoint), "--arch", ARCH, "--img-size", "32", "--device", "cpu")
    ended = cli("scan", *model, "--data", str(folder), "--select", "hue,brightness")
    assert ended.code == 0
    assert "note: left out, for they mean nothing without colour" in ended.stdout
    ended = cli("scan", *model, "--data", str(folder), "--select", "hue")
    assert (ended.code, ended.stdout) == (2, "")
    assert "the battery is empty: left out, for they mean nothing without colour" in ended.stderr


def _words(images: torch.Tensor, *_: object) -> torch.Tensor:
    """Small letters do not change what the picture shows."""
    return images


def test_pictures_are_looked_at_all_over() -> None:
    """Not only at the first: a data set may begin with what is grey."""
    mixed = torch.rand(1000, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    mixed = mixed.repeat(1, 3, 1, 1)
    mixed[700:, 0] = 1 - mixed[700:, 0].round()
    audit = grey_scan(mixed)
    assert [probe.name for probe in audit.report.battery] == ["identity", "brightness", "hue"]
    (note,) = [note for note in audit.report.data.notes if "looked at" in note]
    assert note.startswith("44 of 63 pictures that were looked at are grey, ")


def test_pictures_without_colour_are_counted() -> None:
    images = torch.full((4, 3, 5, 5), 0.5)
    images[1, 0, 2, 3] += 2.5 / 255
    images[2, 2, 0, 0] += 1.5 / 255
    assert count_grey(images) == 3
    assert not Looked(0, 0).all_grey
