"""Contact sheets: what is on them, what they are called, and what cannot be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from shared import Run
from skimage.metrics import structural_similarity

from semaudit.errors import ImageError, UsageError
from semaudit.perturbations import Draw, get
from semaudit.preview import GAP, LINE, open_picture, pages, sheets
from semaudit.probes import Probe, load_probes, select_battery

PROBES = {probe.name: probe for probe in load_probes()}
SMALL = ("--size", "64")

ODD = '''\
from semaudit import perturbation


@perturbation(family="../mine and / yours", ladder=(0.1, 0.2))
def fog(images, strength, draw):
    """Blends toward white."""
    return images + strength * (1 - images)
'''


def scene(side: int = 64) -> torch.Tensor:
    coarse = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    """A colour picture, and its name in the folder where the command line runs."""
    values = scene(80)[0].mul(255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(values).save(tmp_path / "cat.png")
    return "cat.png"


def cell(sheet: Image.Image, row: int, column: int, side: int) -> np.ndarray:
    """The pixels of one picture on a sheet, by its place in the layout."""
    left = GAP + column * (max(side, 9 * LINE) + GAP)
    top = 2 * LINE + GAP + row * (side + 2 * LINE + 2 * GAP) + LINE + 2
    return np.asarray(sheet)[top : top + side, left : left + side]


# What is on a sheet.


def test_every_rung_is_where_it_should_be() -> None:
    image, battery = scene(), [PROBES["gaussian_noise"], PROBES["speckle_noise"]]
    ((family, sheet),) = sheets([PROBES["identity"], *battery], image, "cat.png", seed=4)
    assert family == "noise"
    clean = image[0].mul(255).round().byte().permute(1, 2, 0).numpy()
    for row, probe in enumerate(battery):
        np.testing.assert_array_equal(cell(sheet, row, 0, 64), clean)
        draw = Draw.of(4, probe.name, ["cat.png"])
        for column, strength in enumerate(probe.ladder, 1):
            changed = get(probe.perturbation)(image, strength, draw)[0]
            expected = changed.mul(255).round().byte().permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(cell(sheet, row, column, 64), expected)


def test_the_words_give_strength_and_ssim(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageDraw

    written: list[str] = []
    plain = ImageDraw.ImageDraw.text

    def spy(self: ImageDraw.ImageDraw, place: tuple[int, int], text: str, **more: object) -> None:
        written.append(text)
        plain(self, place, text, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    image, probe = scene(), replace(PROBES["contrast"], ladder=(0.125, 0.3))
    list(sheets([probe], image, "cat.png"))
    draw = Draw.of(0, "contrast", ["cat.png"])
    words = []
    for strength in probe.ladder:
        changed = get("contrast")(image, strength, draw)[0].double().numpy()
        alike = structural_similarity(
            image[0].double().numpy(), changed, data_range=1, channel_axis=0
        )
        words.append(f"{strength:g}   SSIM {alike:.3f}")
    unit = "strength: fraction of the distance from the mean"
    assert probe.unit == unit.removeprefix("strength: ")
    assert written == ["photometric", "cat.png", "contrast", unit, "clean", *words]


def test_words_from_outside_are_whole_on_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    image, probe = scene(), replace(PROBES["contrast"], ladder=(0.3,), unit="")
    ((_, plain),) = sheets([probe], image, "a")
    assert plain.width == GAP + 2 * (9 * LINE + GAP)
    for more in ({"unit": "the share of " + 5 * "something long, "}, {"unit": "\x1b[31m\n猫"}):
        ((_, sheet),) = sheets([replace(probe, **more)], image, "a")
        assert (np.asarray(sheet)[:, -GAP:] == 255).all()
    ((_, sheet),) = sheets([probe], image, 300 * "W")
    assert plain.width < sheet.width < 3000
    assert (np.asarray(sheet)[:, -GAP:] == 255).all()


def test_a_page_a_family_even_where_they_are_mixed() -> None:
    mixed = [PROBES[name] for name in ("contrast", "jpeg", "brightness", "identity")]
    assert [family for family, _ in sheets(mixed, scene(), "a")] == ["codec", "photometric"]


def test_a_sheet_is_as_large_as_its_longest_row() -> None:
    still, film = PROBES["rotation"], replace(PROBES["turn"], family="geometric")
    ((_, sheet),) = sheets([still, film], scene(), "a")
    assert sheet.width == GAP + 17 * (9 * LINE + GAP)
    assert (cell(sheet, 1, 16, 64) != 255).any()
    assert (cell(sheet, 0, 16, 64) == 255).all()


def test_a_picture_of_one_channel_is_shown_grey() -> None:
    ((_, sheet),) = sheets([PROBES["contrast"]], scene()[:, :1], "a")
    assert (np.ptp(cell(sheet, 0, 1, 64), axis=2) == 0).all()


# Pictures.


def test_the_middle_square_is_taken(tmp_path: Path) -> None:
    pixels = np.zeros((32, 96, 3), dtype=np.uint8)
    pixels[:, 32:64] = (255, 0, 128)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = open_picture(tmp_path / "wide.png", 32)
    assert found.shape == (1, 3, 32, 32)
    expected = torch.tensor([1, 0, 128 / 255]).view(1, 3, 1, 1).expand_as(found)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_other_modes_and_a_single_pixel(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("dot.tif" if mode in ("CMYK", "I;16") else "dot.png")
    Image.new(mode, (1, 1)).save(path)
    found = open_picture(path, 16)
    assert found.shape == (1, 3, 16, 16)
    assert float(found.amax() - found.amin()) < 1.01 / 255 or mode == "P"


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    for name, said in (("torn.jpg", "cannot be read"), ("no.jpg", "no such"), (".", "cannot")):
        with pytest.raises(ImageError, match=said):
            open_picture(tmp_path / name, 32)


# Names of pages.


def test_a_single_page_has_the_name_that_was_given() -> None:
    assert pages(Path("a/sheet.png"), ["blur"]) == {"blur": Path("a/sheet.png")}
    several = pages(Path("a/my.sheet.PNG"), ["blur", "noise"])
    assert several["noise"] == Path("a/my.sheet-noise.PNG")


def test_a_family_cannot_lead_elsewhere() -> None:
    found = pages(Path("a/sheet.png"), ["../up", "a/b", "c\0d", ""])
    assert {page.parent for page in found.values()} == {Path("a")}
    assert len(set(found.values())) == 4
    with pytest.raises(UsageError, match="differ too little"):
        pages(Path("sheet.png"), ["a/b", "a:b"])


# The command.


def test_a_page_a_family(cli: Run, photograph: str, tmp_path: Path) -> None:
    ended = cli("probes", "preview", photograph, "-o", "sheet.png", *SMALL, "--select", "quick")
    assert (ended.code, ended.stderr) == (0, "")
    families = {p.family for p in select_battery(load_probes(), ("quick",))} - {"identity"}
    expected = {f"sheet-{family}.png" for family in families}
    assert set(ended.stdout.split()) == expected
    assert {path.name for path in tmp_path.iterdir()} == expected | {photograph}
    for name in expected:
        with Image.open(tmp_path / name) as page:
            page.verify()
            assert page.format == "PNG"


def test_all_but_the_films_unless_they_are_chosen(
    cli: Run, photograph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Probe] = []

    def none(battery: tuple[Probe, ...], *_: object) -> list[object]:
        shown.extend(battery)
        return []

    monkeypatch.setattr("semaudit.preview.sheets", none)
    assert cli("probes", "preview", photograph, "-o", "sheet.png", *SMALL).code == 0
    assert {probe.name for probe in shown} == {
        probe.name
        for probe in load_probes()
        if probe.family not in ("identity", "sequence", "adversarial")
    }
    shown.clear()
    cli("probes", "preview", photograph, "-o", "sheet.png", *SMALL, "--select", "sequence")
    assert {probe.family for probe in shown} == {"sequence"}


def test_one_family_is_one_page(cli: Run, photograph: str, tmp_path: Path) -> None:
    words = ("probes", "preview", photograph, "-o", "sheet.PNG", *SMALL, "--select", "contrast")
    ended = cli(*words)
    assert (ended.code, ended.stdout) == (0, "sheet.PNG\n")
    before = (tmp_path / "sheet.PNG").read_bytes()
    assert cli(*words).code == 0
    assert (tmp_path / "sheet.PNG").read_bytes() == before
    seen = {before}
    for seed in range(1, 6):  # the sign is drawn
        assert cli(*words, "--seed", str(seed)).code == 0
        seen.add((tmp_path / "sheet.PNG").read_bytes())
    assert len(seen) == 2


def test_new_folders_are_made(
    cli: Run, photograph: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("-o", "some/new/sheet.png", *SMALL, "--select")
    for chosen, made in (
        ("contrast", {"sheet.png"}),
        ("hue,jpeg", {"sheet-codec.png", "sheet-photometric.png"}),
    ):
        ended = cli("probes", "preview", photograph, *words, chosen)
        assert (ended.code, ended.stderr) == (0, "")
        assert {*ended.stdout.split()} == {f"some/new/{name}" for name in made}
        assert {path.name for path in (tmp_path / "some/new").iterdir()} >= made

    def fail(*_: object) -> None:
        raise UsageError("no sheet today")

    monkeypatch.setattr("semaudit.preview.sheets", fail)
    assert cli("probes", "preview", photograph, "-o", "other/new/a.png", *SMALL).code == 2
    assert not (tmp_path / "other").exists()


def test_a_grey_picture(cli: Run, tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "grey.png")
    words = ("probes", "preview", "grey.png", "-o", "sheet.png", *SMALL)
    ended = cli(*words, "--select", "hue,contrast")
    assert (ended.code, ended.stderr) == (0, "")
    said = " ".join(ended.stdout.split())
    assert "nothing without colour, and the one picture that was looked at is grey: hue" in said
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 2 * LINE + GAP + 64 + 2 * LINE + 2 * GAP  # one row
    ended = cli(*words, "--select", "hue")
    assert (ended.code, ended.stdout) == (2, "")
    assert "the battery is empty" in ended.stderr


def test_a_plugins_family_is_no_path(cli: Run, photograph: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    before = {path.name for path in tmp_path.iterdir()}
    words = ("--plugin", "odd.py", "--select", "fog", "--select", "contrast", *SMALL)
    ended = cli("probes", "preview", photograph, "-o", "sheet.png", *words)
    assert (ended.code, ended.stderr) == (0, "")
    made = {path.name for path in tmp_path.iterdir()} - before
    assert made == {"sheet-photometric.png", "sheet-.._mine_and___yours.png"}


def test_a_name_that_is_no_text(cli: Run, photograph: str, tmp_path: Path) -> None:
    odd = tmp_path / "cat\udcff.png"
    try:
        (tmp_path / photograph).rename(odd)
    except OSError:
        pytest.skip("the file system takes only names that are text")
    words = ("-o", "sheet.png", "--select", "contrast", *SMALL)
    assert cli("probes", "preview", str(odd), *words).code == 0


def test_what_cannot_be_read_is_3(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n")
    for name in ("torn.png", "nowhere.png", "."):
        ended = cli("probes", "preview", name, "-o", "sheet.png")
        assert (ended.code, ended.stdout) == (3, "")
        assert name in ended.stderr
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o sheet.txt", "-o sheet.txt: name a PNG file"),
        ("-o sheet.jpg", "name a PNG file"),
        ("-o sheet", "name a PNG file"),
        ("-o .png", "name a PNG file"),
        ("-o cat.png/new/sheet.png", "cat.png is a file, and no folder can be made in it"),
        ("-o new/sheet.png --select contrst", "(did you mean 'contrast'?)"),
        ("-o sheet.png --size 0", "--size"),
        ("-o sheet.png --size 4", "--size"),
        ("-o sheet.png --size 9999", "--size"),
        ("-o sheet.png --select contrst", "(did you mean 'contrast'?)"),
        ("-o sheet.png --select identity", "nothing is chosen but the noise floor"),
        ("-o sheet.png --size 32 --select pixel_shift", "below 64 pixels a side (32 here)"),
        ("-o taken.png --select blur,noise", "taken-noise.png is a folder"),
        ("", "--out"),
    ],
)
def test_a_wrong_word_is_2(
    words: str, said: str, cli: Run, photograph: str, tmp_path: Path
) -> None:
    (tmp_path / "taken-noise.png").mkdir()
    ended = cli("probes", "preview", photograph, *words.split())
    assert (ended.code, ended.stdout) == (2, "")
    assert said in " ".join(ended.stderr.split())
    assert {path.name for path in tmp_path.iterdir()} == {photograph, "taken-noise.png"}
