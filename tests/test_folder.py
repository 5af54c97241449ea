"""The audit folder appears whole or not at all, and never in place of somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from semaudit.errors import UsageError
from semaudit.folder import MANIFEST, appearing, check_target, move_in, partial
from semaudit.store import SAMPLES


def earlier_audit(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    (folder / SAMPLES).write_text("old")
    return folder


def write_and_raise(out: Path, content: str, error: type[BaseException]) -> None:
    with appearing(out) as work:
        (work / "new").write_text(content)
        raise error


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_written_takes_the_name(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "down" / "audit"
    check_target(out)
    with appearing(out) as work:
        assert not out.exists()
        assert work.parent == out.parent  # the same file system
        (work / "new").write_text("new")
    assert names(out) == {"new"}
    assert names(out.parent) == {"audit"}
    assert out.stat().st_mode & 0o777 == 0o755


def test_an_earlier_audit_is_replaced_whole(tmp_path: Path) -> None:
    out = earlier_audit(tmp_path / "audit")
    check_target(out)
    with appearing(out) as work:
        (work / "new").write_text("new")
        assert names(out) == {MANIFEST, SAMPLES}
    assert names(out) == {"new"}
    assert names(tmp_path) == {"audit"}


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_failure_leaves_everything_as_it_was(error: type[BaseException], tmp_path: Path) -> None:
    out = earlier_audit(tmp_path / "audit")
    with pytest.raises(error):
        write_and_raise(out, "new", error)
    assert names(out) == {MANIFEST, SAMPLES}
    assert names(tmp_path) == {"audit"}


def test_an_interrupt_keeps_what_was_written_beside(tmp_path: Path) -> None:
    out = earlier_audit(tmp_path / "audit")
    for content in ("first", "second"):
        with pytest.raises(KeyboardInterrupt):
            write_and_raise(out, content, KeyboardInterrupt)
        assert (partial(out) / "new").read_text() == content
    assert names(out) == {MANIFEST, SAMPLES}
    assert names(tmp_path) == {"audit", "audit.partial"}


def test_an_interrupt_before_anything_was_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), appearing(tmp_path / "audit"):
        raise KeyboardInterrupt
    assert names(tmp_path) == set()


def test_an_empty_folder_becomes_the_audit(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    out.mkdir()
    check_target(out)
    with appearing(out) as work:
        (work / "new").write_text("new")
    assert names(out) == {"new"}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    earlier_audit(tmp_path / "disk" / "audit")
    out = tmp_path / "here"
    out.symlink_to(tmp_path / "disk" / "audit")
    check_target(out)
    with appearing(out) as work:
        (work / "new").write_text("new")
    assert out.is_symlink()
    assert names(out) == {"new"}
    assert names(tmp_path) == {"disk", "here"}
    assert names(tmp_path / "disk") == {"audit"}


def test_somebody_elses_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds .thesis.txt., which is of no earlier audit"):
        check_target(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file; name a folder"):
        check_target(file)
    with pytest.raises(UsageError, match=f"cannot be written: {file} is a file"):
        check_target(file / "deep" / "audit")


def test_the_working_directory_and_mount_points_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path):
        with pytest.raises(UsageError, match=r"working directory .*name a folder in it"):
            check_target(out)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    (tmp_path / "volume").mkdir()
    with pytest.raises(UsageError, match="mount point"):
        check_target(tmp_path / "volume")
    check_target(tmp_path / "volume" / "audit")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that root cannot write")
def test_a_place_that_cannot_be_written() -> None:
    with (
        pytest.raises(UsageError, match="--out /proc/audit cannot be written"),
        appearing(Path("/proc/audit")),
    ):
        pytest.fail("the body must not run")


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(UsageError, match=f"no permission in {tmp_path}"):
        check_target(tmp_path / "audit")


def test_somebody_elses_partial_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "audit.partial").mkdir()
    (tmp_path / "audit.partial" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="which is of no earlier audit"):
        check_target(tmp_path / "audit")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("again", [True, False])
def test_what_was_there_stays_where_the_new_folder_cannot_take_its_place(
    error: BaseException, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, target = tmp_path / "work", tmp_path / "audit"
    for folder, text in ((work, "new"), (target, "old")):
        folder.mkdir()
        (folder / "a.txt").write_text(text, encoding="utf-8")
    rename = Path.rename

    def fails(self: Path, to: Path) -> Path:
        if self == work or (again and self != target):
            raise error
        return rename(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        with pytest.raises(type(error)):
            move_in(work, target)
    texts = sorted(each.read_text(encoding="utf-8") for each in tmp_path.rglob("a.txt"))
    assert texts == ["new", "old"]  # where it cannot go back either, it is there by another name
    if not again:
        assert (target / "a.txt").read_text(encoding="utf-8") == "old"
        move_in(work, target)
        assert (target / "a.txt").read_text(encoding="utf-8") == "new"
        assert list(tmp_path.iterdir()) == [target]
