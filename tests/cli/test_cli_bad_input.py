"""Bad input: a message that helps, the right exit code, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from shared import ARCH, Ended, Run, console_script

Tiny = tuple[str, ...]
Refused = Callable[..., str]


@pytest.fixture
def refused(cli: Run, tiny: Tiny, tmp_path: Path) -> Refused:
    """A scan of the tiny model with something wrong; returns what it said."""

    def scan(code: int, *words: str, model: object = None) -> str:
        there = set(tmp_path.rglob("*"))
        replaced = tiny if model is None else ("scan", str(model), *tiny[2:])
        ended = cli(*replaced, "--out", "audit", *words)
        assert ended.code == code, ended.stderr
        assert ended.stdout == ""
        assert ended.stderr.startswith("semaudit: error: ")
        assert set(tmp_path.rglob("*")) == there
        return ended.stderr

    return scan


# The command line and the configuration: 2.


def test_no_model(cli: Run) -> None:
    assert (cli("scan").code, "which model?" in cli("scan").stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--device foo", "unknown --device 'foo': one of auto, cuda, cuda:N, mps, cpu"),
        ("--device meta", "unsupported --device 'meta'"),
        ("--device cuda:99", "--device cuda:99: there is"),
        ("--gradient-samples 2 --no-gradients", "--gradient-samples would have no effect"),
        ("--select noise --worst-objective kl", "--worst-objective would have no effect"),
        ("--use-ema", "--use-ema asks for averaged weights and there are none"),
        ("--batch-size 0", "--batch-size: '0' is wrong"),
        ("--batch-size many", "--batch-size: 'many' is wrong"),
        ("--workers -2", "--workers: '-2' is wrong"),
        ("--num-samples 0", "--num-samples: 0 is wrong"),
        ("--amp-dtype half", "--amp-dtype: 'half' is wrong"),
        ("--format xml", "--format: 'xml' is wrong"),
        ("--select brigthness", "'brigthness' (did you mean 'brightness'?)"),
        ("--ignore nose", "'nose' (did you mean 'noise'?)"),
        ("--ignore photometric", "the battery is empty"),
        ("--fail-on flip_rat<=0.1", "unknown metric 'flip_rat'"),
        ("--fail-on flip_rate.men<=0.1", "did you mean 'mean'"),
        ("--fail-on flip_rate<=-1", "impossible limit"),
        ("--fail-on flip_rate<=1", "idle limit"),
        ("--fail-on flip_rate[noise]<=0.1", "matches nothing"),
        ("--fail-on shift[brightness@9]<=0.1", "matches nothing"),
        ("--ignore-labels --fail-on accuracy>=0.5", "the pictures have no labels"),
        ("--label-pattern ([a-d]", "is not a regular expression"),
        ("--label-pattern [a-d]", "has no group"),
        ("--plugin nowhere.py", "plugin nowhere.py: there is no such file"),
        ("--config nowhere.yaml", "--config nowhere.yaml: no such file"),
        ("--mean 0.5,0.5", "mean"),
        ("--interpolation best", "best"),
    ],
)
def test_a_mistake_on_the_command_line(words: str, said: str, refused: Refused) -> None:
    assert said in refused(2, *words.split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none(refused: Refused) -> None:
    assert "there is no CUDA device here; try --device auto" in refused(2, "--device", "cuda")


def test_an_unknown_key_names_file_line_and_the_nearest(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("seed: 1\nselekt: quick\n")
    said = refused(2)
    assert "semaudit.yaml:2: unknown setting 'selekt' (did you mean 'select'?)" in said


def test_an_unknown_variable(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMAUDIT_BATCHSIZE", "4")
    said = refused(2)
    assert "environment SEMAUDIT_BATCHSIZE" in said
    assert "did you mean 'batch_size'?" in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere_at_all\n", "No module named 'nowhere_at_all' ({folder}/bad.py:1)"),
        ("x = 1\nraise RuntimeError('boom')\n", "RuntimeError: boom ({folder}/bad.py:2)"),
        ("def f(:\n", "SyntaxError"),
        ("x = 1\n", "registers no perturbation"),
        ("import sys\nsys.exit(0)\n", "SystemExit"),
    ],
)
def test_a_bad_plugin(code: str, said: str, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(code)
    assert said.format(folder=tmp_path) in refused(2, "--plugin", "bad.py")


# Where to write: 2.


def test_out_is_somebody_elses_folder(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert "mine holds 'thesis.txt', which is of no earlier audit" in refused(2, "--out", "mine")


def test_out_is_a_file_or_below_one(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--out file is a file; name a folder" in refused(2, "--out", "file")
    assert "file is a file" in refused(2, "--out", "file/audit")


def test_out_is_the_working_directory(refused: Refused) -> None:
    assert "name a folder in it, as audit" in refused(2, "--out", ".")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that root cannot write")
def test_out_cannot_be_written(refused: Refused) -> None:
    assert "--out /proc/audit cannot be written" in refused(2, "--out", "/proc/audit")


# The model: 3.


def test_no_such_model_file(refused: Refused, tmp_path: Path) -> None:
    said = refused(3, model=tmp_path / "nowhere.pt")
    assert f"{tmp_path / 'nowhere.pt'}: no such file" in said


def test_an_unknown_timm_name_names_the_nearest(cli: Run, pictures: Path) -> None:
    ended = cli("scan", "resnet5O", "--data", str(pictures), "--out", "audit")
    assert ended.code == 3
    assert "no model 'resnet5O' (did you mean 'resnet50'?)" in ended.stderr


def test_an_unknown_architecture_names_the_nearest(refused: Refused) -> None:
    assert "(did you mean 'test_vit'?)" in refused(2, "--arch", "test_vitt")
    said = refused(2, "--arch", "torchvision:resnt18")
    assert "(did you mean 'resnet18'?)" in said


def test_the_wrong_architecture_names_what_does_not_fit(refused: Refused) -> None:
    said = refused(2, "--arch", "test_resnet")
    assert "does not fit test_resnet: 0 of" in said
    assert "missing" in said
    assert "unexpected" in said
    assert "Check --arch" in said


def test_a_limit_needs_pictures(cli: Run, checkpoint: Path) -> None:
    ended = cli("scan", str(checkpoint), "--fail-on", "flip_rate<=0.1")
    assert (ended.code, "a smoke test" in ended.stderr) == (2, True)


def test_sizes_that_do_not_fit_under_a_named_architecture(refused: Refused) -> None:
    said = refused(2, "--arch", ARCH, "--num-classes", "3")
    assert "misshapen" in said
    assert "(under --arch and --num-classes" in said


def test_a_checkpoint_of_no_known_architecture(cli: Run, tmp_path: Path) -> None:
    state = {"first.weight": torch.ones(5, 3, 3, 3), "last.weight": torch.ones(4, 5)}
    torch.save(state, tmp_path / "own.pt")
    ended = cli("scan", str(tmp_path / "own.pt"))
    assert ended.code == 3
    assert "--arch FILE.py:FUNCTION" in ended.stderr


def test_a_checkpoint_of_several_architectures(cli: Run, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    torch.save(module.state_dict(), tmp_path / "lite.pt")
    ended = cli("scan", str(tmp_path / "lite.pt"))
    assert ended.code == 2
    assert "tf_efficientnet_lite0  " in ended.stderr
    assert "padding" in ended.stderr
    assert "--arch best" in ended.stderr


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_checkpoint(
    share: float, refused: Refused, checkpoint: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.pt"
    content = checkpoint.read_bytes()
    short.write_bytes(content[: int(len(content) * share)])
    assert str(short) in refused(3, model=short)


def test_a_truncated_safetensors_file(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    whole, short = tmp_path / "whole.safetensors", tmp_path / "short.safetensors"
    save_file(torch.load(checkpoint, weights_only=True), whole)
    short.write_bytes(whole.read_bytes()[:-100])
    assert "is no safetensors file, or is damaged" in refused(3, model=short)


def test_weights_that_are_nan(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["head.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pt")
    said = refused(3, model=tmp_path / "nan.pt")
    assert "NaN or infinite in head.weight" in said


def test_a_pickled_module_is_refused_with_the_reason(refused: Refused, tmp_path: Path) -> None:
    torch.save(timm.create_model(ARCH, num_classes=4, img_size=32), tmp_path / "whole.pt")
    said = refused(3, model=tmp_path / "whole.pt")
    assert "holds code" in said
    assert "torch.save(model.state_dict(), PATH)" in said


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_a_hostile_pickle_does_not_run(
    how: str, suffix: str, refused: Refused, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    file = tmp_path / f"hostile{suffix}"
    if how == "pickle":
        file.write_bytes(pickle.dumps({"state_dict": Hostile(marker)}))
    else:
        torch.save({"state_dict": Hostile(marker)}, file)
    assert str(file) in refused(3, model=file)
    assert not marker.exists()
    # It would have: the test can fail.
    if how == "pickle":
        pickle.loads(file.read_bytes())
        assert marker.exists()


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


# The pictures: 3.


def test_no_such_data(refused: Refused, tmp_path: Path) -> None:
    assert f"{tmp_path / 'no'}" in refused(3, "--data", str(tmp_path / "no"))


def test_an_empty_folder(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no pictures in" in refused(3, "--data", str(tmp_path / "empty"))


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("kind", ["text", "truncated", "empty"])
def test_a_picture_that_is_none(
    kind: str, workers: str, refused: Refused, pictures: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(pictures, tmp_path / "data")
    bad = data / "c" / ("1.jpg" if kind == "text" else "1.png")
    content = {"text": b"not a picture", "truncated": bad.with_suffix(".png").read_bytes()[:-40]}
    bad.write_bytes(content.get(kind, b""))
    said = refused(3, "--data", str(data), "-j", workers, "-b", "3")
    assert str(bad) in said
    assert "--max-unreadable" in said


def test_folders_that_are_no_classes(cli: Run, tiny: Tiny, pictures: Path, tmp_path: Path) -> None:
    data = shutil.copytree(pictures, tmp_path / "data")
    shutil.copytree(data / "a", data / "zebra")
    ended = cli(*tiny, "--data", str(data))
    assert ended.code == 3
    assert "labels match none of the model's 4 classes" in ended.stderr
    assert "--ignore-labels" in ended.stderr


# The world around: 3.


def test_a_full_disk(tiny: Tiny, tmp_path: Path) -> None:
    done = subprocess.run(
        [console_script(), *tiny, "--out", "audit"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("semaudit: error: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_reader_that_leaves(form: str, audited: Path, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [console_script(), "gate", str(audited), "--fail-on", "score>=20", "--format", form],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=300) == 3
    assert said == "semaudit: error: standard output was closed before all was printed\n"


def test_a_build_server_with_ascii_that_asks_for_colour(process: Run, tiny: Tiny) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "FORCE_COLOR": "1"}
    ended: Ended = process(*tiny, **environment)
    assert (ended.code, ended.stderr) == (0, "")  # no progress bar
    assert "continuity score" in ended.stdout
    assert ended.stdout.isascii()


def test_bad_input_in_a_process_of_its_own(process: Run, tmp_path: Path) -> None:
    program = (sys.executable, "-W", "error::ResourceWarning", "-m", "semaudit")
    ended = process("scan", "resnet5O", "--data", ".", "--device", "cpu", program=program)
    assert (ended.code, ended.stdout) == (3, "")
    assert "did you mean 'resnet50'?" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_error_that_nobody_reads_keeps_its_exit_code() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "semaudit", "compare", "nowhere", "nor-here"]
    ended = subprocess.run(command, stderr=writing, stdout=subprocess.DEVNULL, check=False)
    os.close(writing)
    assert ended.returncode == 3


def test_pictures_that_are_not_there_are_said_before_a_model_is_opened(
    cli: Run, tmp_path: Path
) -> None:
    """The model is none either, and takes minutes to load where it is large."""
    ended = cli("scan", "nowhere.pt", "--data", "nowhere")
    assert (ended.code, ended.stdout) == (3, "")
    assert "there is no folder or picture nowhere that can be read" in ended.stderr
    assert "nowhere.pt" not in ended.stderr


def test_a_name_is_not_described(cli: Run) -> None:
    ended = cli("models", "describe", "resnet18")
    assert (ended.code, ended.stdout) == (3, "")
    assert "resnet18: no such file or folder" in ended.stderr
    assert "opened by semaudit scan" in ended.stderr
