"""Counter-based random numbers: the same bits for an image wherever and however it is run.

A value depends on (seed, probe, image id, kind, stream, position) alone. Two rules make it hold
down to the last bit:

* no generator state: word j is a hash of (key, j), SplitMix64 (Steele, Lea, Flood 2014);
* only exact operations on the device: integers, lookups, and ``+ - *`` on floats. A float32 log or
  cosine in torch runs vector code for the body of a chunk and scalar code for its tail, and the
  two differ by one unit in the last place, so an image's noise would depend on its place in the
  batch. Normals and directions are looked up in tables built once in float64 on the CPU.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """The int64 with the same 64 bits as the unsigned `word`."""
    return (word & (2**64 - 1)) - (2**64 if word & 2**63 else 0)


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)), (31, 1))
_SALT = 0xD1342543DE82EF95  # odd, so that each (kind, stream) has its own offset
_KINDS = ("uniform", "normal", "sign", "direction")
_LANES = 2**16
_CHUNK = 2**16  # words: half a megabyte, so that a core's cache holds a chunk and its scratch

_Request = tuple[str, int, tuple[int, ...]]


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's finaliser, in place on contiguous int64 that wraps."""
    chunk = _CHUNK if words.device.type == "cpu" else words.numel()
    scratch = torch.empty_like(words.view(-1)[:chunk])
    for part in torch.split(words.view(-1), max(chunk, 1)):
        shifted = scratch[: len(part)]
        for shift, factor in _MIX:
            # An int64 keeps its sign: the mask makes it the logical shift that the hash wants.
            torch.bitwise_right_shift(part, shift, out=shifted)
            shifted &= (1 << (64 - shift)) - 1
            part ^= shifted
            if factor != 1:
                part *= factor
    return words


@lru_cache(maxsize=16)
def _quantiles(device: torch.device) -> Tensor:
    """Standard normal quantiles at 65,536 midpoints, scaled to unit variance: (65536,) float32."""
    middles = (torch.arange(_LANES, dtype=torch.float64) + 0.5) / _LANES
    table: Tensor = torch.special.ndtri(middles)
    deviation = table.square().mean().sqrt()
    return (table / deviation).float().to(device)


@lru_cache(maxsize=16)
def _directions(device: torch.device) -> Tensor:
    """Cosines and sines of 65,536 even angles: (2, 65536) float32."""
    angles = torch.arange(_LANES, dtype=torch.float64) * (2 * math.pi / _LANES)
    return torch.stack((angles.cos(), angles.sin())).float().to(device)


@dataclass(frozen=True, eq=False)
class Draw:
    """The random numbers of a batch of images under one probe.

    A field that is asked for again (same kind, shape and stream) is the same tensor, computed
    once: it is what keeps a path one path. Fields are shared, so never write into one.

    Attributes:
        keys: (n,) int64, one key an image.
    """

    keys: Tensor
    _fields: dict[_Request, Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        seed: int,
        probe: str,
        image_ids: Sequence[str],
        device: torch.device | str = "cpu",
    ) -> Draw:
        """Return the draw of these images under `probe`."""
        names = (f"{seed}|{probe}|{image_id}".encode() for image_id in image_ids)
        digests = (hashlib.blake2b(name, digest_size=8).digest() for name in names)
        keys = [int.from_bytes(digest, "little", signed=True) for digest in digests]
        return cls(torch.tensor(keys, dtype=torch.int64, device=device))

    def subset(self, index: Tensor) -> Draw:
        """Return the draw of the images at `index` (integers or a mask): the same bits, by rows."""
        rows = {request: values[index] for request, values in self._fields.items()}
        return Draw(self.keys[index], rows)

    def uniform(self, *shape: int, stream: int = 0) -> Tensor:
        """Return (n, *shape) float32, uniform on the 2**24 exact multiples of 2**-24 in [0, 1)."""

        def compute() -> Tensor:
            lanes = self._lanes("uniform", stream, math.prod(shape), torch.int32)
            lanes >>= 8
            lanes &= 0xFFFFFF
            return lanes.float().mul_(2.0**-24)

        return self._once("uniform", stream, shape, compute)

    def normal(self, *shape: int, stream: int = 0) -> Tensor:
        """Return (n, *shape) float32, standard normal on 65,536 levels: at most 4.33 from zero."""

        def compute() -> Tensor:
            levels = self._levels("normal", stream, math.prod(shape))
            return _quantiles(self.keys.device).index_select(0, levels)

        return self._once("normal", stream, shape, compute)

    def sign(self, stream: int = 0) -> Tensor:
        """Return (n, 1, 1, 1) float32: -1 or +1, even odds."""
        return self._once(
            "sign",
            stream,
            (1, 1, 1),
            lambda: 1.0 + 2.0 * (self._words("sign", stream, 1) >> 63).float(),
        )

    def direction(self, stream: int = 0) -> tuple[Tensor, Tensor]:
        """Return the cosine and the sine of an angle uniform on the circle: (n, 1, 1, 1) each."""

        def compute() -> Tensor:
            levels = self._levels("direction", stream, 1)
            return _directions(self.keys.device).index_select(1, levels).T

        both = self._once("direction", stream, (2, 1, 1), compute)
        return both[:, :1], both[:, 1:]

    def derived(self, name: str, compute: Callable[[], Tensor], *shape: int) -> Tensor:
        """Return what `compute` makes of the draw, (n, *shape), computed once for the whole path.

        For a field that is dear to make and does not depend on the strength. Each row must depend
        on its own image's numbers alone; `name` tells it from the perturbation's other fields.
        """
        return self._once(f"derived {name}", 0, shape, compute)

    def _once(
        self, kind: str, stream: int, shape: tuple[int, ...], compute: Callable[[], Tensor]
    ) -> Tensor:
        request = (kind, stream, shape)
        if request not in self._fields:
            # A tensor born in inference mode could not be saved for a gradient later on the path.
            with torch.inference_mode(False), torch.no_grad():
                self._fields[request] = compute().reshape(len(self.keys), *shape)
        return self._fields[request]

    def _words(self, kind: str, stream: int, count: int) -> Tensor:
        """`count` random 64-bit words an image: (n, count) int64."""
        salt = _signed(((_KINDS.index(kind) + 1) << 48 | stream) * _SALT)
        steps = torch.arange(1, count + 1, dtype=torch.int64, device=self.keys.device) * _GOLDEN
        return _mix(_mix(self.keys + salt)[:, None] + steps)

    def _lanes(self, kind: str, stream: int, count: int, lane: torch.dtype) -> Tensor:
        """The words cut into `count` narrower integers an image: (n, count)."""
        words = self._words(kind, stream, -(-count * lane.itemsize // 8))
        return words.view(lane)[:, :count]

    def _levels(self, kind: str, stream: int, count: int) -> Tensor:
        """`count` table rows an image, uniform on 0..65535: (n * count,) int32."""
        return self._lanes(kind, stream, count, torch.int16).int().add_(_LANES // 2).flatten()
