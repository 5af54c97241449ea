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
from semaudit.models.architectures.kin import groups
from semaudit.models.architectures.marking import (
    CHANNELS,
    CLASSES,
    channels_marked,
    mark_patches,
    mark_sizes,
    mark_windows,
    resized,
)
from semaudit.models.architectures.meta import TORCHVISION, built, shapes_of
from semaudit.models.architectures.tree import Leaf, Planter, without_counters


@dataclass(frozen=True)
class Survey:
    """What building one architecture in several ways tells of it.

    Attributes:
        leaves: its tensors, head included, with the dimensions that depend on arguments marked.
        head: the tensors that it lacks when built without classes.
        num_classes: its class count by default.
        size: the image height and width that it is built for by default.
        options: further arguments that it takes to be built so.
        published: the class counts of its pretrained weights, 0 for embeddings; rising.
    """

    arch: str
    leaves: Mapping[str, Leaf]
    head: frozenset[str]
    num_classes: int
    size: tuple[int, int]
    options: Mapping[str, object]
    published: tuple[int, ...]


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
        leaves[name] = channels_marked(shapes[name], bare[name], channels)
    head = frozenset(shapes.keys() - bare.keys())
    for name in head:
        leaves[name] = tuple("c" if dim == CLASSES else dim for dim in shapes[name])
    mark_sizes(leaves, shapes, [resized(arch, size, times) for times in (2, 3)])
    mark_patches(leaves, shapes, arch)
    mark_windows(leaves, module)
    return Survey(
        arch, leaves, head, config.num_classes, (size[0], size[1]), {}, _class_counts(arch)
    )


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
        mark_sizes(leaves, shapes, sizes)
    return Survey(arch, leaves, head, 1000, (224, 224), options, (1000,))


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
    found = groups(ours)
    entries = [
        [
            survey.arch,
            planter.plant(survey.leaves),
            planter.plant({n: d for n, d in survey.leaves.items() if n not in survey.head}),
            survey.num_classes,
            *survey.size,
            dict(survey.options),
            found.kin.get(survey.arch, -1),
            found.looks.get(survey.arch, -1),
            list(survey.published),
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


def _class_counts(arch: str) -> tuple[int, ...]:
    tagged = (timm.models.get_pretrained_cfg(name) for name in timm.list_pretrained(f"{arch}.*"))
    return tuple(sorted({config.num_classes for config in tagged if config is not None}))


if __name__ == "__main__":
    main()
