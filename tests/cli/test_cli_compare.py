"""`semaudit compare`: two audits from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from shared import ARCH, Run, importing

import semaudit
from semaudit.comparing import Comparison
from semaudit.comparing.words import IDENTICAL


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    """The checkpoint with its weights a little moved."""
    import torch

    generator = torch.Generator().manual_seed(1)
    weights = torch.load(checkpoint, weights_only=True)
    moved = {
        name: each + 0.05 * each.std() * torch.randn(each.shape, generator=generator)
        if each.ndim > 1
        else each
        for name, each in weights.items()
    }
    path = tmp_path_factory.mktemp("retrained") / "retrained.pt"
    torch.save(moved, path)
    return path


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, retrained: Path, pictures: Path) -> Path:
    """An audit of the retrained checkpoint as `audited` is of the first; not to be changed."""
    out = tmp_path_factory.mktemp("tuned") / "audit"
    settings = {"arch": ARCH, "img_size": 32, "select": "quick", "device": "cpu"}
    semaudit.scan(retrained, pictures, out=out, **settings)
    return out


def test_the_table(cli: Run, audited: Path, tuned: Path) -> None:
    ended = cli("compare", str(audited), str(tuned))
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("semaudit compare: tiny.pt before, retrained.pt after")
    assert str(tuned) in ended.stdout.replace("\n", "")
    assert "McNemar's exact test" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("shift ")


def test_json_is_what_python_gives(cli: Run, audited: Path, tuned: Path) -> None:
    ended = cli("compare", str(audited), str(tuned), "--format", "json", "--seen", "noise,blur")
    assert (ended.code, ended.stderr) == (0, "")
    found = semaudit.compare(str(audited), tuned, seen={"blur", "noise"})
    assert Comparison.model_validate(json.loads(ended.stdout)) == found
    assert found.seen == ["blur", "noise"]
    assert not found.identical


def test_markdown(cli: Run, audited: Path, tuned: Path) -> None:
    ended = cli("compare", str(audited), str(tuned), "--format", "markdown")
    assert ended.code == 0
    assert ended.stdout.startswith("# semaudit compare: tiny.pt before")


def test_an_audit_and_itself(cli: Run, audited: Path) -> None:
    ended = cli("compare", str(audited), str(audited))
    assert (ended.code, ended.stdout.splitlines()[-1]) == (0, IDENTICAL)


def test_files_by_their_ending(cli: Run, audited: Path, tuned: Path, tmp_path: Path) -> None:
    outs = ["-o", "a.json", "-o", "a.md", "--out", "a.txt", "--curves", "a.png"]
    ended = cli("compare", str(audited), str(tuned), *outs, "--quiet")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    found = semaudit.compare(audited, tuned)
    assert Comparison.model_validate_json((tmp_path / "a.json").read_text()) == found
    markdown = cli("compare", str(audited), str(tuned), "--format", "markdown").stdout
    assert (tmp_path / "a.md").read_text() == markdown
    assert "fell : rose" in (tmp_path / "a.txt").read_text()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.jsn"], "'.jsn' says no format (did you mean '.json'?): one of .json, .md, .txt"),
        (["-o", "a.png"], "curves are drawn by --curves a.png"),
        (["--curves", "a.json"], "--curves a.json: name a picture (.png, .svg, .pdf)"),
        (["-o", "a.md", "-o", "./a.md"], "is named twice"),
        (["-o", "no/a.md"], "there is no folder no"),
        (["--format", "jsn"], "--format 'jsn' (did you mean 'json'?)"),
        (["--seen", "nois"], "'nois' (did you mean 'noise'?)"),
    ],
)
def test_a_wrong_command_line(
    words: list[str], said: str, cli: Run, audited: Path, tuned: Path, tmp_path: Path
) -> None:
    ended = cli("compare", str(audited), str(tuned), "-o", "good.md", *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["-o", "--curves"])
def test_files_never_lie_in_an_audit(cli: Run, audited: Path, tuned: Path, flag: str) -> None:
    inside = tuned / ("report.json" if flag == "-o" else "curves.png")
    before = inside.read_bytes() if inside.exists() else None
    ended = cli("compare", str(audited), str(tuned), flag, str(inside))
    assert ended.code == 2
    assert "would lie in the audit" in ended.stderr
    assert (inside.read_bytes() if inside.exists() else None) == before


def test_audits_that_cannot_be_compared(
    cli: Run, audited: Path, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = {"arch": ARCH, "img_size": 32, "select": "brightness", "device": "cpu", "seed": 5}
    semaudit.scan(checkpoint, pictures, out=tmp_path / "other", **settings)
    out = ["-o", "a.md", "--curves", "a.png"]
    ended = cli("compare", str(audited), str(tmp_path / "other"), *out)
    assert (ended.code, ended.stdout) == (3, "")
    assert "seed: 0 and 5" in ended.stderr
    assert "only in" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["other"]


def test_no_audit(cli: Run, audited: Path) -> None:
    ended = cli("compare", str(audited), "nowhere")
    assert (ended.code, ended.stdout) == (3, "")
    assert "there is no audit nowhere: no such file or folder" in ended.stderr


def test_curves_need_matplotlib(
    cli: Run, audited: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else real(name)
    )
    ended = cli("compare", str(audited), str(tuned), "--curves", "a.png")
    assert (ended.code, "semaudit[plots]" in ended.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_neither_torch_nor_pandas_is_needed(process: Run, audited: Path, tuned: Path) -> None:
    words = ("compare", str(audited), str(tuned), "--curves", "a.png")
    ended = importing(process, words, ("torch", "timm", "pandas", "scipy.stats"))
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "imported:"
