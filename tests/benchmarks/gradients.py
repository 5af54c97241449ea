"""What gradient smoothness costs over the bare passes that it makes: one run, a table by metric.

    python tests/benchmarks/gradients.py [--batch-size 8] [--rounds 5] [--scan-pictures 4]
        [--no-metrics] [--no-memory] [--no-scan]

Every measure is run once with its passes recorded: forward passes, with a graph or without,
backward passes, and forward-mode ones. Then the very same passes are run bare, by plain autograd on
ready-made pictures; both alternate, and the median of the rounds' ratios counts. The passes of a
measure and the bare ones are of the same model, whose frozen batch normalisation is folded away;
what is left of it is differentiated as the affine map that it is, and `like for like` gives the
bare passes that too.

Over the forward part of a scan: the same pictures are measured with gradients and without, by turns
and after a first time that does not count, since the first large batch of a process pays for all of
its memory; the difference of a pair is the gradient part.

The memory is the rise of the peak resident size over that of the loaded model, in processes of
their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from scan_overhead import _load, pictures
from torch.autograd import forward_ad

from semaudit import battery, images, measure
from semaudit.asking import SAMPLES
from semaudit.gradients import MEASURES, at_pictures, survey
from semaudit.gradients.affine import AffineBatchNorm
from semaudit.gradients.along import Slopes
from semaudit.gradients.point import Point, standing, without_graph
from semaudit.metrics import METRICS, RUNG_FUNCTIONS, Rung
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.trace import look

LIMIT, SCAN_LIMIT, MEMORY_LIMIT = 1.10, 1.0, 1.5

_CHILD = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import gradients as benchmark
print(benchmark.rise(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
"""


def ready(batch_size: int, folder: Path, *, given: bool = False) -> tuple[Classifier, torch.Tensor]:
    """The demo's classifier, as a scan runs it or as it was given, and real photographs."""
    classifier = _load("tf_efficientnet_lite0").place(torch.device("cpu"))
    classifier = classifier if given else classifier.folded()
    source = images.open_pictures(
        pictures(batch_size, folder),
        classifier.preprocessing,
        classifier.class_names,
        classifier.num_classes,
    )
    batch = next(iter(source.batches(batch_size, 0, False)))
    return classifier, images.as_float(batch.images, torch.device("cpu"))


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Record every pass: plain, graph, dual or backward."""
    passes: list[str] = []
    forward, backward = Classifier.__call__, torch.autograd.grad

    def recording(self: Classifier, batch: torch.Tensor) -> Any:
        tangent = forward_ad.unpack_dual(batch).tangent if forward_ad._current_level >= 0 else None
        plain = "plain" if tangent is None else "dual"
        passes.append("graph" if torch.is_grad_enabled() else plain)
        return forward(self, batch)

    inside: list[bool] = []

    def pulling(*arguments: Any, **keywords: Any) -> Any:
        # Under a mode that overrides functions torch calls this by its name once more.
        if not inside:
            passes.append("backward")
        inside.append(True)
        try:
            return backward(*arguments, **keywords)
        finally:
            inside.pop()

    Classifier.__call__, torch.autograd.grad = recording, pulling  # type: ignore
    try:
        yield passes
    finally:
        Classifier.__call__, torch.autograd.grad = forward, backward  # type: ignore


class Bare:
    """Runs recorded passes by plain autograd."""

    def __init__(self, classifier: Classifier, batch: torch.Tensor, *, affine: bool) -> None:
        self.classifier, self.batch, self.affine = classifier, batch, affine
        self.root, self.logits = self._graph()

    def _graph(self) -> tuple[torch.Tensor, torch.Tensor]:
        root = self.batch.clone().requires_grad_()
        with AffineBatchNorm() if self.affine else nullcontext():
            return root, self.classifier(root).logits

    def __call__(self, passes: list[str]) -> None:
        """Passes that start with a backward one use a graph that is there already."""
        root, logits = self.root, self.logits
        for index, each in enumerate(passes):
            if each == "graph":
                root, logits = self._graph()
            elif each == "backward":
                lives = logits is self.logits or passes[index + 1 : index + 2] == ["backward"]
                torch.autograd.grad(logits[:, 0].sum(), root, retain_graph=lives)
            elif each == "plain":
                with torch.no_grad(), AffineBatchNorm() if self.affine else nullcontext():
                    self.classifier(self.batch)
            else:
                with torch.no_grad(), forward_ad.dual_level():
                    dual = forward_ad.make_dual(self.batch, self.batch)
                    forward_ad.unpack_dual(self.classifier(dual).logits)


def timed(function: Callable[[], object]) -> float:
    """Seconds that the function takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


class Bench:
    """The work to be timed on one batch."""

    def __init__(
        self, classifier: Classifier, batch: torch.Tensor, labelled: bool, samples: int = SAMPLES
    ) -> None:
        self.classifier, self.batch, self.samples = classifier, batch, samples
        self.ids = [str(k) for k in range(len(batch))]
        self.labels = torch.arange(len(batch)) if labelled else torch.full((len(batch),), -1)
        self.ability = survey(classifier)
        self.differentiator = self.ability.differentiator
        with torch.no_grad():
            self.clean = look(classifier, batch)

    def draw(self) -> Draw:
        """Afresh, for a draw keeps its numbers."""
        return Draw.of(0, "benchmark", self.ids)

    def everything(self) -> None:
        """All measures at the pictures."""
        with torch.no_grad():
            at_pictures(
                self.classifier, self.ability, self.clean, self.labels, self.draw(), self.samples
            )

    def stand(self) -> Any:
        return standing(self.differentiator, self.clean, self.labels, self.draw(), self.samples)

    def stand_up(self) -> None:
        with torch.no_grad(), self.stand():
            pass

    def along(self) -> Callable[[], None]:
        """One rung: the gradient and its metrics."""
        slopes = Slopes.of(self.differentiator, self.clean, self.labels)
        rows = torch.arange(len(self.batch))
        clean = slopes.look(self.batch, rows, loss=False)
        changed = (self.batch + 0.01).clamp(0, 1)
        functions = [
            RUNG_FUNCTIONS[metric.column]
            for metric in METRICS.values()
            if metric.needs_gradients and metric.level == "rung"
        ]

        def rung() -> None:
            seen = Rung(clean, slopes.look(changed, rows, loss=False))
            for function in functions:
                function(seen)

        return rung

    def works(self, point: Point) -> dict[str, Callable[[], object]]:
        """By name, the function of every measure, of the point and of a rung."""
        bare = without_graph(point)
        of_measures = {
            name: (lambda m=each: m.function(point if m.on_graph else bare))
            for name, each in MEASURES.items()
        }
        return {"the clean point": self.stand_up, **of_measures, "a rung of a ladder": self.along()}


def by_metric(bench: Bench, rounds: int, console: Console) -> None:
    """Print the table of ratios."""
    table = Table(title=f"wall time over bare passes, batch of {len(bench.batch)}; limit {LIMIT}")
    for header in ("what", "forward", "backward", "dual", "s", "bare s", "ratio", "like for like"):
        table.add_column(header, justify="left" if header == "what" else "right")
    bares = [Bare(bench.classifier, bench.batch, affine=affine) for affine in (False, True)]
    with bench.stand() as point:
        for name, work in bench.works(point).items():
            with recorded() as passes:
                work()
            spent = [
                (timed(work), *(timed(lambda bare=bare: bare(passes)) for bare in bares))
                for _ in range(rounds)
            ]
            mine, plain, _ = (median(times) for times in zip(*spent, strict=True))
            counts = [
                str(sum(each in kinds for each in passes))
                for kinds in (("graph", "plain"), ("backward",), ("dual",))
            ]
            ratios = ["-", "-"]
            if passes:
                ratios = [f"{median(each[0] / each[k] for each in spent):.3f}" for k in (1, 2)]
            table.add_row(name, *counts, f"{mine:.3f}", f"{plain if passes else 0:.3f}", *ratios)
            console.print(f"{name}: {ratios[0]}", style="dim")
    console.print(table)


def of_a_scan(bench: Bench, rounds: int, console: Console) -> None:
    """Print the gradient part of a standard scan over its forward part."""
    probes = battery.open_battery(ignore=("adversarial",)).probes
    without: list[float] = []
    whole: list[float] = []

    def run(samples: int | None) -> float:
        asked = measure.Asked(ability=bench.ability, samples=samples)
        return timed(
            lambda: measure.measure(
                bench.classifier,
                probes,
                bench.batch,
                bench.ids,
                0,
                asked=asked,
                labels=bench.labels,
            )
        )

    run(bench.samples)  # warms up
    for number in range(rounds):
        pair = [None, bench.samples]
        times = {samples: run(samples) for samples in (pair if number % 2 else reversed(pair))}
        without.append(times[None])
        whole.append(times[bench.samples])
        console.print(f"{without[-1]:.1f} s without, {whole[-1]:.1f} s with", style="dim")
    gradient = [both - alone for both, alone in zip(whole, without, strict=True)]
    ratio = median(part / alone for part, alone in zip(gradient, without, strict=True))
    console.print(
        f"a standard scan of {len(bench.batch)} pictures: forward part {median(without):.1f} s, "
        f"gradient part {median(gradient):.1f} s, ratio [bold]{ratio:.3f}[/bold] "
        f"(limit {SCAN_LIMIT:.2f})"
    )


def rise(kind: str, batch_size: int, labelled: str) -> float:
    """Mebibytes by which the peak rises: of `one` forward and backward, or of `all` measures.

    The one is of the model as it was given, whose batch normalisation is not folded away.
    """
    import resource

    with tempfile.TemporaryDirectory() as folder:
        classifier, batch = ready(batch_size, Path(folder), given=kind == "one")
    bench = Bench(classifier, batch, labelled == "True")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if kind == "one":
        Bare(classifier, batch, affine=False)(["backward"])
    else:
        bench.everything()
        bench.along()()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def memory(batch_size: int, labelled: bool, console: Console) -> None:
    """Print the ratio of the peaks."""
    here = str(Path(__file__).parent)
    peaks = {
        kind: float(
            subprocess.run(
                [sys.executable, "-c", _CHILD, here, kind, str(batch_size), str(labelled)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for kind in ("one", "all")
    }
    ratio = peaks["all"] / peaks["one"]
    console.print(
        f"peak memory over the loaded model: {peaks['one']:.0f} MiB of one forward and backward, "
        f"{peaks['all']:.0f} MiB of all gradient work, ratio [bold]{ratio:.3f}[/bold] "
        f"(limit {MEMORY_LIMIT})"
    )


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scan-pictures", type=int, default=4)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--metrics", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--labels", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--scan", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    console = Console()
    if arguments.memory:
        memory(arguments.batch_size, arguments.labels, console)
    with tempfile.TemporaryDirectory() as folder:
        classifier, batch = ready(arguments.batch_size, Path(folder))
        bench = Bench(classifier, batch, arguments.labels, arguments.samples)
        if arguments.metrics:
            by_metric(bench, arguments.rounds, console)
        if arguments.scan:
            few = Bench(
                classifier, batch[: arguments.scan_pictures], arguments.labels, arguments.samples
            )
            of_a_scan(few, arguments.rounds, console)


if __name__ == "__main__":
    main()
