"""How well architectures are told by their tensors' shapes: over all of timm's registry.

    python tests/benchmarks/recognition.py [--every 1]

Each architecture is built without storage in several ways, and what is recognised is counted:
the truth alone (also as one of several names of one module), a set of at most four that holds
it, a larger set that does, another name at whose size the same module is built, or none of
these. The class count, channels and image size must be right too. Each is counted twice: names
of one module with one preprocessing as one, and strictly by name.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import timm

from semaudit.models.architectures import Recognised, by_classes, likeliest, recognise
from semaudit.models.architectures.meta import built, shapes_of
from semaudit.models.architectures.tree import Shape

SMALL = 4
BY_NAME = "(by name)"
WIDTH = 50
OUTCOMES = ("alone", "small set", "large set", "same module", "missed")
WITH_CLASSES = "as it is, class count as evidence"
WITH_GUESS = "as it is, published classes, a guess"
OTHER_SIZES = {224: 384, 240: 384, 256: 384, 384: 224}
"""The sizes at which most models are, and another at which others of the same tensors are."""
VARIANTS: dict[str, dict[str, object]] = {
    "as it is": {},
    WITH_CLASSES: {},
    WITH_GUESS: {},
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
    known = {(): plain, ("in_chans",): one}
    for name, arguments in VARIANTS.items():
        shapes = known.get(tuple(arguments)) or shapes_of(built(arch, **arguments))
        yield name, shapes, truth | arguments | fixed
    others = (f"tensor{n}.{key.rpartition('.')[2]}" for n, key in enumerate(plain))
    yield "names lost", dict(zip(others, plain.values(), strict=True)), truth
    side = config.input_size[1]
    if config.fixed_input_size and config.input_size[1] == config.input_size[2]:
        for name, size in resized(side).items():
            try:
                larger = shapes_of(built(arch, img_size=size))
            except Exception:
                continue
            if larger != plain:
                yield name, larger, truth | {"size": size}


def resized(side: int) -> dict[str, int | tuple[int, int]]:
    """Give the other sizes that a model for square pictures of this side is tried at."""
    other = {"image as large as others are": OTHER_SIZES[side]} if side in OTHER_SIZES else {}
    wide = side, side * 3 // 2
    return {"image half as large again": side * 3 // 2, "image half as wide again": wide, **other}


def outcomes(
    arch: str, shapes: dict[str, Shape], truth: dict[str, object], found: list[Recognised]
) -> tuple[str, str]:
    """Say which of the outcomes a list of candidates is, and which it is by name."""
    right = [c for c in found if agrees(c, truth, shapes)]
    if any(arch in (candidate.arch, *candidate.also) for candidate in right):
        return sized(len(found)), sized(sum(1 + len(candidate.also) for candidate in found))
    other = "same module" if any(same(arch, truth, c) for c in right) else "missed"
    return other, other


def sized(count: int) -> str:
    """Say how large a set is that holds the truth."""
    return "alone" if count == 1 else "small set" if count <= SMALL else "large set"


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
            slowest = max(slowest, time.process_time() - begin)
            if narrow := {WITH_CLASSES: by_classes, WITH_GUESS: likeliest}.get(variant):
                preference = narrow(found)
                found = found if preference is None else list(preference.candidates)
            result, by_name = outcomes(arch, shapes, truth, found)
            counts[variant][result] += 1
            counts[f"{variant} {BY_NAME}"][by_name] += 1
            if result in ("missed", "large set"):
                listed = ", ".join(f"{c.arch} {c.img_size or ''}".strip() for c in found[:8])
                notes.append(f"{variant}: {arch} {result}: {len(found)} [{listed}]")
    print("\n".join(notes))
    print(f"{'':{WIDTH}}" + "".join(f"{name:>13}" for name in OUTCOMES))
    for variant, results in counts.items():
        total = results.total()
        cells = (results[name] for name in OUTCOMES)
        row = "".join(f"{cell:>6}{cell / total:>7.1%}" for cell in cells)
        print(f"{variant:{WIDTH}}{row}   of {total}")
    print(f"slowest look-up {slowest:.2f} s, timm {timm.__version__}")


if __name__ == "__main__":
    main()
