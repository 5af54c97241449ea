"""The worst pictures, kept by a scan: which, at which cell, with what answers; and read back."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from known_models import ON_CPU, Linear, pictures
from PIL import Image
from shared import ARCH, Run

import semaudit
from semaudit import perturbations
from semaudit.errors import AuditError, UsageError
from semaudit.folder import PICTURES, check_target
from semaudit.layout import Layout, Track
from semaudit.perturbations import Draw
from semaudit.showcase import Index, read_index, read_picture
from semaudit.showcase.encoding import LONGEST, coloured, encoded
from semaudit.showcase.index import INDEX
from semaudit.showcase.keeper import Keeper
from semaudit.showcase.writing import DEFAULT

SIZE = (3, 16, 16)


def scan(out: Path, **settings: Any) -> semaudit.Audit:
    module, images = Linear(SIZE, 4, seed=3, scale=0.5), pictures(14, SIZE, seed=4)
    labels = torch.arange(14) % 4
    defaults: dict[str, Any] = {**ON_CPU, "select": "quick", "keep_pictures": 5, "out": out}
    return semaudit.scan(module, (images, labels), **{**defaults, **settings})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[semaudit.Audit, Index]:
    audit = scan(tmp_path_factory.mktemp("kept") / "audit")
    index = read_index(audit.folder)
    assert index is not None
    return audit, index


def test_the_keeper_holds_the_worst_whatever_the_batches() -> None:
    layout = Layout((Track("a", "f", (1.0, 2.0)), Track("b", "g", (1.0,))))
    rng = np.random.default_rng(0)
    shifts, images = rng.random((40, 3)), torch.arange(40.0)[:, None, None, None]
    means = (shifts[:, :2].mean(1) + shifts[:, 2]) / 2
    ids = [f"{k}" for k in range(40)]
    for size in (1, 7, 40):
        keeper = Keeper(6, layout)
        for k in range(0, 40, size):
            keeper.see(images[k : k + size], ids[k : k + size], shifts[k : k + size])
        assert {int(each.item()) for each in keeper.held.values()} == set(
            np.argsort(-means)[:6].tolist()
        )
    nothing = Keeper(0, layout)
    nothing.see(images, ids, shifts)
    assert nothing.held == {}


def test_it_holds_its_own_copy() -> None:
    images = torch.zeros(2, 1, 2, 2)
    keeper = Keeper(2, Layout((Track("a", "f", (1.0,)),)))
    keeper.see(images, ["a", "b"], np.zeros((2, 1)))
    images += 1
    assert all(float(each.max()) == 0 for each in keeper.held.values())


def test_they_are_the_reports_worst_at_its_worst_cells(
    kept: tuple[semaudit.Audit, Index],
) -> None:
    audit, index = kept
    assert len(index.pictures) == 5
    for each, worst in zip(index.pictures, audit.report.worst, strict=False):
        assert (each.image, each.probe, each.strength) == (worst.image, worst.probe, worst.strength)
        assert (each.shift, each.cell_shift) == (worst.shift, worst.cell_shift)
        assert (each.label, each.clean_class) == (worst.label, worst.clean_class)
        assert each.clean.names == [worst.clean_name]
        assert each.changed.names == [worst.to_name]
        assert each.clean.probability == pytest.approx(worst.confidence, rel=1e-5)


def test_the_files_show_what_the_scan_saw(kept: tuple[semaudit.Audit, Index]) -> None:
    audit, index = kept
    images = pictures(14, SIZE, seed=4)
    for each in index.pictures:
        assert each.files.keys() == {
            *("clean", "changed", "difference", "saliency_clean", "saliency_changed")
        }
        row = int(each.image)
        probe = next(p for p in audit.report.battery if p.name == each.probe)
        draw = Draw.of(audit.report.seed, each.probe, [each.image])
        clean = images[row : row + 1]
        changed = perturbations.get(probe.perturbation)(clean, each.strength, draw)
        for role, expected in (("clean", clean), ("changed", changed)):
            file = each.files[role]  # type: ignore[index]
            pixels = np.asarray(Image.open(BytesIO(read_picture(audit.folder, file))))
            wanted = (expected[0].permute(1, 2, 0).numpy() * 255).round()
            assert np.abs(pixels - wanted).max() <= 1
            assert (file.width, file.height) == (16, 16)


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"gradients": False}, "measured no gradients"), ({"activation": "none"}, "an embedding")],
)
def test_without_gradients_there_is_no_saliency(
    settings: dict[str, Any], why: str, tmp_path: Path
) -> None:
    index = read_index(scan(tmp_path / "audit", **settings).folder)
    assert index is not None
    assert why in index.notes[0]
    assert all(not any("saliency" in role for role in each.files) for each in index.pictures)


def test_labels_are_told_by_all_that_hold(tmp_path: Path) -> None:
    index = read_index(scan(tmp_path / "audit", activation="sigmoid").folder)
    assert index is not None
    assert any(len(each.clean.names) != 1 for each in index.pictures)


def test_none_are_kept_of_a_quick_battery_unless_asked_for(tmp_path: Path) -> None:
    quick = scan(tmp_path / "quick", keep_pictures=None)
    assert read_index(quick.folder) is None
    assert not (quick.folder / PICTURES).exists()
    assert read_index(scan(tmp_path / "zero", keep_pictures=0).folder) is None
    longer = scan(tmp_path / "longer", keep_pictures=None, select="standard", gradients=False)
    index = read_index(longer.folder)
    assert index is not None
    assert len(index.pictures) == DEFAULT


def test_only_worst_cases_leave_nothing_to_keep(tmp_path: Path) -> None:
    assert read_index(scan(tmp_path / "audit", select="worst_linf").folder) is None


def test_a_kept_folder_goes_with_its_audit(tmp_path: Path) -> None:
    out = scan(tmp_path / "audit").folder
    check_target(out)
    (out / PICTURES / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="pictures"):
        check_target(out)


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    out = scan(tmp_path / "audit", keep_pictures=1).folder
    index = read_index(out)
    assert index is not None
    file = index.pictures[0].files["clean"]
    (out / PICTURES / file.name).write_bytes(b"other")
    with pytest.raises(AuditError, match="its hash differs"):
        read_picture(out, file)
    (out / PICTURES / file.name).unlink()
    with pytest.raises(AuditError, match="cannot be read"):
        read_picture(out, file)
    text = (out / PICTURES / INDEX).read_text()
    (out / PICTURES / INDEX).write_text(text.replace(file.name, "../../secret.png"))
    with pytest.raises(AuditError, match=r"damaged at pictures\.0\.files\.clean\.name"):
        read_index(out)


def test_large_pictures_are_made_small() -> None:
    file, content = encoded(np.full((600, 1200, 3), 0.5), 7, "changed")
    assert (file.width, file.height) == (LONGEST, LONGEST // 2)
    assert file.name.startswith("007-changed.")
    assert len(content) < 2000


def test_the_colour_map_rises() -> None:
    grey = coloured(np.linspace(0, 1, 32)[None]) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey[0]) > 0).all()


def test_the_flag(cli: Run, checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    model = ("scan", str(checkpoint), "--arch", ARCH, "--img-size", "32", "--data", str(pictures))
    more = ("--select", "brightness", "--device", "cpu", "--quiet", "--out", "audit")
    assert cli(*model, *more, "--keep-pictures", "2").code == 0
    index = read_index(tmp_path / "audit")
    assert index is not None
    assert len(index.pictures) == 2
    refused = cli(*model, *more, "--keep-pictures", "-1")
    assert refused.code == 2
    assert "--keep-pictures" in refused.stderr
