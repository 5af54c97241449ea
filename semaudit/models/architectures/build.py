"""Makes the index of architectures that the package ships.

    python -m semaudit.models.architectures.build [--output PATH] [NAME ...]

Every architecture of timm and every classifier of torchvision is built on the meta device a few
times, with other classes, channels, image and patch sizes: dimensions that change are marked.
Takes some minutes; the same libraries give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import timm

from semaudit.models.architectures.index import DATA
from semaudit.models.architectures.kin import kin
from semaudit.models.architectures.meta import TORCHVISION, built, shapes_of
from semaudit.models.architectures.tree import Leaf, Planter, Shape, without_counters

CLASSES = 1009  # a prime that is the width of nothing
CHANNELS = 5


@dataclass(frozen=True)
class Survey:
    """What building one architecture in several ways tells of it.

    Attributes:
        leaves: its tensors, head included, with the dimensions that depend on arguments marked.
        head: the tensors that it lacks when built without classes.
        num_classes: its class count by default.
        size: the image height and width that it is built for by default.
        options: further arguments that it takes to be built so.
    """

    arch: str
    leaves: Mapping[str, Leaf]
    head: frozenset[str]
    num_classes: int
    size: tuple[int, int]
    options: Mapping[str, object]


def survey_timm(arch: str) -> Survey:
    """Build a timm architecture with other arguments, and mark what changes."""
    config = timm.models.get_pretrained_cfg(arch) or timm.models.PretrainedCfg()
    channels, *size = config.input_size
    module = built(arch, num_classes=CLASSES)
    shapes = without_counters(shapes_of(module))
    bare = without_counters(shapes_of(built(arch, num_classes=0, in_chans=CHANNELS)))
    if not bare.keys() <= shapes.keys():
        raise ValueError(f"{arch}: without classes it has tensors that it lacks with them")
    leaves: dict[str, Leaf] = dict(shapes)
    for name in bare:
        leaves[name] = _channels_marked(shapes[name], bare[name], channels)
    head = frozenset(shapes.keys() - bare.keys())
    for name in head:
        leaves[name] = tuple("c" if dim == CLASSES else dim for dim in shapes[name])
    _mark_sizes(leaves, shapes, [_resized(arch, size, times) for times in (2, 3)])
    _mark_patches(leaves, shapes, arch)
    return Survey(arch, leaves, head, config.num_classes, (size[0], size[1]), {})


def survey_torchvision(name: str, options: Mapping[str, Any]) -> Survey:
    """Build a torchvision classifier with other arguments, and mark what changes."""
    arch = TORCHVISION + name
    shapes = without_counters(shapes_of(built(arch, num_classes=CLASSES, **options)))
    leaves: dict[str, Leaf] = {
        key: tuple("c" if dim == CLASSES else dim for dim in shape) for key, shape in shapes.items()
    }
    head = frozenset(key for key, leaf in leaves.items() if "c" in leaf)
    # torchvision takes no channel count: the first convolution is what reads the picture.
    stem = next(key for key, shape in shapes.items() if len(shape) == 4)
    leaves[stem] = (shapes[stem][0], f"i{shapes[stem][1] // 3}", *shapes[stem][2:])
    if name.startswith("vit_"):
        sizes = [
            shapes_of(built(arch, num_classes=CLASSES, image_size=224 * times, **options))
            for times in (2, 3)
        ]
        _mark_sizes(leaves, shapes, sizes)
    return Survey(arch, leaves, head, 1000, (224, 224), options)


def torchvision_names() -> list[tuple[str, dict[str, object]]]:
    """Return torchvision's classifiers, with the arguments of each way that they are saved."""
    import torchvision

    found = list[tuple[str, dict[str, object]]]()
    for name in sorted(torchvision.models.list_models(module=torchvision.models)):
        if name in ("googlenet", "inception_v3"):
            found += [(name, {"aux_logits": aux, "init_weights": False}) for aux in (True, False)]
        else:
            found.append((name, {}))
    return found


def packed(surveys: Sequence[Survey]) -> dict[str, Any]:
    """Return the index's content: plain lists, numbers and strings."""
    planter = Planter()
    ours = {s.arch: s.leaves for s in surveys if not s.arch.startswith(TORCHVISION)}
    groups = {arch: number for number, group in enumerate(kin(ours)) for arch in group}
    entries = [
        [
            survey.arch,
            planter.plant(survey.leaves),
            planter.plant({n: d for n, d in survey.leaves.items() if n not in survey.head}),
            survey.num_classes,
            *survey.size,
            dict(survey.options),
            groups.get(survey.arch, -1),
        ]
        for survey in surveys
    ]
    leaves, nodes = planter.tables()
    return {
        "timm": timm.__version__,
        "torchvision": version("torchvision").partition("+")[0],
        "leaves": leaves,
        "nodes": nodes,
        "entries": entries,
    }


def main() -> None:
    """Survey everything, or the timm architectures named, and write the index."""
    parser = argparse.ArgumentParser(description="Make the index of architectures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these of timm")
    parser.add_argument("--output", type=Path, help="where to write; by default into the package")
    chosen = parser.parse_args()
    if chosen.names and not chosen.output:
        parser.error("a part of the index does not go into the package: say --output PATH")
    surveys = [survey_timm(arch) for arch in chosen.names or timm.list_models()]
    if not chosen.names:
        surveys += [survey_torchvision(name, options) for name, options in torchvision_names()]
    text = json.dumps(packed(surveys), separators=(",", ":"))
    output = chosen.output or DATA
    output.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(surveys)} architectures in {output.stat().st_size:,} bytes")


def _channels_marked(shape: Shape, other: Shape, channels: int) -> Leaf:
    return tuple(
        dim if dim == changed else f"i{_ratio(dim, changed, channels)}"
        for dim, changed in zip(shape, other, strict=True)
    )


def _ratio(dim: int, changed: int, channels: int) -> int:
    if dim % channels or dim // channels * CHANNELS != changed:
        raise ValueError(f"{dim} became {changed} with {CHANNELS} channels for {channels}")
    return dim // channels


def _resized(arch: str, size: list[int], times: int) -> dict[str, Shape]:
    height, width = (times * side for side in size)
    wanted = height if height == width else (height, width)
    try:
        return shapes_of(built(arch, num_classes=CLASSES, img_size=wanted))
    except TypeError:  # it takes no image size
        return {}


def _mark_sizes(
    leaves: dict[str, Leaf], shapes: Mapping[str, Shape], sizes: list[dict[str, Shape]]
) -> None:
    for name, shape in shapes.items():
        if all(name in larger for larger in sizes):
            twice, thrice = (larger[name] for larger in sizes)
            leaves[name] = tuple(
                mark if one == two else f"s{one}/{two}/{three}"
                for mark, one, two, three in zip(leaves[name], shape, twice, thrice, strict=True)
            )


def _mark_patches(leaves: dict[str, Leaf], shapes: Mapping[str, Shape], arch: str) -> None:
    """Mark the patch size where it shows in kernels, and elsewhere only through the grid."""
    marks, defaults = dict[str, Leaf](), set[int]()
    for patch in (8, 16):  # one of them is another than the default
        try:
            other = shapes_of(built(arch, num_classes=CLASSES, patch_size=patch))
        except Exception:  # it takes no patch size, or not this one
            continue
        for name, shape in shapes.items():
            if name not in other or len(other[name]) != len(shape):
                return
            leaf = list(leaves[name])
            for place, (dim, changed) in enumerate(zip(shape, other[name], strict=True)):
                if dim == changed or str(leaf[place]).startswith("s"):
                    continue
                if changed != patch or len(shape) != 4:
                    return
                leaf[place] = f"p{dim}"
                defaults.add(dim)
                marks[name] = tuple(leaf)
        if marks:
            break
    if len(defaults) == 1:
        leaves.update(marks)


if __name__ == "__main__":
    main()
