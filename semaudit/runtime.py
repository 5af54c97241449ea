"""On what the scan runs: device, precision, layout, batch size, workers."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from semaudit.errors import AuditError, UsageError, out_of_memory
from semaudit.settings import Settings

T = TypeVar("T")

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # of malloc.h

_DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """A resolved set of the settings that say how to run, not what to measure.

    Attributes:
        device: where.
        amp_dtype: the autocast dtype, None for full precision.
        channels_last: whether images and weights are laid out channels last.
        compile: whether the model goes through torch.compile.
        batch_size: the first batch size; out of memory halves it.
        workers: processes that read pictures.
    """

    device: torch.device
    amp_dtype: torch.dtype | None
    channels_last: bool
    compile: bool
    batch_size: int
    workers: int


def resolve(settings: Settings) -> Runtime:
    """Turn the settings' ``auto`` into what this machine has.

    Raises:
        UsageError: the device is not there, or cannot do what is asked.
    """
    device = _device(settings.device)
    on_cpu = device.type == "cpu"
    if on_cpu:
        _keep_freed_memory()
    batch_size = settings.batch_size
    workers = settings.workers
    return Runtime(
        device=device,
        amp_dtype=_amp_dtype(settings.amp_dtype, device),
        channels_last=settings.channels_last,
        compile=settings.torchcompile,
        # A CPU's caches like small batches; a GPU wants to be filled.
        batch_size=(8 if on_cpu else 256) if batch_size == "auto" else batch_size,
        # On a CPU, reading is a percent of the scan and processes would take its cores.
        workers=(0 if on_cpu else min(8, os.cpu_count() or 1)) if workers == "auto" else workers,
    )


def _keep_freed_memory() -> None:
    """Let glibc keep the memory that a layer frees for the next one.

    By default it hands large blocks back to the kernel, which then zeroes them anew at every
    layer: a fifth of the time of a forward of tf_efficientnet_lite0. Elsewhere nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc takes
    libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    libc.mallopt(_M_TOP_PAD, 64 << 20)


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"unknown --device {name!r}: one of auto, cuda, cuda:N, mps, cpu"
        ) from error
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            there = f"{count} CUDA device(s)" if count else "no CUDA device"
            raise UsageError(f"--device {name}: there is {there} here; try --device auto")
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: there is no MPS device here; try --device auto")
    elif device.type not in ("cpu", "mps"):
        raise UsageError(f"unsupported --device {name!r}: one of auto, cuda, cuda:N, mps, cpu")
    return device


def _amp_dtype(name: str, device: torch.device) -> torch.dtype | None:
    if name == "auto":
        # Reduced precision is the norm on CUDA; elsewhere it would raise the noise floor unasked.
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
    return _DTYPES[name]


class Halving:
    """Applies a function to a batch in parts that fit: out of memory halves them for good."""

    def __init__(self, size: int) -> None:
        self.size = size

    def parts(
        self, images: Tensor, function: Callable[[Tensor, slice], T]
    ) -> Iterator[tuple[slice, T]]:
        """Yield the function's result for consecutive slices of the batch.

        Raises:
            AuditError: not even one image fits.
        """
        start = 0
        while start < len(images):
            span = slice(start, min(start + self.size, len(images)))
            try:
                result = function(images[span], span)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(span.stop - span.start, error)
                continue
            yield span, result
            start = span.stop

    def _halve(self, tried: int, error: BaseException) -> None:
        if tried == 1:
            raise AuditError(
                "out of memory with a single picture; use a smaller --img-size, "
                "a smaller --amp-dtype or another --device"
            ) from error
        self.size = tried // 2
        # The traceback holds the tensors that did not fit.
        error.__traceback__ = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
