"""How well architectures are told by their tensors' shapes: over all of timm's registry.

    python tests/benchmarks/recognition.py [--every 1]

Each architecture is built without storage in several ways, and what is recognised is counted:
the truth alone (also as one of several names of one module), a set of at most four that holds
it, a larger set that does, another name at whose size the same module is built, or none of
these. The class count, channels and image size must be right too.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import timm

from semaudit.models.architectures import Recognised, likeliest, recognise
from semaudit.models.architectures.meta import built, shapes_of
from semaudit.models.architectures.tree import Shape

SMALL = 4
OUTCOMES = ("alone", "small set", "large set", "same module", "missed")
WITH_EVIDENCE = "as it is, published weights as evidence"
VARIANTS: dict[str, dict[str, object]] = {
    "as it is": {},
    WITH_EVIDENCE: {},
    "7 classes": {"num_classes": 7},
    "1 channel": {"in_chans": 1},
    "7 classes, 1 channel": {"num_classes": 7, "in_chans": 1},
    "no head": {"num_classes": 0},
}


def variants(arch: str) -> Iterator[tuple[str, dict[str, Shape], dict[str, object]]]:
    """Yield each way that an architecture is given: its name, the shapes, and the truth."""
    config = timm.models.get_pretrained_cfg(arch) or timm.models.PretrainedCfg()
    truth: dict[str, object] = {"num_classes": config.num_classes, "in_chans": config.input_size[0]}
    plain, one = shapes_of(built(arch)), shapes_of(built(arch, in_chans=1))
    # An encoder without any head stays one, and some models always take three channels.
    fixed: dict[str, object] = {"in_chans": 3} if one == plain else {}
    if not config.num_classes and shapes_of(built(arch, num_classes=7)) == plain:
        fixed["num_classes"] = 0
    for name, arguments in VARIANTS.items():
        yield name, shapes_of(built(arch, **arguments)), truth | arguments | fixed
    others = (f"tensor{n}.{key.rpartition('.')[2]}" for n, key in enumerate(plain))
    yield "names lost", dict(zip(others, plain.values(), strict=True)), truth
    size = config.input_size[1] * 3 // 2
    if config.fixed_input_size and config.input_size[1] == config.input_size[2]:
        try:
            larger = shapes_of(built(arch, img_size=size))
        except Exception:
            return
        if larger != plain:
            yield "image half as large again", larger, truth | {"size": size}


def outcome(
    arch: str, shapes: dict[str, Shape], truth: dict[str, object], found: list[Recognised]
) -> str:
    """Say which of the outcomes a list of candidates is."""
    right = [c for c in found if agrees(c, truth, shapes)]
    if any(arch in (candidate.arch, *candidate.also) for candidate in right):
        return "alone" if len(found) == 1 else "small set" if len(found) <= SMALL else "large set"
    return "same module" if any(same(arch, truth, c) for c in right) else "missed"


def agrees(candidate: Recognised, truth: dict[str, object], shapes: dict[str, Shape]) -> bool:
    """Whether the arguments that were found are those that the model was built with."""
    arguments = {"num_classes": candidate.num_classes, "in_chans": candidate.in_chans}
    if arguments != {key: truth[key] for key in arguments}:
        return False
    if candidate.img_size in (None, truth.get("size")):
        return True
    # Where strides round, several sizes give the same tensors.
    return shapes_of(built(candidate.arch, img_size=candidate.img_size, **arguments)) == shapes


def same(arch: str, truth: dict[str, object], candidate: Recognised) -> bool:
    """Whether a candidate of another name is the same module, layer for layer."""
    arguments = {"num_classes": truth["num_classes"], "in_chans": truth["in_chans"]}
    size = {} if candidate.img_size is None else {"img_size": candidate.img_size}
    ours = built(arch, **arguments, **({"img_size": truth["size"]} if "size" in truth else {}))
    return repr(ours) == repr(built(candidate.arch, **arguments, **size))


def main() -> None:
    """Measure, and print one row a variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take every Nth architecture")
    archs = timm.list_models()[:: parser.parse_args().every]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    notes, slowest = list[str](), 0.0
    for arch in archs:
        for variant, shapes, truth in variants(arch):
            begin = time.process_time()
            found = recognise(shapes)
            if variant == WITH_EVIDENCE:
                guess = likeliest(found)
                found = found if guess is None else list(guess.candidates)
            slowest = max(slowest, time.process_time() - begin)
            result = outcome(arch, shapes, truth, found)
            counts[variant][result] += 1
            if result in ("missed", "large set"):
                listed = ", ".join(f"{c.arch} {c.img_size or ''}".strip() for c in found[:8])
                notes.append(f"{variant}: {arch} {result}: {len(found)} [{listed}]")
    print("\n".join(notes))
    print(f"{'':34}" + "".join(f"{name:>13}" for name in OUTCOMES))
    for variant, results in counts.items():
        total = results.total()
        cells = (results[name] for name in OUTCOMES)
        row = "".join(f"{cell:>6}{cell / total:>7.1%}" for cell in cells)
        print(f"{variant:34}{row}   of {total}")
    print(f"slowest look-up {slowest:.2f} s, timm {timm.__version__}")


if __name__ == "__main__":
    main()
