"""Probe files are read strictly; batteries are chosen by tag, family, name or glob."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from semaudit.errors import ProbeError
from semaudit.perturbations import get, perturbation, registry
from semaudit.probes import Probe, load_probes, probes_dir, select_battery

GOOD = """\
family: noise
claim: Nothing changes.
probes:
  hiss:
    perturbation: gaussian_noise
    ladder: [0.01, 0.02]
    tags: [standard]
"""


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))


def names(probes: tuple[Probe, ...]) -> set[str]:
    return {probe.name for probe in probes}


def write(folder: Path, text: str, name: str = "noise.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


# The shipped battery.

FAMILIES = {
    *("identity", "noise", "blur", "photometric", "geometric"),
    *("codec", "occlusion", "frequency", "weather", "adversarial"),
}


def counted(tag: str) -> tuple[Probe, ...]:
    """The shipped probes of a tag that a score counts, without films."""
    floor, *battery = select_battery(load_probes(), [tag])
    assert floor.name == "identity"
    return tuple(probe for probe in battery if probe.family != "sequence")


def test_the_full_battery_is_large_and_even() -> None:
    full = counted("full")
    assert len(full) >= 34
    assert {probe.family for probe in full} | {"identity"} == FAMILIES
    assert names(select_battery(load_probes(), ["full"])) == names(load_probes())


def test_the_standard_battery_leaves_the_weather_out() -> None:
    standard = counted("standard")
    assert {probe.family for probe in standard} == FAMILIES - {"identity", "weather"}
    assert all(2 <= len(probe.ladder) <= 4 for probe in standard)


def test_the_quick_battery_runs_quick_ladders() -> None:
    quick = counted("quick")
    assert 6 <= len(quick) <= 10
    assert all(probe.ladder == probe.quick_ladder for probe in quick)
    assert all(len(probe.ladder) == 2 for probe in quick)
    assert names(quick) <= names(counted("standard"))


def test_every_shipped_probe_states_its_claim_and_its_source() -> None:
    for probe in load_probes():
        get(probe.perturbation)
        assert probe.claim.endswith("."), probe.name
        assert probe.unit or probe.name == "identity", probe.name
        file = Path(probe.place.rpartition(":")[0])
        assert file.parent == probes_dir()
        assert probe.source_text == file.read_text(encoding="utf-8")
        assert probe.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        line = probe.source_text.splitlines()[int(probe.place.rpartition(":")[2]) - 1]
        assert line.strip() == f"{probe.name}:"


def test_a_probe_may_state_its_own_claim() -> None:
    claims = {probe.name: probe.claim for probe in load_probes()}
    assert claims["hue"] != claims["brightness"] == claims["gamma"]


def test_what_needs_colour_says_so() -> None:
    probes = {probe.name: probe for probe in load_probes()}
    assert probes["hue"].needs == ("colour",)
    assert probes["brightness"].needs == ()


# Selection.

SMALL = {
    "identity": """\
family: identity
claim: Nothing changes.
probes:
  identity: {perturbation: identity, ladder: [1.0], tags: [quick, standard]}
""",
    "noise": """\
family: noise
claim: Noise.
probes:
  hiss: {perturbation: gaussian_noise, ladder: [0.1, 0.2], quick_ladder: [0.2], tags: [standard]}
  grain: {perturbation: speckle_noise, ladder: [0.1, 0.2], tags: [standard]}
""",
    "light": """\
family: light
claim: Light.
probes:
  lamp: {perturbation: brightness, ladder: [0.1, 0.2], quick_ladder: [0.1], tags: [standard]}
  lantern: {perturbation: contrast, ladder: [0.1, 0.2], tags: [standard, night]}
  tint: {perturbation: hue, ladder: [0.1, 0.2]}
""",
}


@pytest.fixture
def small(tmp_path: Path) -> tuple[Probe, ...]:
    for family, text in SMALL.items():
        write(tmp_path, text, f"{family}.yaml")
    return load_probes(tmp_path)


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        (["standard"], [], "identity hiss grain lamp lantern"),
        (["quick"], [], "identity hiss lamp"),
        (["full"], [], "identity hiss grain lamp lantern tint"),
        (["noise"], [], "identity hiss grain"),
        (["tint"], [], "identity tint"),
        (["night"], [], "identity lantern"),
        (["la*"], [], "identity lamp lantern"),
        (["grain, tint", "light"], ["la*"], "identity grain tint"),
        (["quick"], ["noise,tint"], "identity lamp"),
        (["tint"], ["identity"], "tint"),
        (["standard"], ["quick"], "identity grain lantern"),
        (["identity"], [], "identity"),
        (["standard"], ["standard", "tint"], None),
        (["identity"], ["identity"], None),
        ([], [], None),
        (["quick"], ["full"], None),
    ],
)
def test_selection(
    select: list[str], ignore: list[str], expected: str | None, small: tuple[Probe, ...]
) -> None:
    if expected is None:
        with pytest.raises(ProbeError, match="battery is empty"):
            select_battery(small, select, ignore)
    else:
        assert names(select_battery(small, select, ignore)) == set(expected.split())


def test_a_probe_selected_otherwise_too_runs_its_whole_ladder(small: tuple[Probe, ...]) -> None:
    battery = select_battery(small, ["quick", "noise"])
    ladders = {probe.name: len(probe.ladder) for probe in battery}
    assert ladders["hiss"] == 2
    assert ladders["lamp"] == 1


@pytest.mark.parametrize(
    ("entry", "nearest"),
    [("lanterm", "lantern"), ("standrad", "standard"), ("lights", "light")],
)
def test_an_entry_that_matches_nothing_names_the_nearest(
    entry: str, nearest: str, small: tuple[Probe, ...]
) -> None:
    match = rf"{entry!r} \(did you mean {nearest!r}\?\)"
    with pytest.raises(ProbeError, match=match):
        select_battery(small, [entry])
    with pytest.raises(ProbeError, match=match):
        select_battery(small, ["full"], [entry])


def test_a_plugin_with_a_ladder_is_a_probe(tmp_path: Path) -> None:
    @perturbation(family="weather", ladder=(0.1, 0.2))
    def drizzle(images, strength, draw):  # type: ignore[no-untyped-def]
        """Rain a little.

        Details.
        """
        return images

    (probe,) = (probe for probe in load_probes() if probe.name == "drizzle")
    assert (probe.family, probe.claim, probe.ladder) == ("weather", "Rain a little.", (0.1, 0.2))
    assert probe.tags == {"standard", "full"}
    assert "def drizzle" in probe.source_text
    assert (probe.unit, probe.place) == ("", "perturbation 'drizzle'")
    assert "drizzle" in names(select_battery(load_probes()))
    clash = write(tmp_path, GOOD.replace("hiss", "drizzle"))
    with pytest.raises(ProbeError, match=r"'drizzle' is already given by .*noise\.yaml:4"):
        load_probes(clash)


def test_a_plugin_without_a_claim_is_refused() -> None:
    perturbation(family="weather", ladder=(0.1,), name="mute")(lambda images, *_: images)
    with pytest.raises(ProbeError, match="'mute' carries a ladder but no docstring"):
        load_probes()


# Files.


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("ladder:", "ladderr:", 6, r"unknown key 'ladderr' \(did you mean 'ladder'\?\)"),
        ("    ladder: [0.01, 0.02]\n", "", 4, "missing key 'ladder'"),
        ("claim:", "clam:", 2, r"unknown key 'clam' \(did you mean 'claim'\?\)"),
        ("gaussian_noise", "gausian_noise", 5, r"did you mean 'gaussian_noise'\?"),
        ("[0.01, 0.02]", "[0.02, 0.01]", 6, "rise strictly"),
        ("[0.01, 0.02]", "[0, 0.01]", 6, "above 0"),
        ("[0.01, 0.02]", "[0.01, .inf]", 6, "finite"),
        ("[0.01, 0.02]", "[0.01, 1.5]", 6, "largest strength"),
        ("[0.01, 0.02]", "[]", 6, "at least one"),
        ("[0.01, 0.02]", "[0.01, '0.02']", 6, "valid number, got '0.02'"),
        ("[0.01, 0.02]", "[0.01, true]", 6, "valid number, got True"),
        ("[0.01, 0.02]", "0.01", 6, "valid tuple"),
        ("[standard]", "[standard, 'a b']", 7, "match pattern"),
        ("    tags:", "    quick_ladder: [0.03]\n    tags:", 7, r"holds \[0.03\]"),
        ("    tags:", "    quick_ladder: []\n    tags:", 7, "at least one"),
        ("  hiss:", "  hi ss:", 4, "match pattern"),
        ("    tags:", "    limit: 0.01\n    tags:", 7, "limit 0.01 must lie between"),
        ("    tags:", "    limit: 1.5\n    tags:", 7, "limit 1.5 must lie between"),
        ("    tags:", "    limit: much\n    tags:", 7, "valid number, got 'much'"),
        ("    tags:", "    ladder: [0.1]\n    tags:", 7, "key 'ladder' is given twice"),
        ("[0.01, 0.02]", "[0.01, 0.02", 7, "expected ',' or ']'"),
        ("[0.01, 0.02]", "&a [0.01]\n    quick_ladder: *a", 6, "aliases are not supported"),
        ("[standard]", "!!python/object:os.system [x]", 7, "could not determine a constructor"),
        ("Nothing changes.", "", 2, "claim"),
        ("family: noise", "- family", 2, "expected <block end>"),
    ],
)
def test_a_mistake_names_its_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    assert old in GOOD
    folder = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ProbeError, match=rf"noise\.yaml:{line}: .*{message}"):
        load_probes(folder)


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD.replace("ladder:", "ladderr:").replace("claim:", "clam:"))
    with pytest.raises(ProbeError) as caught:
        load_probes(folder)
    assert len(str(caught.value).splitlines()) == 4


def test_names_are_unique_over_files(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "other.yaml")
    with pytest.raises(ProbeError, match=r"other\.yaml:4: probe 'hiss' .*noise\.yaml:4"):
        load_probes(tmp_path)


def test_no_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="holds no probe files"):
        load_probes(tmp_path)


def test_the_quick_ladder_is_the_tag_quick(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD.replace("    tags:", "    quick_ladder: [0.02]\n    tags:"))
    (probe,) = load_probes(folder)
    assert probe.tags == {"quick", "standard", "full"}
    (quick,) = select_battery((probe,), ["quick"])
    assert quick.ladder == (0.02,)


@pytest.mark.parametrize(
    ("ladder", "unit"),
    [
        ("ladder: [0.01, 0.02]", ""),
        ("ladder: [0.01, 0.02]   # share of white  ", "share of white"),
        ("ladder:  # share of white\n      [0.01,\n       0.02]  # not this", "share of white"),
    ],
)
def test_the_comment_on_the_ladder_is_its_unit(ladder: str, unit: str, tmp_path: Path) -> None:
    text = GOOD.replace("ladder: [0.01, 0.02]", f"{ladder}\n    limit: 0.5")
    (probe,) = load_probes(write(tmp_path, text))
    assert (probe.unit, probe.ladder, probe.limit) == (unit, (0.01, 0.02), 0.5)
    assert probe.place == f"{tmp_path / 'noise.yaml'}:4"
