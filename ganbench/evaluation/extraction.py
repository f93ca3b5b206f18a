"""Features of many images, batch by batch, kept in a file where they are large."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganbench.contracts.feature_extractors import FeatureExtractor, Features
from ganbench.contracts.images import ImageSpec
from ganbench.models import sampling

LARGE_BYTES = 64 * 2**20  # of features, beyond which they lie in a file


def batches(
    extractor: FeatureExtractor,
    image: ImageSpec,
    root: Path,
    images: Tensor,
    chosen: Tensor | None = None,
) -> Iterator[Features]:
    """Return features of all images (N, C, H, W), or of the rows `chosen`, batch by batch.

    Images may lie in a large file, of which only the batch at hand is read.
    """
    function = extractor.load(image, root)
    size = sampling.at_once(image)
    if chosen is None:
        return (function(batch) for batch in images.split(size))
    return (function(images[part]) for part in chosen.split(size))


def concatenate(parts: Iterable[Features], count: int) -> Features:
    """Return all `count` rows of all parts; what is large in a file that is mapped into memory."""
    rows = 0
    kept: dict[str, Tensor] = {}
    for part in parts:
        for name, tensor in part._asdict().items():
            if tensor is None:
                continue
            if name not in kept:
                kept[name] = _allocate(count, tensor.shape[1])
            kept[name][rows : rows + len(tensor)] = tensor
        rows += len(part.embedding)
    return Features(kept["embedding"], kept.get("probabilities"))


def _allocate(rows: int, columns: int) -> Tensor:
    """Return a float32 tensor (rows, columns) that nothing is written to yet."""
    if 4 * rows * columns <= LARGE_BYTES:
        return torch.empty(rows, columns)
    with tempfile.TemporaryFile(prefix="ganbench-features-") as file:
        file.truncate(4 * rows * columns)
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(rows, columns)))
