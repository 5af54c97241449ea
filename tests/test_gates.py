"""Gates: what can be written, what is refused and why, and what the intervals make of it."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import LAYOUT, written

from semaudit import gates
from semaudit.columns import values
from semaudit.errors import GateError
from semaudit.layout import Layout
from semaudit.measurable import measurable
from semaudit.metrics import GATEABLE
from semaudit.report.document import Outcome, Verdict
from semaudit.store import Samples

# Reading.


@st.composite
def written_gates(draw: st.DrawFn) -> tuple[str, gates.Gate]:
    """A gate's text, with spaces where they are allowed, and what it means."""

    def space() -> str:
        return draw(st.sampled_from(["", " ", "  "]))

    metric = draw(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True))
    statistic = draw(st.sampled_from([None, *gates.STATISTICS]))
    scope = draw(st.none() | st.from_regex(r"[a-z*?][a-z0-9_*?-]*", fullmatch=True))
    rung: int | float | None = None
    if scope is not None:
        strengths = st.floats(1e-6, 1e6, allow_nan=False)
        rung = draw(st.none() | st.integers(1, 99) | strengths)
    at_most = draw(st.booleans())
    limit = draw(st.floats(allow_nan=False, allow_infinity=False))
    at = "" if rung is None else f"{space()}@{space()}{rung!r}"
    where = "" if scope is None else f"[{space()}{scope}{at}{space()}]"
    head = metric + ("" if statistic is None else f".{statistic}")
    sign = "<=" if at_most else ">="
    value, factor = f"{limit!r}", None
    if statistic in (None, "mean") and draw(st.booleans()):
        value, factor, limit = draw(baseline_limits())
    text = f"{space()}{head}{where}{space()}{sign}{space()}{value}{space()}"
    meant = gates.Gate(
        text.strip(), metric, statistic or "mean", scope, rung, at_most, limit, factor
    )
    return text, meant


@st.composite
def baseline_limits(draw: st.DrawFn) -> tuple[str, float, float]:
    """A limit against a baseline, what it multiplies that by and what it adds."""
    factor = draw(st.none() | st.floats(1e-6, 1e6))
    margin = draw(st.none() | st.floats(-1e6, 1e6))
    space = draw(st.sampled_from(["", " "]))
    times = "" if factor is None else f"{space}*{space}{factor!r}"
    sign = "" if margin is None else "-" if math.copysign(1, margin) < 0 else "+"
    added = "" if margin is None else f"{space}{sign}{space}{abs(margin)!r}"
    return f"baseline{times}{added}", factor or 1.0, margin or 0.0


@given(written_gates())
def test_a_gate_means_what_was_written(pair: tuple[str, gates.Gate]) -> None:
    text, meant = pair
    read = gates.parse(text)
    assert read == meant
    assert type(read.rung) is type(meant.rung)
    assert gates.parse(read.text) == read


@given(st.text() | st.from_regex(r"[a-z.\[\]@<>=0-9 ²]{0,20}", fullmatch=True))
@settings(max_examples=300)
def test_any_other_text_is_refused_in_words(text: str) -> None:
    with suppress(GateError):
        assert gates.parse(text).text == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        *("", "flip_rate", "flip_rate<0.05", "flip_rate==0.05", "flip_rate<=", "flip_rate<=five"),
        *("flip_rate<=baselin", "flip_rate<=baseline*", "flip_rate<=baseline+", "x<=baseline*-1"),
        *("flip_rate<=0.5*baseline", "flip_rate<=baseline/2", "flip_rate<=baseline+0.1*2"),
        *("flip_rate[]<=0.1", "flip_rate[@2]<=0.1", "<=0.1", "shift<=nan", "shift<=0.1 0.2"),
    ],
)
def test_what_cannot_be_read_is_quoted_with_an_example(text: str) -> None:
    with pytest.raises(GateError, match="cannot read the limit") as refused:
        gates.parse(text)
    assert repr(text) in str(refused.value)
    assert "flip_rate<=0.05" in str(refused.value)


def test_an_unknown_statistic_names_the_nearest() -> None:
    with pytest.raises(GateError, match=r"unknown statistic 'medain'.*did you mean 'median'"):
        gates.parse("shift.medain<=0.1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shift.p95<=baseline", "only a mean can be held against a baseline.*p95s; limit shift"),
        ("shift.max<=baseline*2", "only a mean"),
        ("new_flips<=baseline", "new_flips already counts what changed.*'new_flips<=0.01'"),
        ("negative_flips<=baseline+0.1", "negative_flips already counts"),
        ("shift<=baseline*0", "above 0 and finite"),
        ("shift<=baseline*1e999", "above 0 and finite"),
        ("entropy<=baseline-1e999", "what is added to the baseline must be finite"),
    ],
)
def test_what_cannot_be_held_against_a_baseline(text: str, said: str) -> None:
    with pytest.raises(GateError, match=said) as refused:
        gates.parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "needed"),
    [("flip_rate<=baseline", True), ("new_flips<=0.1", True), ("flip_rate<=0.1", False)],
)
def test_what_needs_a_baseline(text: str, needed: bool, tmp_path: Path) -> None:
    read = gates.parse(text)
    assert read.needs_baseline is needed
    gates.refuse_limits_without_baseline([read], True)
    if needed:
        for refuse in (
            lambda: gates.refuse_limits_without_baseline([read], False),
            lambda: judge(written(tmp_path, 5), text),
        ):
            with pytest.raises(GateError, match=r"needs a baseline: name an audit.*--baseline"):
                refuse()


@pytest.mark.parametrize("rung", ["two", "²", "1e"])
def test_an_unreadable_rung_says_how_rungs_are_written(rung: str) -> None:
    with pytest.raises(GateError, match="a whole number counts the rungs from 1"):
        gates.parse(f"shift[hiss@{rung}]<=0.1")


# Binding.


def bind(text: str, *, labelled: bool = True, layout: Layout = LAYOUT) -> gates.BoundGate:
    return gates.bind([gates.parse(text)], GATEABLE, layout, labelled, "softmax")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flip_rat<=0.1", "unknown metric 'flip_rat' in 'flip_rat<=0.1' .did you mean 'flip_rate'"),
        ("flips<=0.1", "unknown metric 'flips' in .*did you mean 'flip_rate'"),
        ("turn<=0.1", "unknown metric 'turn' in .*did you mean 'gradient_turn'"),
        ("SSIM>=0.1", "unknown metric 'SSIM' in .*did you mean 'ssim'"),
        ("RMS<=0.1", "unknown metric 'RMS' in .*did you mean 'input_rms'"),
        ("new<=0.1", "unknown metric 'new' in .*did you mean 'new_flips'"),
        ("flip_rate[hsis]<=0.1", "matches nothing: no probe or family .*did you mean 'hiss'"),
        ("flip_rate[*zzz*]<=0.1", "matches nothing"),
        ("flip_rate<=-0.1", "impossible limit .* lies in .0, 1.*no model could meet it"),
        ("score>=101", "impossible limit"),
        ("flip_rate<=1", "idle limit .*no model could break it"),
        ("score>=0", "idle limit"),
        ("logit_distance>=0", "idle limit"),
        ("logit_distance<=1e999", "idle limit"),
        ("shift[hiss@3]<=0.1", "no rung 3 .hiss: 0.1, 0.2."),
        ("shift[hiss@0]<=0.1", "no rung 0"),
        ("shift[hiss@0.15]<=0.1", "no rung 0.15"),
        ("jump[hiss@1]<=0.1", "jump has no rungs; drop @1"),
        ("accuracy[hiss]>=0.7", "accuracy is not measured by probe; drop .hiss."),
        ("score[noise]>=70", "score is not measured by probe"),
        ("onset>=0.1", "in each probe's own strengths; name one probe"),
        ("onset[noise]>=0.1", "in each probe's own strengths; name one probe"),
        ("onset[hiss]>=0.3", "impossible limit .*0.2"),
        ("flip_rate<=baseline+1", "idle limit .*less the baseline's lies in .-1, 1"),
        ("flip_rate<=baseline*1.5+1", "idle limit .*less 1.5 x the baseline's lies in .-1.5, 1"),
        ("score>=baseline+101", "impossible limit .* lies in .-100, 100"),
        ("onset[hiss]>=baseline-0.2", "idle limit .*-0.2, 0.2"),
        ("new_flips<=1", "idle limit"),
        ("new_flips[hsis]<=0.1", "did you mean 'hiss'"),
        ("negative_flips[hiss]<=0.1", "negative_flips is not measured by probe; drop .hiss."),
    ],
)
def test_a_gate_that_says_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(GateError, match=said) as refused:
        bind(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["accuracy>=0.7", "accuracy>=baseline", "negative_flips<=0.1"])
def test_answers_need_labels(text: str) -> None:
    assert bind(text).metric.level == "image"
    with pytest.raises(GateError, match="the pictures have no labels"):
        bind(text, labelled=False)


def test_an_embedding_has_no_flips_to_limit() -> None:
    for text in (
        "flip_rate<=0.1",
        "new_flips<=0.1",
        "negative_flips<=0.1",
        "accuracy>=0.5",
        "onset[hiss]>=0.1",
    ):
        with pytest.raises(GateError, match="of an embedding, which has no classes") as caught:
            gates.bind([gates.parse(text)], measurable("none", 8), LAYOUT, True, "none")
        assert "limit one of " in str(caught.value)
        assert " shift," in str(caught.value)
        assert "flip_rate," not in str(caught.value)
    gates.bind([gates.parse("shift<=0.1")], measurable("none", 8), LAYOUT, True, "none")


def test_the_classes_bound_the_entropy() -> None:
    for activation, most in (("softmax", 3), ("sigmoid", 8)):
        metrics = measurable(activation, 8)  # type: ignore[arg-type]
        assert metrics["entropy"].bounds == (0, most)
        with pytest.raises(GateError, match=f"idle limit .* lies in .0, {most}"):
            gates.bind([gates.parse(f"entropy<={most}")], metrics, LAYOUT, True, "softmax")
    assert GATEABLE["entropy"].bounds == (0, math.inf)


def test_the_noise_floor_needs_its_probe() -> None:
    assert bind("noise_floor<=0.1").part.rung is None
    with pytest.raises(GateError, match="'identity' was left out"):
        bind("noise_floor<=0.1", layout=Layout(LAYOUT.tracks[1:]))


def test_what_a_scope_takes_in() -> None:
    assert bind("flip_rate<=0.1").part.tracks == (1, 2, 3)
    assert bind("flip_rate[noise]<=0.1").part.tracks == (1, 2)
    assert bind("flip_rate[lamp]<=0.1").part.tracks == (3,)
    assert bind("flip_rate[h*]<=0.1").part.tracks == (1,)
    assert bind("flip_rate[identity]<=0.1").part.tracks == (0,)
    assert bind("onset[hiss]>=0.1").bounds == (0, 0.2)


def test_a_whole_number_counts_rungs_and_a_decimal_is_a_strength(tmp_path: Path) -> None:
    samples = written(tmp_path, 50)
    shift = samples.rung("shift")
    # Cells: identity, hiss 1 2, grain 1 2 3, lamp 1 2.
    for text, cells in [
        ("shift[hiss@2]<=0.1", [2]),
        ("shift[hiss@0.2]<=0.1", [2]),
        ("shift[grain@3]<=0.1", [5]),
        ("shift[noise@0.1]<=0.1", [1, 3]),
        ("shift[noise@0.4]<=0.1", [5]),  # of the probes that have it
    ]:
        bound = bind(text)
        numbers = values(samples, bound.metric, [bound.part])[:, 0]
        np.testing.assert_allclose(numbers, shift[:, cells].mean(axis=1), rtol=1e-6)


def test_probes_and_families_count_alike(tmp_path: Path) -> None:
    samples = written(tmp_path, 50)
    shift = samples.rung("shift").astype(np.float64)
    hiss, grain, lamp = shift[:, 1:3].mean(1), shift[:, 3:6].mean(1), shift[:, 6:8].mean(1)
    bound = bind("shift<=0.1")
    numbers = values(samples, bound.metric, [bound.part])[:, 0]
    np.testing.assert_allclose(numbers, ((hiss + grain) / 2 + lamp) / 2, rtol=1e-6)


# Judging.


def judge(samples: Samples, *texts: str, degenerate: str | None = None) -> list[Verdict]:
    return gates.judge([bind(text) for text in texts], samples, degenerate)


def says(verdict: Verdict, limit: float, *, at_most: bool) -> Outcome:
    """What the shown interval says of a limit."""
    assert verdict.value is not None
    low = -math.inf if verdict.low is None else verdict.low
    high = math.inf if verdict.high is None else verdict.high
    assert low <= verdict.value <= high
    if low <= limit <= high:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS if (high < limit) == at_most else Outcome.FAIL


@pytest.mark.parametrize("statistic", gates.STATISTICS)
@pytest.mark.parametrize("metric", ["flip_rate", "shift", "logit_distance"])
def test_the_verdict_is_what_the_interval_says(metric: str, statistic: str, tmp_path: Path) -> None:
    samples = written(tmp_path, 80)
    seen = set()
    for at_most in (True, False):
        for limit in np.linspace(0.01, 0.99, 50).tolist():
            sign = "<=" if at_most else ">="
            (verdict,) = judge(samples, f"{metric}.{statistic}{sign}{limit!r}")
            assert verdict.outcome is says(verdict, limit, at_most=at_most)
            assert verdict.level == gates.ALPHA
            assert verdict.n == 80
            seen.add(verdict.outcome)
    assert seen == set(Outcome)


@pytest.mark.parametrize("statistic", gates.STATISTICS)
def test_the_estimate_is_the_statistic_over_pictures(statistic: str, tmp_path: Path) -> None:
    samples = written(tmp_path, 81)
    bound = bind(f"shift.{statistic}[lamp]<=0.5")
    numbers = values(samples, bound.metric, [bound.part])[:, 0]
    expected = {
        "mean": numbers.mean(),
        "median": np.median(numbers),
        "p95": np.quantile(numbers, 0.95),
        "max": numbers.max(),
    }
    (verdict,) = gates.judge([bound], samples)
    assert verdict.value == pytest.approx(expected[statistic], rel=1e-6)


def test_many_gates_share_one_error_rate(tmp_path: Path) -> None:
    samples = written(tmp_path, 200)
    alone = judge(samples, "shift<=0.9")[0]
    texts = ["shift<=0.9", "shift<=0.1", "shift[hiss]<=0.5", "flip_rate<=0.9"]
    verdicts = judge(samples, *texts)
    assert alone.level == 0.05
    # The clearest is held against a quarter of 5 %, the next against a third.
    levels = sorted(verdict.level for verdict in verdicts)
    assert levels == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 2, 0.05])
    for verdict, text in zip(verdicts, texts, strict=True):
        assert verdict.gate == text
        limit = gates.parse(text).limit
        assert verdict.outcome is says(verdict, limit, at_most=True)


def test_a_gate_that_passes_alone_may_be_undecided_in_company(tmp_path: Path) -> None:
    samples = written(tmp_path, 60)
    high = judge(samples, "shift[hiss]<=0.9")[0].high
    assert high is not None
    barely = f"shift[hiss]<={high + 1e-4!r}"
    assert judge(samples, barely)[0].outcome is Outcome.PASS
    # Others whose limits lie on their estimates, and that nothing can decide.
    company = [
        f"shift[{name}]<={judge(samples, f'shift[{name}]<=0.9')[0].value!r}"
        for name in ("lamp", "grain", "noise")
    ]
    verdicts = judge(samples, barely, *company)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.INCONCLUSIVE}
    assert {verdict.level for verdict in verdicts} == {0.05 / 4}


@pytest.mark.parametrize(("metric", "limit"), [("flip_rate[lamp@1]", 0.25), ("shift", 0.53)])
def test_so_many_pictures_do_decide(metric: str, limit: float, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few = written(tmp_path / "few", 40, seed=3)
    text = f"{metric}<={limit}"
    (verdict,) = judge(few, text)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.pictures_to_decide is not None
    assert verdict.pictures_to_decide > 40
    said = re.fullmatch(
        r"about ([\d,]+) pictures like these would make it (pass|fail)", verdict.reason
    )
    assert said is not None
    assert said[1] == f"{verdict.pictures_to_decide:,}"
    # The same pictures over and over keep the value and bring the number.
    copies = math.ceil(verdict.pictures_to_decide / 40)
    many = _repeated(few, tmp_path / "many", copies)
    (decided,) = judge(many, text)
    assert decided.value == pytest.approx(verdict.value)
    assert decided.outcome.value == said[2]


def test_which_way_more_pictures_lead_is_not_the_estimate_s_side(tmp_path: Path) -> None:
    """A p95 of few pictures lies between the two largest; of more like these, it is the largest."""
    few = written(tmp_path, 6, seed=3)
    numbers = np.sort(values(few, bind("shift<=0.5").metric, [bind("shift<=0.5").part])[:, 0])
    between = (np.quantile(numbers, 0.95) + numbers[-1]) / 2
    for limit, way in ((between, "fail"), (numbers[-1] + 1e-3, "pass")):
        (verdict,) = judge(few, f"shift.p95<={float(limit)!r}")
        assert verdict.value is not None
        assert verdict.value < limit
        assert verdict.reason.endswith(f"pictures like these would make it {way}")


def test_a_maximum_says_what_cannot_be_shown(tmp_path: Path) -> None:
    (verdict,) = judge(written(tmp_path, 6), "shift.max<=0.999")
    assert verdict.reason == (
        "no number of pictures makes a maximum pass; limit the p95 or the mean instead"
    )


def steady(folder: Path, count: int) -> Samples:
    """Pictures that nothing flips, of which every one is taken for what it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    samples = written(folder, count)
    for table, column, value in (
        ("samples.parquet", "flip", 0.0),
        ("samples.parquet", "shift", 0.0),
        ("images.parquet", "correct", 1.0),
    ):
        whole = pq.read_table(folder / table)
        at = whole.column_names.index(column)
        kind = whole.schema.field(column).type
        same = pa.array(np.full(whole.num_rows, value)).cast(kind)
        pq.write_table(whole.set_column(at, column, same), folder / table)
    return samples


@pytest.mark.parametrize("company", [(), ("shift<=0.9", "shift[noise]<=0.9")])
@pytest.mark.parametrize("text", ["flip_rate<=0.0", "flip_rate[lamp@1] <= 0", "accuracy>=1"])
def test_a_limit_that_nothing_can_show_names_one_that_can(
    text: str, company: tuple[str, ...], tmp_path: Path
) -> None:
    count, samples = 40, steady(tmp_path, 40)
    verdict, *_ = judge(samples, text, *company)
    assert (verdict.outcome, verdict.pictures_to_decide) == (Outcome.INCONCLUSIVE, None)
    subject = text.replace(" ", "").rstrip("0.1").rstrip("<>=0.")
    assert f"no number of pictures can show that {subject.partition('[')[0]} is" in verdict.reason
    # Clopper and Pearson with none of n, two-sided, of which the level is Holm's.
    bound = 1 - (verdict.level / 2) ** (1 / count)
    found = re.search(r"40 pictures at [01] can show (\S+) at (\S+) % confidence", verdict.reason)
    assert found is not None
    weaker = gates.parse(found[1])
    shown = weaker.limit if weaker.at_most else 1 - weaker.limit
    assert bound <= shown <= bound * 1.01 + 0.001
    assert float(found[2]) == pytest.approx(100 * (1 - verdict.level), rel=1e-3)
    assert judge(samples, found[1], *company)[0].outcome is Outcome.PASS


def test_a_quantile_at_its_end_shows_any_limit_beyond(tmp_path: Path) -> None:
    samples = steady(tmp_path, 400)
    (verdict,) = judge(samples, "shift.p95<=0")
    assert "400 pictures at 0 show any limit above it at 95 % confidence" in verdict.reason
    assert judge(samples, "shift.p95<=0.000001")[0].outcome is Outcome.PASS
    (few,) = judge(samples, "shift.max<=0")
    assert few.reason.endswith("limit the p95 or the mean instead")


def test_few_pictures_of_a_quantile_can_show_nothing(tmp_path: Path) -> None:
    (verdict,) = judge(steady(tmp_path, 8), "shift.p95<=0")
    assert verdict.reason.endswith("limit something weaker, and take more pictures")


def test_a_broken_limit_at_the_edge_fails(tmp_path: Path) -> None:
    flips, right = judge(written(tmp_path, 40), "flip_rate<=0", "accuracy>=1")
    assert (flips.outcome, right.outcome) == (Outcome.FAIL, Outcome.FAIL)


def _repeated(samples: Samples, folder: Path, copies: int) -> Samples:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for table in ("images.parquet", "paths.parquet", "samples.parquet"):
        once = pq.read_table(samples.folder / table)
        pq.write_table(pa.concat_tables([once] * copies), folder / table)
    return Samples(folder, samples.layout)


def test_of_a_degenerate_model_only_accuracy_is_judged(tmp_path: Path) -> None:
    samples = written(tmp_path, 200)
    shift, accuracy = judge(samples, "shift<=0.9", "accuracy>=0.5", degenerate="all the same")
    assert shift.outcome is Outcome.INCONCLUSIVE
    assert shift.reason == "cannot be judged: all the same"
    assert accuracy.outcome is Outcome.PASS


def test_a_limit_on_what_was_measured_nowhere_is_undecided(tmp_path: Path) -> None:
    with_gaps = written(tmp_path, 10)
    _without_features(tmp_path)
    (verdict,) = judge(with_gaps, "feature_distance<=0.5")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.value is None
    assert "no picture has a value of feature_distance" in verdict.reason


def _without_features(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "samples.parquet")
    at = table.column_names.index("feature_distance")
    nothing = pa.array(np.full(table.num_rows, np.nan, dtype=np.float32))
    pq.write_table(table.set_column(at, "feature_distance", nothing), folder / "samples.parquet")


def test_an_onset_that_never_came_counts_as_the_end_of_the_ladder(tmp_path: Path) -> None:
    (verdict,) = judge(written(tmp_path, 30), "onset[hiss]>=0.1")
    assert verdict.value == pytest.approx(0.2)
    assert verdict.outcome is Outcome.PASS


# Exit codes.


def verdict(outcome: str, value: float | None = 0.5) -> Verdict:
    return Verdict(
        gate="shift<=0.1",
        outcome=Outcome(outcome),
        value=value,
        low=None,
        high=None,
        level=0.05,
        n=1,
        pictures_to_decide=None,
        reason="",
    )


PASS, FAIL, MAYBE = verdict("pass"), verdict("fail"), verdict("inconclusive")
NOTHING = verdict("inconclusive", value=None)


@pytest.mark.parametrize(
    ("verdicts", "degenerate", "plain", "accepting", "zero"),
    [
        ([], False, 0, 0, 0),
        ([PASS], False, 0, 0, 0),
        ([PASS, FAIL], False, 1, 1, 0),
        ([PASS, MAYBE], False, 4, 0, 0),
        ([FAIL, MAYBE], False, 1, 1, 0),
        ([], True, 0, 0, 0),
        ([PASS], True, 0, 0, 0),
        ([PASS, MAYBE], True, 3, 3, 3),
        ([FAIL, MAYBE], True, 1, 1, 3),
        ([PASS, NOTHING], False, 3, 3, 3),
    ],
)
def test_exit_codes(
    verdicts: list[Verdict], degenerate: bool, plain: int, accepting: int, zero: int
) -> None:
    def code(*, accept: bool = False, exit_zero: bool = False) -> int:
        return gates.exit_code(
            verdicts, degenerate=degenerate, accept_inconclusive=accept, exit_zero=exit_zero
        )

    assert code() == plain
    assert code(accept=True) == accepting
    assert code(exit_zero=True) == zero
