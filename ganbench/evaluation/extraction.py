"""Features of many images, batch by batch, kept in a file where they are large."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganbench.contracts.feature_extractors import FeatureExtractor, Features
from ganbench.contracts.images import ImageSpec
from ganbench.models import sampling
from ganbench.util import float32, machine
from ganbench.util.transfers import on_cpu

LARGE_BYTES = 64 * 2**20  # of features, beyond which they lie in a file
OF_AN_IMAGE = 32 * 2**20  # bytes of a device that an extractor's maps of an image take, amply
CPU = torch.device("cpu")
NO_DEVICE = (
    "feature extractor '{}': its `load` takes no device, and so it works on the CPU; write it as "
    "load(self, image, root, device), which the next release asks for"
)


def batches(
    extractor: FeatureExtractor,
    image: ImageSpec,
    root: Path,
    images: Tensor,
    chosen: Tensor | None = None,
    device: torch.device = CPU,
) -> Iterator[Features]:
    """Return features of all images (N, C, H, W), or of the rows `chosen`, batch by batch.

    They are on the device that they were computed on, in full float32. Images may lie in a large
    file, of which only the batch at hand is read.
    """
    function = float32.exact()(loaded(extractor, image, root, device))
    size = _at_once(image, device)
    if chosen is None:
        return (function(batch.to(device)) for batch in images.split(size))
    return (function(images[part].to(device)) for part in chosen.split(size))


def loaded(
    extractor: FeatureExtractor, image: ImageSpec, root: Path, device: torch.device
) -> Callable[[Tensor], Features]:
    """Return an extractor's function of images on a device.

    One that was written before extractors learnt the device is given images on the CPU.
    """
    if takes_device(extractor):
        return extractor.load(image, root, device)
    warnings.warn(NO_DEVICE.format(extractor.name), FutureWarning, stacklevel=2)
    function = extractor.load(image, root)
    return lambda images: function(images.cpu())


def takes_device(extractor: FeatureExtractor) -> bool:
    """Whether an extractor's `load` is told the device."""
    parameters = inspect.signature(extractor.load).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return len(parameters) > 2 or any(one.kind in several for one in parameters)


def _at_once(image: ImageSpec, device: torch.device) -> int:
    """Return how many images an extractor is given at once, as far as the device has room."""
    free, most = machine.free_device_bytes(device), sampling.at_once(image)
    return most if free is None else max(1, min(most, free // 2 // OF_AN_IMAGE))


def concatenate(parts: Iterable[Features], count: int) -> Features:
    """Return all `count` rows of all parts on the CPU; what is large in a file that is mapped."""
    rows = 0
    kept: dict[str, Tensor] = {}
    for part in on_cpu(parts):
        found = {n: t for n, t in zip(Features._fields, part, strict=True) if t is not None}
        for name, tensor in found.items():
            if name not in kept:
                kept[name] = _allocate(count, tensor.shape[1])
            kept[name][rows : rows + len(tensor)] = tensor
        rows += len(found["embedding"])
    return Features(kept["embedding"], kept.get("probabilities"))


def _allocate(rows: int, columns: int) -> Tensor:
    """Return a float32 tensor (rows, columns) that nothing is written to yet."""
    if 4 * rows * columns <= LARGE_BYTES:
        return torch.empty(rows, columns)
    with tempfile.TemporaryFile(prefix="ganbench-features-") as file:
        file.truncate(4 * rows * columns)
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(rows, columns)))
