"""A baseline's file: small, the same each time, as good as the folder, and refused when damaged."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made import LAYOUT, made, measures

from semaudit import gates
from semaudit.baselines import judged, open_baseline, pair
from semaudit.baselines.contents import CHECKSUM, MEMBERS
from semaudit.baselines.saving import save
from semaudit.comparing.opening import opened
from semaudit.errors import AuditError, GateError, UsageError
from semaudit.gates.shipped import recorded_metrics
from semaudit.layout import Layout
from semaudit.probes import layout_of, load_probes, select_battery
from semaudit.report.document import Report

SMALL = 1_000_000
"""Bytes that a file of 1,000 pictures under the standard battery may have."""

LIMITS = (
    *("flip_rate<=baseline+0.1", "flip_rate[noise]<=baseline*1.5+0.01", "shift<=baseline"),
    *("shift[hiss@2]<=baseline*1.1", "shift[grain@0.4]>=baseline*0.9", "score>=baseline-2"),
    *("accuracy>=baseline-0.1", "noise_floor<=baseline+0.1", "onset[lamp]>=baseline-0.01"),
    *("jump<=baseline+0.05", "gradient_turn<=baseline+0.1", "entropy<=baseline*1.2"),
    *("curvature_gradient<=baseline*1.3", "flip_rate[worst_linf]<=baseline+0.2"),
    *("new_flips<=0.3", "new_flips[noise]<=0.05", "new_flips.p95<=0.5", "negative_flips<=0.2"),
    *("shift<=0.5", "logit_norm<=baseline+0.5"),
)


@pytest.fixture(scope="module")
def file(then: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("file") / "base.semaudit"
    save(then, out)
    return out


def report_of(now: Path, baseline: Path, *limits: str) -> Report:
    """The report of an audit as it is judged against a baseline."""
    found, read = opened(now), [gates.parse(text) for text in limits]
    metrics = recorded_metrics(found.report, [each.metric for each in read], now)
    bound = gates.bind(read, metrics, found.samples.layout, True, "softmax")
    pairing = pair(found, open_baseline(baseline), read)
    return judged(found.report, bound, found.samples, pairing)


def test_a_file_is_as_good_as_the_folder(now: Path, then: Path, file: Path) -> None:
    by_file, by_folder = (report_of(now, each, *LIMITS) for each in (file, then))
    assert by_file.verdicts == by_folder.verdicts
    assert {each.outcome.value for each in by_file.verdicts} == {"pass", "fail", "inconclusive"}
    assert all(each.value is not None for each in by_file.verdicts)
    assert by_file.baseline is not None
    assert by_folder.baseline is not None
    named = {"source": str(file)}
    assert by_file.baseline == by_folder.baseline.model_copy(update=named)


def test_a_model_has_no_difference_from_itself(then: Path, file: Path) -> None:
    paired = [text for text in LIMITS if "baseline" in text]
    for verdict in report_of(then, file, *paired).verdicts:
        assert verdict.against is not None
        if verdict.against.factor == 1:
            assert verdict.value == 0
        assert verdict.against.now == verdict.against.baseline


def test_what_is_rounded_is_near_what_is_not(now: Path, then: Path, file: Path) -> None:
    """To the digits shown of the tables' own figures."""
    found = opened(then)
    kept, whole = open_baseline(file).samples, found.samples
    for column in ("shift", "gradient_turn"):
        one, other = kept.rung(column), whole.rung(column)
        np.testing.assert_allclose(one, other, rtol=2**-11)
        np.testing.assert_allclose(one.mean(), other.mean(), rtol=2e-5)
    assert np.array_equal(kept.rung("flip"), whole.rung("flip"))
    assert np.array_equal(kept.image("label"), whole.image("label"))
    assert kept.image_ids() == whole.image_ids()


def standard() -> Layout:
    return layout_of(select_battery(load_probes(), ["standard"]))


def test_a_thousand_pictures_are_small(tmp_path: Path) -> None:
    layout, n = standard(), 1000
    found = measures(n, layout, 3, 0.1)
    # Gradients are looked at along the ladders of these alone.
    turned = [layout.tracks[t].family in ("noise", "blur", "photometric") for t, _ in layout.cells]
    for name in ("gradient_turn", "gradient_change", "gradient_lipschitz"):
        found.rungs[name][:, ~np.array(turned)] = np.nan
    ids = [f"n{i % 997:08d}/ILSVRC2012_val_{(i * 7919) % 50000:08d}.JPEG" for i in range(n)]
    made(tmp_path / "audit", n, layout=layout, measured=found, ids=ids)
    size = save(tmp_path / "audit", tmp_path / "base.semaudit")
    print(f"{len(layout.cells)} cells, {size:,} bytes")
    assert len(layout.cells) > 170
    assert size < SMALL
    more = save(tmp_path / "audit", tmp_path / "more.semaudit", ["logit_distance"])
    print(f"with logit_distance {more:,} bytes")
    assert size < more < size + 2.2 * n * len(layout.cells)


def test_the_same_audit_makes_the_same_file(then: Path, file: Path, tmp_path: Path) -> None:
    save(then, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_no_path_of_the_machine_is_in_it(then: Path, file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        assert tuple(archive.namelist()) == (*MEMBERS, CHECKSUM)
        for name in MEMBERS:
            assert str(then.parent).encode() not in archive.read(name)


# What it does not hold.


def test_a_limit_on_what_it_does_not_hold_says_so(now: Path, file: Path, then: Path) -> None:
    with pytest.raises(GateError, match=r"does not hold logit_distance; it holds .*accuracy") as no:
        report_of(now, file, "logit_distance<=baseline")
    assert "--metric logit_distance" in str(no.value)
    assert report_of(now, then, "logit_distance<=baseline").verdicts[0].value is not None
    # Without a baseline in the limit, nothing is asked of it.
    assert report_of(now, file, "logit_distance<=5").verdicts[0].value is not None


def test_one_more_metric_can_be_held(now: Path, then: Path, tmp_path: Path) -> None:
    save(then, tmp_path / "more", ["logit_distance"])
    by_file, by_folder = (
        report_of(now, each, "logit_distance<=baseline*1.1").verdicts
        for each in (tmp_path / "more", then)
    )
    assert by_file == by_folder


def test_a_metric_that_was_not_measured_cannot_be_held(then: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--metric logit_distnce.*did you mean 'logit_distance'"):
        save(then, tmp_path / "base", ["logit_distnce"])
    assert not list(tmp_path.iterdir())


# What cannot be read.


def refused(path: Path) -> str:
    with pytest.raises(AuditError) as error:
        open_baseline(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "no such file or folder" in refused(tmp_path / "base.semaudit")
    (tmp_path / "empty").mkdir()
    assert "is no audit" in refused(tmp_path / "empty")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_baseline(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(content)
    assert "is no baseline, or is damaged" in refused(tmp_path / "base")


def test_a_damaged_file_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    made(tmp_path / "audit", 12)
    save(tmp_path / "audit", tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    expected = open_baseline(tmp_path / "whole").samples.rung("shift")
    path = tmp_path / "base"
    rng = np.random.default_rng(0)
    for end in rng.integers(0, len(content), 40).tolist():
        path.write_bytes(content[:end])
        refused(path)
    for at in rng.integers(0, len(content), 300).tolist():
        changed = bytearray(content)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            found = open_baseline(path)
        except AuditError:
            continue
        assert np.array_equal(found.samples.rung("shift"), expected)


def rewritten(file: Path, to: Path, name: str, content: bytes | None) -> Path:
    """A copy with one member changed, or left out."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(to, "w") as copy:
        for member in archive.namelist():
            if member != name:
                copy.writestr(member, archive.read(member))
            elif content is not None:
                copy.writestr(member, content)
    return to


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_is_missing_or_wrong(name: str, file: Path, tmp_path: Path) -> None:
    assert "is no baseline" in refused(rewritten(file, tmp_path / "base", name, None))
    for content in (b"", b"\xff", b"[]", b"{}"):
        refused(rewritten(file, tmp_path / "base", name, content))


def test_tables_of_another_audit_are_refused(file: Path, tmp_path: Path) -> None:
    save(made(tmp_path / "audit", 30), tmp_path / "few")
    with zipfile.ZipFile(tmp_path / "few") as archive:
        table = archive.read("samples.parquet")
    message = refused(rewritten(file, tmp_path / "base", "samples.parquet", table))
    assert "its contents are not those of its checksum" in message
    mixed = rewritten(of_version(file, tmp_path / "old", 1), tmp_path / "mixed", CHECKSUM, None)
    message = refused(rewritten(mixed, tmp_path / "base", "samples.parquet", table))
    assert f"has {30 * len(LAYOUT.cells)} rows" in message


def of_version(file: Path, to: Path, version: object) -> Path:
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    content = json.dumps({**manifest, "baseline_version": version}).encode()
    return rewritten(file, to, "manifest.json", content)


@pytest.mark.parametrize("version", [3, 0, "2", None, True])
def test_another_version_is_refused(version: object, file: Path, tmp_path: Path) -> None:
    message = refused(of_version(file, tmp_path / "base", version))
    assert f"has version {version!r}, this semaudit reads up to 2" in message


def test_contents_that_were_edited_are_refused(file: Path, tmp_path: Path) -> None:
    """Figures that read well all the same, as of a baseline that is easy to keep up with."""
    with zipfile.ZipFile(file) as archive:
        report = json.loads(archive.read("report.json"))
    content = json.dumps({**report, "seed": report["seed"] + 1}).encode()
    message = refused(rewritten(file, tmp_path / "base", "report.json", content))
    assert "its contents are not those of its checksum" in message
    # Nor is a file taken for one of before there was a checksum by its version alone.
    assert "checksum" in refused(of_version(file, tmp_path / "downgraded", 1))
    assert "its checksum is missing" in refused(rewritten(file, tmp_path / "bare", CHECKSUM, None))


def test_a_file_of_before_there_was_a_checksum_still_opens(file: Path, tmp_path: Path) -> None:
    old = of_version(file, tmp_path / "one", 1)
    found = open_baseline(rewritten(old, tmp_path / "old", CHECKSUM, None))
    assert found.report == open_baseline(file).report


def test_a_bomb_is_not_unpacked(file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    # The central directory claims that a table unpacks to more than any has.
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"samples.parquet"))
    content[at + 24 : at + 28] = (2**32 - 2).to_bytes(4, "little")
    (tmp_path / "base").write_bytes(content)
    assert "of an impossible size" in refused(tmp_path / "base")


# What decides nothing.


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("data", {"smoke_test": True}, "is a smoke test on a few photographs"),
        ("model", {"guessed_architecture": True}, "the architecture of made.pt was guessed"),
        ("", {"degenerate": "all answers are alike"}, "degenerate model .all answers are alike"),
    ],
)
def test_what_decides_nothing_is_no_baseline(
    part: str, change: dict[str, object], said: str, tmp_path: Path
) -> None:
    audit = made(tmp_path / "audit", 12)
    report = json.loads((audit / "report.json").read_text("utf-8"))
    (report[part] if part else report).update(change)
    (audit / "report.json").write_text(json.dumps(report), "utf-8")
    with pytest.raises(GateError, match=said):
        open_baseline(audit)
    with pytest.raises(GateError, match=said):
        save(audit, tmp_path / "base")
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_file_that_is_packed_otherwise_is_refused_unread(method: int, tmp_path: Path) -> None:
    made(tmp_path / "audit", 12)
    save(tmp_path / "audit", tmp_path / "whole")
    with (
        zipfile.ZipFile(tmp_path / "whole") as archive,
        zipfile.ZipFile(tmp_path / "base", "w", method) as copy,
    ):
        for member in archive.namelist():
            copy.writestr(member, archive.read(member))
    assert "packed in a way that semaudit never does" in refused(tmp_path / "base")
