"""The corruptions of ImageNet-C as `imagecorruptions` has them: whichever of them still run.

Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations". The package is of 2020: two modules that it imports have gone since. One finds its
frost pictures, which are not used here; the other is now scipy.ndimage itself.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

Pixels = NDArray[np.uint8]
Corrupt = Callable[[Pixels, int], Pixels]

SHARED = {
    "gaussian_noise": "gaussian_noise",
    "shot_noise": "shot_noise",
    "impulse_noise": "impulse_noise",
    "speckle_noise": "speckle_noise",
    "gaussian_blur": "gaussian_blur",
    "defocus_blur": "defocus_blur",
    "motion_blur": "motion_blur",
    "brightness": "brightness",
    "contrast": "contrast",
    "saturation": "saturate",
    "jpeg": "jpeg_compression",
    "elastic": "elastic_transform",
    "downscale": "pixelate",
}
"""Our name of each kind that both have, and theirs."""


def corruptions() -> dict[str, Corrupt]:
    """Each shared kind that runs here, by our name: uint8 (h, w, 3) and a severity of 1 to 5."""
    module = _module()
    tried = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    found: dict[str, Corrupt] = {}
    for ours, theirs in SHARED.items():

        def corrupt(pixels: Pixels, severity: int, theirs: str = theirs) -> Pixels:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                changed: Pixels = module.corrupt(pixels, severity, theirs)
            return changed

        try:
            corrupt(tried, 1)
        except Exception:  # of its age: arguments and names that scikit-image has dropped
            continue
        found[ours] = corrupt
    return found


def _module() -> types.ModuleType:
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda package, name: name  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "pkg_resources", resources)
        patch.setitem(sys.modules, "scipy.ndimage.interpolation", ndimage)
        return pytest.importorskip("imagecorruptions", exc_type=ImportError)


def to_pixels(images: Tensor) -> list[Pixels]:
    """Images (n, 3, h, w) in [0, 1] as n arrays (h, w, 3) of bytes."""
    values = images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return list(values.contiguous().numpy())


def to_images(pixels: list[Pixels]) -> Tensor:
    """The way back."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(255)
