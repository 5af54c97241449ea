"""Reads mutated checkpoints in this process: ``fuzz_checkpoints.py FOLDER COUNT SEED``.

Prints a line each: number, what it ended in, and what is wrong with that, if anything.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from semaudit.errors import ModelError
from semaudit.models.files.contents import read

PATIENCE = 10.0  # seconds
BEYOND = 1 << 30  # bytes


def originals(folder: Path) -> list[bytes]:
    """One small file of each kind."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    state = {f"module.{key}": tensor.detach() for key, tensor in net.state_dict().items()}
    trained = {
        "model": state,
        "model_ema": {"n_averaged": torch.tensor(1), **state},
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(model="resnet50", mean=[0.5], img_size=32),
        "epoch": 3,
        "class_to_idx": {"cat": 0, "dog": 1},
    }
    path = folder / "original"
    files = []
    save_file(state, path, {"arch": "resnet50", "classes": '["cat", "dog"]'})
    files.append(path.read_bytes())
    for content in (state, trained):
        for new in (True, False):
            torch.save(content, path, _use_new_zipfile_serialization=new)
            files.append(path.read_bytes())
    return files


def mutated(files: list[bytes], chance: random.Random) -> bytes:
    """Flip bits, cut, splice, repeat, or overwrite with numbers that break readers."""
    content = bytearray(chance.choice(files))
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(content)) if content else 0
        # Headers and pickles stand at the start, directories at the end.
        at = chance.choice((at, at, at % 600, max(0, len(content) - 1 - at % 900)))
        how = chance.randrange(7)
        if how <= 2 and content:
            content[min(at, len(content) - 1)] ^= 1 << chance.randrange(8)
        elif how == 3:
            del content[at : at + chance.choice((1, 3, 40, len(content)))]
        elif how == 4:
            other = chance.choice(files)
            start = chance.randrange(len(other))
            content[at:at] = other[start : start + chance.randrange(200)]
        elif how == 5:
            content[at:at] = content[at : at + chance.randrange(100)] * chance.randrange(4)
        else:
            number = chance.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63, 2**64 - 1))
            width = chance.choice((1, 2, 4, 8))
            content[at : at + width] = number.to_bytes(8, "little")[:width]
    return bytes(content)


def peak() -> int:
    """Bytes of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ending(path: Path) -> str:
    """Read a file, and every number in it; how that ended."""
    before, start = peak(), time.perf_counter()
    try:
        contents = read(path)
        for tensor in contents.stripped.values():
            tensor.float().sum()
        said = "read"
    except ModelError as error:
        said = "refused" if str(path) in str(error) else f"nameless {error}"
    except Exception as error:
        said = f"{type(error).__name__} {error}"
    if time.perf_counter() - start > PATIENCE:
        said = f"slow {said}"
    return said if peak() - before < BEYOND + path.stat().st_size else f"large {said}"


def main() -> None:
    """Mutate and read."""
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance, files = random.Random(seed), originals(folder)
    for number in range(count):
        path = folder / chance.choice(("m.pt", "m.safetensors", "m.ckpt", "m"))
        path.write_bytes(mutated(files, chance))
        print(number, " ".join(ending(path).split()), flush=True)


if __name__ == "__main__":
    main()
