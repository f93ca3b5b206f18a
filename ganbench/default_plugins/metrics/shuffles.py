"""An order of samples that is random, and yet the same in whichever order they come."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from ganbench import LabeledImages


def shuffled(samples: LabeledImages, seed: int) -> Tensor:
    """Return indices (N,) in the order of keyed hashes of each image and its label.

    Samples that are equal change places freely: nothing that is computed from them can tell.
    """
    labels = samples.labels if samples.labels is not None else torch.zeros(len(samples))
    key = str(seed).encode()
    hashes = b"".join(
        hashlib.blake2b(image.tobytes() + label.tobytes(), digest_size=8, key=key).digest()
        for image, label in zip(samples.images.numpy(), labels.numpy(), strict=True)
    )
    order = np.frombuffer(hashes, np.dtype(">u8")).argsort(kind="stable")
    return torch.from_numpy(order)
