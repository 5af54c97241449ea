"""Files made to run code or to fill the machine: none does, and each is refused with a reason."""

from __future__ import annotations

import io
import os
import pickle
import stat
import struct
import subprocess
import sys
import textwrap
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from semaudit.errors import ModelError
from semaudit.models.files import torch_file
from semaudit.models.files.contents import read
from semaudit.models.files.pickled import imports

GOOD = {"a.weight": torch.ones(3, 3), "a.bias": torch.ones(3)}


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def attacks(marker: Path) -> dict[str, object]:
    command, code = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    return {
        "system": Call(os.system, command),
        "nested": {"model": {"epoch": [1, (2, {"x": Call(os.system, command)})]}},
        "beside weights": {"state_dict": GOOD, "extra": Call(os.system, command)},
        "eval": Call(eval, code),
        "exec": {"state_dict": Call(exec, code)},
        "popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "getattr chain": Call(getattr, Call(__import__, "os"), "system"),
        "touch": Call(Path.touch, marker),
        "key": {Call(os.system, command): GOOD},
        "as a tensor": {"a.weight": Call(os.system, command)},
    }


ATTACKS = tuple(attacks(Path("marker")))


def in_zip(pickled: bytes, path: Path, *more: str) -> None:
    """A torch zip whose list of tensors is ``pickled``, with empty entries beside it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", pickled)
        archive.writestr("m/version", "3\n")
        archive.writestr("m/byteorder", "little")
        for name in more:
            archive.writestr(f"m/{name}", pickled)


SHAPES: dict[str, Callable[[object, Path], object]] = {
    "bare": lambda what, path: path.write_bytes(pickle.dumps(what, protocol=2)),
    "bare 0": lambda what, path: path.write_bytes(pickle.dumps(what, protocol=0)),
    "bare 5": lambda what, path: path.write_bytes(pickle.dumps(what, protocol=5)),
    "torch": lambda what, path: torch.save(what, path),
    "torch 4": lambda what, path: torch.save(what, path, pickle_protocol=4),
    "legacy": lambda what, path: torch.save(what, path, _use_new_zipfile_serialization=False),
    "magic": lambda what, path: path.write_bytes(
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(what, 2)
    ),
    "script": lambda what, path: in_zip(pickle.dumps(what, 2), path, "constants.pkl", "code/a.py"),
    "exported": lambda what, path: in_zip(pickle.dumps(what, 2), path, "archive_format"),
    "by reference": lambda what, path: in_zip(referring(what), path),
}


def referring(what: object) -> bytes:
    """A pickle whose reference to a storage is the attack itself."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", what, "0", "cpu", 1) if isinstance(value, torch.Tensor) else None

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump({"a": torch.ones(1)})
    return stream.getvalue()


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.onnx"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_runs(tmp_path, attack, shape, name):
    marker, path = tmp_path / "marker", tmp_path / name
    SHAPES[shape](attacks(marker)[attack], path)
    with pytest.raises(ModelError):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize("shape", ["torch", "legacy"])
@pytest.mark.parametrize("attack", sorted({*ATTACKS} - {"getattr chain"}))
def test_torch_refuses_by_itself(tmp_path, monkeypatch, attack, shape):
    """The refusal rests on weights_only, neither on the vetting nor on the scan."""
    monkeypatch.setattr(torch_file, "vet", lambda *_: None)
    monkeypatch.setattr(torch_file, "imports", lambda *_, **__: ())
    marker, path = tmp_path / "marker", tmp_path / "m.pt"
    SHAPES[shape](attacks(marker)[attack], path)
    with pytest.raises(ModelError, match="holds code"):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize("shape", ["torch", "torch 4", "legacy", "bare", "bare 0", "bare 5"])
def test_imports_are_listed_the_dangerous_first(tmp_path, shape):
    content = [Call(Path.touch, 1), Call(os.system, "true"), Call(eval, "1"), GOOD]
    SHAPES[shape](content, tmp_path / "m.pt")
    found = imports(tmp_path / "m.pt", is_zip=shape.startswith("torch"))
    harm = [f"{os.system.__module__}.system", "builtins.eval"]
    assert max(map(found.index, harm)) < found.index(next(n for n in found if "pathlib" in n))
    assert not any("OrderedDict" in name or "_rebuild_tensor" in name for name in found)


def test_the_list_is_short_and_printable(tmp_path):
    lines = b"".join(b"cevil\x1b[2J%d\nname\n0" % n for n in range(30))
    in_zip(b"\x80\x02" + lines + b"N.", tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"holds code \(.* and 22 more\)") as caught:
        read(tmp_path / "m.pt")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x04\x93.",  # an import without a name
        b"\x80\x04h\x05h\x06\x93.",  # names from memory that was never written
        b"\x80\x02" + b"(" * 50 + b".",
        b"\x80\x02X\xff\xff\xff\xffa",
        b"\x80\x02\x8a\xffshort",
        b"",
    ],
)
@pytest.mark.parametrize("shape", ["zip", "bare"])
def test_a_pickle_that_breaks_its_scanner_is_no_pass(tmp_path, shape, pickled):
    path = tmp_path / "m.pt"
    in_zip(pickled, path) if shape == "zip" else path.write_bytes(pickled)
    with pytest.raises(ModelError):
        read(path)


def test_a_broken_scanner_is_an_error(tmp_path, monkeypatch):
    def scan(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("semaudit.models.files.pickled.scan_pickle_bytes", scan)
    path = tmp_path / "m.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ModelError, match="breaks the scanner"):
        imports(path, is_zip=True)
    with pytest.raises(ModelError, match=r"holds code \(torch\.nn\.modules\.linear\.Linear\)"):
        read(path)


@pytest.mark.parametrize("new", [True, False])
def test_unsafe_load_opens_a_module(tmp_path, new):
    module = nn.Linear(3, 2)
    for content in (module, {"model": module, "epoch": 3}):
        torch.save(content, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(ModelError, match="--unsafe-load"):
            read(tmp_path / "m.pt")
        contents = read(tmp_path / "m.pt", unsafe=True)
        assert isinstance(contents.module, nn.Linear)
        assert torch.equal(contents.state["weight"], module.weight)


def test_unsafe_load_opens_a_plain_pickle_and_names_what_is_missing(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(nn.Linear(3, 2)))
    assert isinstance(read(tmp_path / "m.pkl", unsafe=True).module, nn.Linear)
    in_zip(b"\x80\x02cno_such_module\nNet\n.", tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"no_such_module.*PYTHONPATH"):
        read(tmp_path / "m.pt", unsafe=True)


def calling(name: str, arguments: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode() + arguments + b"R"


NUMBER = b"\x8a\x06" + (10**12).to_bytes(6, "little")
REFERENCE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ"
EXPANDED = calling(
    "torch._utils._rebuild_tensor_v2",
    b"(" + REFERENCE + b"K\x00" + NUMBER + b"\x85K\x00\x85\x89ccollections\nOrderedDict\n)Rt",
)
BOMBS = {
    "bytearray": calling("builtins.bytearray", NUMBER + b"\x85"),
    "tensor": calling("torch.FloatTensor", NUMBER + b"\x85"),
    "storage": calling("torch.storage.UntypedStorage", NUMBER + b"\x85"),
    "expanded": EXPANDED,
    "set of expanded": calling("builtins.set", EXPANDED + b"\x85"),
    "counter of expanded": calling("collections.Counter", EXPANDED + b"\x85"),
    "copy of expanded": calling(
        "torch._utils._rebuild_device_tensor_from_cpu_tensor",
        b"(" + EXPANDED + b"ctorch\nfloat64\nX\x03\0\0\0cpu\x89t",
    ),
    "doubling text": b"c_codecs\nencode\nq\x000X\x01\0\0\0a"
    + b"X\x03\0\0\0hex\x86q\x010h\x00h\x01R" * 60,
    "deep key": b"}" + b")" + b"\x85" * 200_000 + b"Ns",
    "wide key": b"}" + b")" + b"q\x00h\x00\x86" * 60 + b"Ns",
    "colliding keys": b"}("
    + b"".join(
        b"\x8a\x0c" + (n * (2**61 - 1)).to_bytes(12, "little") + b"N" for n in range(1, 9999)
    )
    + b"u",
    "dicts": b"}" * 3_000_000,
    "sets": b"\x8f" * 3_000_000,
    "marks": b"(" * 3_000_000,
    "sets of one list": b"cbuiltins\nset\nq\x000]("
    + b"".join(b"J" + struct.pack("<i", n) for n in range(100_000))
    + b"e\x85q\x010"
    + b"h\x00h\x01R" * 10_000,
    "much text": b"X\xff\xff\xff\x7fshort",
}


def measured(paths: list[Path]) -> list[str]:
    """Read files in one process; what each ended in, seconds and MB of peak beyond its size."""
    program = """
        import resource, sys, time
        from pathlib import Path
        from semaudit.errors import ModelError
        from semaudit.models.files.contents import read

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

        for name in sys.argv[1:]:
            before, start = peak(), time.perf_counter()
            try:
                read(Path(name))
                said = "read"
            except ModelError as error:
                said = "refused"
            beyond = peak() - before - Path(name).stat().st_size // 2**20
            slow = time.perf_counter() - start > 10
            print(said, "too slow" if slow else "", "too large" if beyond > 1024 else "")
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, paths)],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


LONG = ("dicts", "sets", "marks", "sets of one list", "much text")


def bomb(name: str, folder: Path) -> Path:
    path = folder / f"{name}.pt"
    zip_of(
        path,
        {"m/data.pkl": b"\x80\x02" + BOMBS[name] + b".", "m/data/0": bytes(4), "m/version": b"3"},
    )
    return path


@pytest.mark.parametrize("name", sorted({*BOMBS} - {*LONG}))
def test_a_pickle_that_would_take_the_machine_down_is_refused(tmp_path, name):
    with pytest.raises(ModelError, match=r"holds code|as tensors|claims more"):
        read(bomb(name, tmp_path))


@pytest.mark.slow
def test_bombs_take_neither_memory_nor_time(tmp_path):
    paths = [bomb(name, tmp_path) for name in BOMBS]
    for name in ("data.pkl", "data/0"):
        paths.append(tmp_path / f"zip {len(paths)}.pt")
        deflated(name)(paths[-1])
    assert measured(paths) == ["refused"] * len(paths)


def zip_of(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def deflated(name: str) -> Callable[[Path], None]:
    """64 MB of zeros in 64 kB."""

    def make(path: Path) -> None:
        zip_of(path, {"m/version": b"3", f"m/{name}": bytes(64 << 20)}, zipfile.ZIP_DEFLATED)

    return make


def linked(path: Path) -> None:
    entry = zipfile.ZipInfo("m/data/0")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"")
        archive.writestr(entry, "/etc/passwd")


def repeated(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("m/data.pkl", b"b")


def patched(offset: int, value: bytes) -> Callable[[Path], None]:
    """An archive with bytes of its directory's last entry changed."""

    def make(path: Path) -> None:
        zip_of(path, {"m/data.pkl": b"x" * 50, "m/data/0": b"x" * 50})
        content = bytearray(path.read_bytes())
        at = content.rfind(b"PK\x01\x02") + offset
        content[at : at + len(value)] = value
        path.write_bytes(content)

    return make


def many(path: Path) -> None:
    zip_of(path, {"m/data.pkl": b"x"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rfind(b"PK\x05\x06") + 12, 1 << 30)
    path.write_bytes(content)


ZIPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "deflated list": (deflated("data.pkl"), "a zip bomb"),
    "deflated storage": (deflated("data/0"), "a zip bomb"),
    "link": (linked, "is a symbolic link"),
    "repeated": (repeated, "2 entries named"),
    "upwards": (lambda p: zip_of(p, {"m/data.pkl": b"", "m/../../x": b""}), "leads out"),
    "absolute": (lambda p: zip_of(p, {"/m/data.pkl": b""}), "leads out"),
    "encrypted": (patched(8, b"\x01"), "is encrypted"),
    "method": (patched(10, b"\x0e"), "packed in a way"),
    "larger than it is": (patched(24, b"\xff\xff\xff\x00"), "contradicts itself"),
    "overlapping": (patched(42, b"\0\0\0\0"), "overlaps"),
    "directory": (many, "100000 are plenty"),
    "entries": (lambda p: zip_of(p, {f"{n:x}": b"" for n in range(100_001)}), "entries"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_archives_are_judged_before_they_are_unpacked(tmp_path, case):
    make, said = ZIPS[case]
    make(tmp_path / "m.pt")
    with pytest.raises(ModelError, match=f"does not open: .*{said}"):
        read(tmp_path / "m.pt")


def test_a_compressed_checkpoint_is_refused_not_misread(tmp_path):
    torch.save(GOOD, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    zip_of(tmp_path / "m.pt", entries, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="compressed zip archive"):
        read(tmp_path / "m.pt")


@pytest.mark.parametrize("new", [True, False])
def test_tensors_that_claim_more_than_the_file_holds(tmp_path, new):
    inflated = torch.zeros(1).expand(1_000_000, 100_000)
    torch.save({"a": inflated}, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(ModelError, match="claims more numbers than the file holds"):
        read(tmp_path / "m.pt")


@pytest.mark.parametrize("new", [True, False])
def test_tensors_that_cannot_be_audited_are_named(tmp_path, new):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are deprecated
        quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    tensors = {
        "quantised": quantised,
        "sparse": torch.eye(3).to_sparse(),
        "complex": torch.ones(3, dtype=torch.complex64),
        "meta device": torch.ones(3, device="meta"),
    }
    for what, tensor in tensors.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save({"a": tensor}, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(ModelError, match=what):
            read(tmp_path / "m.pt")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_narrow_floats_are_read_as_they_are(tmp_path, kind):
    torch.save({"a": torch.ones(3).to(kind)}, tmp_path / "m.pt")
    assert read(tmp_path / "m.pt").state["a"].dtype == kind


def test_attributes_on_tensors_and_mappings_do_not_stand_in_for_methods(tmp_path):
    parameter = nn.Parameter(torch.ones(3))
    parameter.numeX = "x"  # type: ignore[attr-defined]
    torch.save({"a": parameter}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "m.pt").read_bytes()
    assert content.count(b"numeX") == 1
    (tmp_path / "m.pt").write_bytes(content.replace(b"numeX", b"numel"))
    assert read(tmp_path / "m.pt").state["a"].numel() == 3
