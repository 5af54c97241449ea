"""What a scan asks for beside outputs: gradients, worst cases, and whether they can be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import ON_CPU, Linear, classifier, pictures
from PIL import Image
from torch import Tensor, nn

import semaudit
from semaudit.asking import QUICK_SAMPLES, SAMPLES, ask, effort_of, refuse_idle_flags, selected
from semaudit.battery import open_battery
from semaudit.errors import GateError, UsageError
from semaudit.gates import exit_code
from semaudit.gates.binding import bind
from semaudit.gates.converging import too_low
from semaudit.gates.grammar import parse
from semaudit.images import open_pictures
from semaudit.metric import CONVERGED
from semaudit.metrics import METRICS
from semaudit.probes import load_probes, select_battery
from semaudit.report.document import Outcome
from semaudit.report.terminal import to_text
from semaudit.settings import Settings, resolve
from semaudit.worst import CHEAP, FULL

SIZE = (3, 12, 12)
GRADIENTS = {metric.name for metric in METRICS.values() if metric.needs_gradients}


class Rounded(nn.Module):
    """A network behind a stage that keeps 16 levels."""

    num_classes = 4

    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear(SIZE, 4, seed=1, scale=0.2)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner((images * 15).round() / 15)


class Detached(nn.Module):
    """A network that shows nobody its gradients."""

    num_classes = 4

    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear(SIZE, 4, seed=1, scale=0.2)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images).detach()


def scan(module: nn.Module, **settings: object) -> semaudit.Audit:
    images = pictures(12, SIZE, seed=2, low=0.1, high=0.9)
    return semaudit.scan(module, images, input_size=SIZE, **{**ON_CPU, **settings})


def battery(*names: str):
    return select_battery(load_probes(), names)


def linear() -> Linear:
    return Linear(SIZE, 4, seed=1, scale=0.2)


@pytest.mark.parametrize(
    ("select", "worst_case", "expected"),
    [
        (None, False, None),
        (("noise",), False, ("noise",)),
        (None, True, ("standard", "adversarial")),
        (("noise",), True, ("noise", "adversarial")),
    ],
)
def test_the_flag_adds_the_worst_cases(
    select: tuple[str, ...] | None, worst_case: bool, expected: tuple[str, ...] | None
) -> None:
    assert selected(Settings(worst_case=worst_case), select) == expected


@pytest.mark.parametrize(
    ("settings", "names", "effort", "samples"),
    [
        ({}, ("standard",), CHEAP, SAMPLES),
        ({}, ("quick",), None, QUICK_SAMPLES),
        ({}, ("full",), FULL, SAMPLES),
        ({}, ("identity,full",), FULL, SAMPLES),
        ({}, ("full", "identity"), FULL, SAMPLES),
        ({"worst_case": True}, ("adversarial",), FULL, QUICK_SAMPLES),
        ({"gradient_samples": 7}, ("quick",), None, 7),
        ({"gradients": False}, ("standard",), CHEAP, None),
        ({"gradients": False}, ("quick",), None, None),
    ],
)
def test_how_hard_it_looks(
    settings: dict[str, object], names: tuple[str, ...], effort: object, samples: int | None
) -> None:
    chosen, given = open_battery(select=names), Settings(**settings)
    hard = effort_of(given, chosen)
    asked, notes = ask(given, classifier(linear(), SIZE), chosen.probes, None, hard)
    assert (asked.hunt.effort if asked.hunt else None) == effort
    assert asked.samples == samples
    assert notes == ()


def test_the_objective_is_the_one_that_was_asked_for() -> None:
    settings = Settings(worst_objective="margin")
    chosen = open_battery(select=["adversarial"])
    hard = effort_of(settings, chosen)
    asked, _ = ask(settings, classifier(linear(), SIZE), chosen.probes, None, hard)
    assert asked.hunt is not None
    assert asked.hunt.effort.objective == "margin"


def test_without_gradients_none_is_measured_and_none_can_be_limited() -> None:
    audit = scan(linear(), select=["noise"], gradients=False)
    assert not GRADIENTS & {estimate.metric for estimate in audit.report.estimates}
    assert not GRADIENTS & {each.name for each in audit.report.metrics}
    with pytest.raises(UsageError, match="'gradient_turn<=1' needs gradients, which --no-grad"):
        scan(linear(), select=["noise"], gradients=False, fail_on=["gradient_turn<=1"])


def test_worst_cases_stand_beside_the_whole() -> None:
    with_, without = (
        scan(linear(), select=select, gradients=False)
        for select in (["noise", "worst_linf"], ["noise"])
    )
    assert with_.score == without.score
    for name in ("shift", "flip_rate", "jump"):
        assert with_.report.estimate(name) == without.report.estimate(name)
    found = with_.report.estimate("shift", "family", "adversarial")
    assert found is not None
    assert found == with_.report.estimate("shift", "probe", "worst_linf").model_copy(
        update={"scope": "family", "name": "adversarial"}
    )
    assert {worst.probe for worst in with_.report.worst} & {"worst_linf"} == set()


def test_a_worst_case_is_limited_by_its_name() -> None:
    audit = scan(
        linear(),
        select=["noise", "worst_linf"],
        gradients=False,
        fail_on=["shift[worst_linf@4]>=0.0001", "shift[adversarial]<=0.999"],
    )
    assert [verdict.value is not None for verdict in audit.verdicts] == [True, True]
    with pytest.raises(UsageError, match="matches nothing"):
        scan(linear(), select=["worst_linf"], fail_on=["shift[worst*]<=0.5"])


def test_gates_on_what_is_masked_do_not_pass() -> None:
    limits = ["shift[worst_linf]<=0.9", "gradient_turn[noise]<=1.99", "flip_rate[noise]<=0.999"]
    sound = scan(linear(), select=["noise", "worst_linf"], fail_on=limits)
    assert sound.report.doubts == []
    assert {verdict.outcome for verdict in sound.verdicts} == {Outcome.PASS}
    masked = scan(Rounded(), select=["noise", "worst_linf"], fail_on=limits)
    assert "rounding_stage" in {doubt.name for doubt in masked.report.doubts}
    worst, turn, flips = masked.verdicts
    assert (worst.outcome, turn.outcome) == (Outcome.INCONCLUSIVE,) * 2
    assert "not to be trusted: " in worst.reason
    assert flips.outcome is Outcome.PASS


def test_a_gate_that_fails_all_the_same_fails() -> None:
    masked = scan(Rounded(), select=["noise", "worst_linf"], fail_on=["shift[worst_linf]>=0.99"])
    assert masked.report.doubts
    assert [verdict.outcome for verdict in masked.verdicts] == [Outcome.FAIL]


def test_a_model_without_gradients_is_searched_all_the_same() -> None:
    audit = scan(Detached(), select=["brightness", "worst_linf"])
    assert any("no input gradients can be had" in note for note in audit.report.data.notes)
    assert audit.report.estimate("gradient_turn") is None
    assert audit.report.estimate("jacobian_frobenius") is not None
    assert audit.report.estimate("shift", "probe", "worst_linf") is not None


def test_a_limit_that_can_have_no_value_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="gradients are taken along identity, noise, blur"):
        scan(linear(), select=["noise", "worst_linf"], fail_on=["gradient_turn[worst_linf]<=0.5"])


def test_a_limit_on_a_search_that_is_not_there_says_how_to_add_it() -> None:
    with pytest.raises(UsageError, match=r"matches nothing: .*--worst-case"):
        scan(linear(), select=["noise"], fail_on=["flip_rate[worst_linf@1]<=0.2"])


def test_a_limit_on_an_audit_without_gradients_says_so() -> None:
    audit = scan(linear(), select=["noise"], gradients=False)
    metrics = {each.name: each.metric for each in audit.report.metrics}
    with pytest.raises(GateError, match="made with --no-gradients"):
        bind([parse("curvature_gradient<=0.5")], metrics, audit.report.layout, False, "softmax")


def test_a_gate_without_a_value_is_an_error_on_the_screen_as_in_the_exit_code() -> None:
    audit = scan(Detached(), select=["noise"], fail_on=["gradient_turn[noise]<=0.5"])
    (verdict,) = audit.verdicts
    assert (verdict.outcome, verdict.value) == (Outcome.INCONCLUSIVE, None)
    screen = to_text(audit.report)
    assert "ERROR" in screen
    assert "gates: 1 error" in screen
    assert "INCONCLUSIVE" not in screen
    code = exit_code([verdict], degenerate=False, accept_inconclusive=True, exit_zero=True)
    assert code == 3


def test_no_gate_passes_on_a_norm_that_has_not_converged() -> None:
    audit = scan(linear(), select=["noise"])
    residuals = audit.images()["jacobian_spectral_residual"]
    assert (residuals <= CONVERGED).all()
    limits = [parse("jacobian_spectral<=1e6"), parse("jacobian_spectral>=1e-6")]
    metrics = {each.name: each.metric for each in audit.report.metrics}
    bound = bind(limits, metrics, audit.report.layout, False, "softmax")
    stored = Stored(residuals.to_numpy())
    assert [too_low(each, stored) for each in bound] == [None, None]
    stored.residuals = np.where(np.arange(len(residuals)) < 2, 0.3, residuals)
    above, below = (too_low(each, stored) for each in bound)
    assert above is not None
    assert "lower bound and has not converged on 2 of 12 pictures" in above
    assert below is None


class Stored:
    """Samples that hold nothing but norms of 1 and residuals."""

    def __init__(self, residuals: np.ndarray) -> None:
        self.residuals = residuals

    def image(self, column: str) -> np.ndarray:
        return self.residuals if column.endswith("residual") else np.ones(len(self.residuals))


class Raising(Detached):
    """A network that cannot be asked for gradients at all."""

    def forward(self, images: Tensor) -> Tensor:
        if images.requires_grad:
            raise RuntimeError("no training here")
        return self.inner(images)


@pytest.mark.parametrize("module", [Detached(), Raising()], ids=["detached", "raising"])
def test_no_gate_passes_on_a_worst_case_that_was_looked_for_blindly(module: nn.Module) -> None:
    limits = ["shift[worst_linf]<=0.99", "flip_rate[noise]<=0.999"]
    audit = scan(module, select=["noise", "worst_linf"], fail_on=limits)
    assert "searched_without_gradients" in {doubt.name for doubt in audit.report.doubts}
    worst, drawn = audit.verdicts
    assert (worst.outcome, drawn.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert "searched_without_gradients" in worst.reason
    (note,) = (each for each in audit.report.data.notes if "no input gradients" in each)
    assert ("RuntimeError: no training here" in note) == isinstance(module, Raising)
    assert "size" not in note


def test_a_search_over_few_parameters_is_not_blind() -> None:
    audit = scan(Detached(), select=["worst_move"])
    assert audit.report.doubts == []


def test_columns_of_gradients_follow_the_samples() -> None:
    audit = scan(linear(), select=["noise", "worst_linf", "jpeg"])
    samples, images = audit.samples(), audit.images()
    noise = samples[samples["family"] == "noise"]
    # A linear model's gradient is the same everywhere.
    assert noise["gradient_turn"].max() < 1e-6
    assert noise["gradient_lipschitz"].max() < 1e-4
    assert (
        samples[samples["family"] != "noise"]
        .query("family != 'identity'")["gradient_turn"]
        .isna()
        .all()
    )
    norms = torch.linalg.svdvals(linear().head.weight.detach())
    assert (images["jacobian_spectral"] <= float(norms[0]) * (1 + 1e-5)).all()
    assert images["loss_gradient_l2"].isna().all()


def test_a_battery_file_that_selects_all_is_looked_at_thoroughly(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("select: [full]\n")
    assert effort_of(Settings(), open_battery(tmp_path / "b.yaml")) == FULL
    assert effort_of(Settings(), open_battery(tmp_path / "b.yaml", ["adversarial"])) == FULL
    (tmp_path / "b.yaml").write_text("select: [adversarial]\n")
    assert effort_of(Settings(), open_battery(tmp_path / "b.yaml")) == CHEAP


class Limited(nn.Module):
    """A rounding stage before a network that takes so many pictures at once."""

    num_classes = 4

    def __init__(self, most: int, error: type[Exception]) -> None:
        super().__init__()
        self.inner, self.most, self.error = Rounded(), most, error

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise self.error("out of memory" if self.error is MemoryError else "too many")
        return self.inner(images)


@pytest.mark.parametrize("error", [ValueError, MemoryError])
@pytest.mark.parametrize("most", [8, 4, 2])
def test_a_model_that_takes_few_pictures_at_once_is_checked_all_the_same(
    most: int, error: type[Exception]
) -> None:
    limit = "shift[worst_linf]<=0.9"
    audit = scan(Limited(most, error), select=["worst_linf"], batch_size=2, fail_on=[limit])
    assert "rounding_stage" in {doubt.name for doubt in audit.report.doubts}
    assert [each.outcome for each in audit.verdicts] == [Outcome.INCONCLUSIVE]


def test_pictures_that_cannot_be_read_are_not_checked(tmp_path: Path) -> None:
    """Of the first eight a few, of the next eight none, can be read."""
    images = pictures(24, SIZE, seed=2, low=0.1, high=0.9)
    for index, image in enumerate(images.mul(255).byte().permute(0, 2, 3, 1).numpy()):
        path = tmp_path / f"{index:02}.png"
        if index in (0, 1, 20):
            Image.fromarray(image).save(path)
        else:
            path.write_bytes(b"no picture")
    model = classifier(linear(), SIZE)
    source = open_pictures(tmp_path, model.preprocessing, model.class_names, model.num_classes)
    # A source is not sampled from, as a folder is.
    audit = semaudit.scan(model, source, **ON_CPU, select=["worst_linf"], max_unreadable=0.9)
    assert audit.report.data.pictures == 3
    assert "checks_failed" not in {doubt.name for doubt in audit.report.doubts}


def test_checks_that_cannot_be_run_are_a_doubt_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    from semaudit import asking

    def failing(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(asking, "examine", failing)
    audit = scan(linear(), select=["worst_linf"], fail_on=["shift[worst_linf]<=0.99"])
    assert [doubt.name for doubt in audit.report.doubts] == ["checks_failed"]
    assert "out of memory" in audit.report.doubts[0].evidence
    assert [each.outcome for each in audit.verdicts] == [Outcome.INCONCLUSIVE]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"gradient_samples": 2, "gradients": False}, "--gradient-samples would have no effect"),
        ({"worst_case": True, "ignore": ["adversarial"]}, "--worst-case would have no effect"),
        ({"worst_objective": "kl", "select": ["worst_move"]}, "--worst-objective would have no"),
    ],
)
def test_an_idle_flag_is_refused(flags: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scan(linear(), **flags)


def test_a_file_may_state_what_other_runs_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "semaudit.yaml"
    file.write_text("gradient_samples: 3\nworst_objective: kl\n")
    resolved = resolve({"select": ["brightness"], "gradients": False}, environment={}, config=file)
    refuse_idle_flags(resolved, open_battery(select=["brightness"]).probes)
