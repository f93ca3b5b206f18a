"""Small labelled images in a file, and samples of them in the forms that people keep them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

SIDE, CLASSES = 8, 3
DATA = """\
dataset:
  name: tensor
  path: {path}
  images: images
  labels: labels
  test_images: test_images
  test_labels: test_labels
"""
"""Of a benchmark file: what `write_data` has written."""


def images(
    count: int, seed: int, shift: int = 0, side: int = SIDE
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return grey images of 8×8, each class with a bright third, and their labels."""
    source = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    values = source.integers(0, 60, (count, side, side))
    for label in range(CLASSES):
        values[labels == label, :, 3 * label : 3 * label + 2] += 150 + shift
    return values.astype(np.uint8), labels


def write_data(folder: Path, train: int = 120, test: int = 60, side: int = SIDE) -> Path:
    """Write a file for data set `tensor`, with a test set in it."""
    (a, la), (b, lb) = images(train, 0, 0, side), images(test, 1, 0, side)
    path = folder / "real.npz"
    np.savez(path, images=a, labels=la, test_images=b, test_labels=lb)
    return path


def write_arrays(path: Path, count: int = 60, seed: int = 2) -> Path:
    """Write samples as .npz, .npy without labels, or .pt, as the name ends."""
    found, labels = images(count, seed, shift=20)
    if path.suffix == ".npz":
        np.savez(path, images=found, labels=labels)
    elif path.suffix == ".npy":
        np.save(path, found)
    else:
        torch.save({"images": torch.from_numpy(found), "labels": torch.from_numpy(labels)}, path)
    return path


def write_folder(path: Path, count: int = 60, seed: int = 2, mode: str = "L") -> Path:
    """Write samples as PNGs, a folder for each class."""
    found, labels = images(count, seed, shift=20)
    for i, (image, label) in enumerate(zip(found, labels, strict=True)):
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert(mode).save(path / str(label) / f"{i:04}.png")
    return path
