"""Settings: flag over environment over file over default, with the origin of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from semaudit.errors import UsageError
from semaudit.settings import Resolved, Settings, resolve

NOWHERE = Path("/nonexistent")


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def refused(**arguments: object) -> str:
    arguments = {"environment": {}, "folder": NOWHERE, **arguments}
    with pytest.raises(UsageError) as error:
        resolve(**arguments)  # type: ignore[arg-type]
    return str(error.value)


def test_with_nothing_given_all_is_default() -> None:
    resolved = resolve(environment={}, folder=NOWHERE)
    assert resolved.settings == Settings()
    assert resolved.origins == dict.fromkeys(Settings.model_fields, "default")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = write(tmp_path, "semaudit.yaml", "seed: 1\nimg_size: 64\nworkers: 2\n")

    def seed(environment: dict[str, str], **flags: object) -> Resolved:
        return resolve(flags, environment=environment, folder=tmp_path)

    assert seed({}).settings.seed == 1
    assert seed({}).origins["seed"] == f"{file}:1"
    assert seed({"SEMAUDIT_SEED": "2"}).settings.seed == 2
    assert seed({"SEMAUDIT_SEED": "2"}).origins["seed"] == "environment SEMAUDIT_SEED"
    top = seed({"SEMAUDIT_SEED": "2"}, seed=3)
    assert top.settings.seed == 3
    assert top.origins["seed"] == "flag"
    # The others stay where they were.
    assert top.settings.img_size == 64
    assert top.origins["img_size"] == f"{file}:2"
    assert top.origins["workers"] == f"{file}:3"
    assert top.origins["model"] == "default"


def test_a_flag_that_is_none_is_not_given() -> None:
    resolved = resolve({"seed": None}, environment={"SEMAUDIT_SEED": "2"}, folder=NOWHERE)
    assert resolved.settings.seed == 2


def test_false_and_zero_are_given() -> None:
    environment = {"SEMAUDIT_SEED": "2", "SEMAUDIT_CHANNELS_LAST": "true"}
    resolved = resolve({"seed": 0, "channels_last": False}, environment=environment, folder=NOWHERE)
    assert (resolved.settings.seed, resolved.settings.channels_last) == (0, False)
    assert resolved.origins["seed"] == resolved.origins["channels_last"] == "flag"


def test_the_working_directory_is_searched_yaml_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "pyproject.toml", "[tool.semaudit]\nseed = 7\n")
    assert resolve(environment={}).settings.seed == 7
    write(tmp_path, "semaudit.yaml", "img_size: 64\n")
    found = resolve(environment={})
    assert found.settings.seed == 0
    assert found.origins["img_size"] == "semaudit.yaml:1"


def test_a_named_file_replaces_the_one_that_is_there(tmp_path: Path) -> None:
    write(tmp_path, "semaudit.yaml", "seed: 1\n")
    other = write(tmp_path, "ci.yaml", "img_size: 64\n")
    for found in (
        resolve(config=other, environment={}, folder=tmp_path),
        resolve(environment={"SEMAUDIT_CONFIG": str(other)}, folder=tmp_path),
    ):
        assert found.settings.seed == 0
        assert found.settings.img_size == 64
    flag_wins = resolve(
        config=other, environment={"SEMAUDIT_CONFIG": str(NOWHERE)}, folder=tmp_path
    )
    assert flag_wins.settings.img_size == 64


def test_toml_keys_know_their_lines(tmp_path: Path) -> None:
    text = """\
[project]
ignore = "not ours"

[tool.other]
seed = 5

[tool.semaudit]  # ours
ignore_labels = true
ignore = ["noise"]
"seed" = 3
fail-on = [
    "flip_rate<=0.05",
]
"""
    file = write(tmp_path, "pyproject.toml", text)
    found = resolve(environment={}, folder=tmp_path)
    assert found.settings.ignore == ("noise",)
    assert found.settings.ignore_labels
    assert found.settings.seed == 3
    assert found.settings.fail_on == ("flip_rate<=0.05",)
    lines = {"ignore_labels": 8, "ignore": 9, "seed": 10, "fail_on": 11}
    assert {name: found.origins[name] for name in lines} == {
        name: f"{file}:{line}" for name, line in lines.items()
    }


def test_a_toml_file_without_our_table_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[project]\nname = 'x'\n")
    assert resolve(environment={}, folder=tmp_path).settings == Settings()


def test_dashes_are_as_good_as_underscores(tmp_path: Path) -> None:
    write(tmp_path, "semaudit.yaml", "num-samples: 5\nfail-on: [score>=80]\n")
    found = resolve(environment={}, folder=tmp_path).settings
    assert (found.num_samples, found.fail_on) == (5, ("score>=80",))


@pytest.mark.parametrize("given", ["noise, blur", ["noise", "blur"], ("noise", "blur")])
def test_lists_are_written_as_lists_or_with_commas(given: object) -> None:
    found = resolve({"select": given}, environment={}, folder=NOWHERE)
    assert found.settings.select == ("noise", "blur")


def test_everything_can_be_said_in_the_environment() -> None:
    environment = {
        "SEMAUDIT_MODEL": "resnet18",
        "SEMAUDIT_DATA": "photos",
        "SEMAUDIT_INPUT_SIZE": "3,32,48",
        "SEMAUDIT_MEAN": "0.1,0.2,0.3",
        "SEMAUDIT_BATCH_SIZE": "16",
        "SEMAUDIT_WORKERS": "auto",
        "SEMAUDIT_CHANNELS_LAST": "false",
        "SEMAUDIT_FAIL_ON": "score>=80,flip_rate<=0.1",
    }
    found = resolve(environment=environment, folder=NOWHERE).settings
    assert found.model == "resnet18"
    assert found.data == Path("photos")
    assert found.input_size == (3, 32, 48)
    assert found.mean == (0.1, 0.2, 0.3)
    assert (found.batch_size, found.workers) == (16, "auto")
    assert not found.channels_last
    assert found.fail_on == ("score>=80", "flip_rate<=0.1")


# What is wrong, and where.


def test_an_unknown_yaml_key_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path, "semaudit.yaml", "# ours\n\nseed: 1\nselekt: quick\n")
    said = refused(folder=tmp_path)
    assert said == f"{file}:4: unknown setting 'selekt' (did you mean 'select'?)"


def test_an_unknown_toml_key_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path, "pyproject.toml", "[tool.semaudit]\nseed = 1\nselekt = 'quick'\n")
    assert f"{file}:3: unknown setting 'selekt'" in refused(folder=tmp_path)


def test_an_unknown_variable_is_named_with_the_nearest() -> None:
    said = refused(environment={"SEMAUDIT_SEDE": "1"})
    assert said == "environment SEMAUDIT_SEDE: unknown setting 'sede' (did you mean 'seed'?)"


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, "semaudit.yaml", "seed: x\nimg_size: 0\nnope: 1\nbatch_size: 0\n")
    lines = refused(folder=tmp_path).splitlines()
    assert [line.split(": ")[0] for line in lines] != []
    assert sorted(line.removeprefix(f"{file}:")[0] for line in lines) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"num_samples": 0}, "--num-samples: 0 is wrong: it should be greater than or equal to 1"),
        ({"batch_size": "many"}, "--batch-size: 'many' is wrong: it should be 'auto', or"),
        ({"batch_size": "0"}, "--batch-size: '0' is wrong"),
        ({"workers": "-1"}, "--workers: '-1' is wrong"),
        ({"format": "xml"}, "--format: 'xml' is wrong: it should be 'table', 'json', "),
        ({"amp_dtype": "half"}, "'float32', 'bfloat16' or 'float16'"),
        ({"crop_pct": 0.0}, "--crop-pct: 0.0 is wrong: it should be greater than 0"),
        ({"mean": "a,b"}, "--mean: 'a' is wrong: it should be a valid number"),
        ({"input_size": "3,32"}, "(channels, height, width)"),
    ],
)
def test_a_wrong_value_names_the_flag_and_what_it_should_be(
    flags: dict[str, object], said: str
) -> None:
    message = refused(flags=flags)
    assert said in message
    assert "\n" not in message


def test_a_named_file_that_is_not_there() -> None:
    assert refused(config=Path("nope.yaml")) == "--config nope.yaml: no such file"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("semaudit.yaml", "seed: [1\n", "semaudit.yaml:2"),
        ("semaudit.yaml", "- seed\n", "semaudit.yaml:1: must hold a mapping"),
        ("semaudit.yaml", "seed: 1\nseed: 2\n", "semaudit.yaml:2: key 'seed' is given twice"),
        ("pyproject.toml", "[tool.semaudit\n", "pyproject.toml"),
        ("pyproject.toml", "[tool]\nsemaudit = 3\n", "'semaudit' must be a table"),
        ("pyproject.toml", "tool = 3\n", "'tool' must be a table"),
    ],
)
def test_a_file_that_cannot_be_read(name: str, text: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, name, text)
    assert said in refused(folder=tmp_path)


@pytest.mark.parametrize("name", ["semaudit.yaml", "pyproject.toml"])
def test_a_file_that_is_not_text(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00seed")
    assert name in refused(folder=tmp_path)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 1  # type: ignore[misc]
