from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources.listing import Found
from semaudit.images.sources.tars import find_in_tars


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def found_in(data: Path, split: str | None = None, **options: object) -> Found:
    return find_in_tars(data, split=split, **{"labels": True, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sidecar",
    [
        ("cls", b"3\n"),
        ("json", json.dumps({"x": 1, "label": 3}).encode()),
        ("json", b"3"),
        ("txt", b"3"),
    ],
)
def test_members_of_one_stem_belong_together(tmp_path: Path, sidecar: tuple[str, bytes]) -> None:
    kind, content = sidecar
    members = {f"a/10.{kind}": content, "a/10.jpg": picture(1, "JPEG")}
    members |= {"./a/9.PNG": picture(2), f"./a/9.{kind}": content}
    found = found_in(pack(tmp_path / "x.tar", members))
    assert found.names == ["a/9.PNG", "a/10.jpg"]
    assert found.labels == ["3", "3"]
    assert found.origin(0).read() == picture(2)
    assert pickle.loads(pickle.dumps(found.origin(1))).read() == picture(1, "JPEG")
    assert found.origin(1).where == f"{tmp_path}/x.tar: a/10.jpg"


def test_a_cls_counts_more_than_a_caption(tmp_path: Path) -> None:
    members = {"1.txt": b"a cat", "1.cls": b"7", "1.png": picture()}
    data = pack(tmp_path / "x.tar", members)
    assert found_in(data).labels == ["7"]
    assert found_in(data, labels=False).labels is None


def test_a_key_of_the_json(tmp_path: Path) -> None:
    data = pack(tmp_path / "x.tar", {"1.json": b'{"label": 1, "fine": 5}', "1.png": picture()})
    assert found_in(data, label_key="fine").labels == ["5"]
    with pytest.raises(UsageError, match=r"no \.json beside a picture has 'coarse'"):
        found_in(data, label_key="coarse")


def test_class_folders_and_none(tmp_path: Path) -> None:
    folders = pack(tmp_path / "x.tar", {"cat/1.png": picture(), "dog/1.png": picture(1)})
    assert found_in(folders).labels == ["cat", "dog"]
    flat = pack(tmp_path / "y.tar", {"1.png": picture(), "2.png": picture(1)})
    assert found_in(flat).labels is None
    mixed = pack(tmp_path / "z.tar", {"1.png": picture(), "a/2.png": picture(1)})
    with pytest.raises(ImageError, match="1 pictures beside its class folders"):
        found_in(mixed)


def shards(folder: Path, stem: str, count: int) -> None:
    for number in range(count):
        members = {"0.png": picture(number), "0.cls": str(number).encode()}
        pack(folder / f"{stem}-{number:03d}.tar", members)


def test_shards_in_a_folder_and_by_pattern(tmp_path: Path) -> None:
    shards(tmp_path, "s", 3)
    whole = found_in(tmp_path)
    assert whole.names == [f"s-{number:03d}.tar/0.png" for number in range(3)]
    assert whole.labels == ["0", "1", "2"]
    assert found_in(tmp_path / "s-{001..002}.tar").names == whole.names[1:]
    assert found_in(tmp_path / "s-{000,002}.tar").labels == ["0", "2"]
    with pytest.raises(UsageError, match=r"4 archives, and 1 of them are not there.*s-003\.tar"):
        found_in(tmp_path / "s-{000..003}.tar")
    with pytest.raises(UsageError, match="is no range of shards"):
        found_in(tmp_path / "s-{003..001}.tar")
    with pytest.raises(UsageError, match="that is too many"):
        found_in(tmp_path / "s-{000000..999999}-{0..9}.tar")


def test_parts_in_the_names_of_shards(tmp_path: Path) -> None:
    shards(tmp_path, "x-train", 2)
    shards(tmp_path, "x-validation", 1)
    assert found_in(tmp_path, "train").labels == ["0", "1"]
    assert found_in(tmp_path, "val").names == ["0.png"]
    unasked = found_in(tmp_path)
    assert unasked.labels == ["0"]
    assert "those of validation, not train" in unasked.notes[0]
    with pytest.raises(UsageError, match="it has train, validation"):
        found_in(tmp_path, "test")


def test_links_devices_and_ways_out_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in [
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("device.png", tarfile.CHRTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name in ("../out.png", "/etc/x.png", "a/../../b.png", ".hidden.png", "._good.png"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(ImageError, match="no pictures in the 1 tar archives"):
        found_in(path)


@pytest.mark.parametrize(("mode", "said"), [("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")])
def test_compressed_archives_are_refused(tmp_path: Path, mode: str, said: str) -> None:
    # Whatever the name says: the content tells.
    data = pack(tmp_path / "x.tar", {"1.png": picture()}, mode)
    with pytest.raises(ImageError, match=rf"compressed \({said}\).*unpack it to a plain \.tar"):
        found_in(data)


def test_damaged_archives(tmp_path: Path) -> None:
    members = {"1.png": picture(), "2.png": picture(1), "3.png": picture(2)}
    whole = pack(tmp_path / "x.tar", members).read_bytes()
    bad = tmp_path / "bad.tar"
    bad.write_bytes(whole[:700])
    with pytest.raises(ImageError, match=r"cut short within '1\.png'"):
        found_in(bad)
    second = 512 + (len(picture()) + 511) // 512 * 512
    bad.write_bytes(whole[:second] + b"\xff" * 512 + whole[second + 512 :])
    with pytest.raises(ImageError, match=f"damaged after {second} bytes"):
        found_in(bad)
    bad.write_bytes(b"")
    with pytest.raises(ImageError, match="no tar archive, or damaged"):
        found_in(bad)
    bad.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(ImageError, match="no tar archive, or damaged"):
        found_in(bad)


def test_a_negative_size_does_not_loop(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1.png")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024, in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "x.tar").write_bytes(bytes(header) + bytes(2048))
    with pytest.raises(ImageError, match="damaged"):
        found_in(tmp_path / "x.tar")


def test_random_damage_is_an_error_or_a_clean_read(tmp_path: Path) -> None:
    members = {"a/1.png": picture(), "a/1.cls": b"0", "x" * 300 + ".png": picture(1)}
    whole = pack(tmp_path / "x.tar", members).read_bytes()
    random = np.random.default_rng(0)
    bad = tmp_path / "bad.tar"
    errors = 0
    for _ in range(300):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            content[place] = random.integers(0, 256)
        bad.write_bytes(content[: random.integers(0, len(whole) + 1)])
        try:
            found_in(bad, labels=False)
        except ImageError:
            errors += 1
    assert errors > 100


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            {"1.png": b"", "2.png": b"", "2.cls": b"1"},
            r"1 of 2 pictures have no label .*'1",
        ),
        ({"1.png": b"", "1.json": b"{"}, r"1\.json holds no label"),
        ({"1.png": b"", "1.json": b"[" * 100_000}, r"1\.json holds no label"),
        ({"1.png": b"", "1.cls": b"\xff"}, r"1\.cls holds no label"),
        ({"1.png": b"", "1.txt": b"x" * (1 << 20) + b"x"}, "too many for a label"),
    ],
)
def test_bad_labels(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    data = pack(tmp_path / "x.tar", members)
    with pytest.raises(ImageError, match=said):
        found_in(data)
    assert found_in(data, labels=False).labels is None


def test_hostile_names(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as tar:
        for name in ("caf\u00e9/1.png", "new\nline/2.png", "long/" + "y" * 4000 + ".png"):
            info = tarfile.TarInfo(name)
            info.size = len(picture())
            tar.addfile(info, io.BytesIO(picture()))
    found = found_in(path)
    assert found.labels == ["caf\\udce9", "long", "new\nline"]
    for index in range(3):
        assert found.origin(index).read() == picture()
        assert "\n" not in found.origin(index).where
        assert len(found.origin(index).where) < 400


def test_one_name_twice(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("1.png"))
        tar.addfile(tarfile.TarInfo("1.png"))
    with pytest.raises(ImageError, match=r"'1\.png' 2 times"):
        found_in(tmp_path / "x.tar")


def test_an_archive_that_has_shrunk_since(tmp_path: Path) -> None:
    data = pack(tmp_path / "x.tar", {"1.png": picture()})
    origin = found_in(data).origin(0)
    data.write_bytes(data.read_bytes()[:600])
    with pytest.raises(OSError, match="bytes too early"):
        origin.read()
