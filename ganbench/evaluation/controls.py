"""Reference rows: real images in a generator's place, good ones and ones that are wrong on purpose.

A table is read against them: `test` is the floor of every metric, and a metric that scores
`drop-class` or `memorised` as well as `test` is blind to what is wrong with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import LabeledImages
from ganbench.evaluation.loading import load
from ganbench.records.training_settings import Control
from ganbench.util.random_streams import stream

MEMORISED = 1000  # training images, over and over

TITLES: dict[Control, str] = {
    "test": "real test set",
    "train-half": "real train, other half",
    "drop-class": "real test, last class dropped",
    "memorised": f"{MEMORISED:,} training images repeated",
}


@dataclass(frozen=True)
class Judged:
    """What is judged, and against what."""

    train: LabeledImages
    samples: LabeledImages
    split: str = "train"  # what `train` is
    test: LabeledImages | None = None  # the whole of what samples were taken from


def unsupported(control: Control, dataset: Dataset) -> str | None:
    """Return why a data set cannot have this row, or None."""
    if control in ("test", "drop-class") and "test" not in dataset.splits:
        return f"data set '{dataset.name}' has no test split"
    if control == "drop-class" and dataset.image_spec().num_classes < 2:
        return f"data set '{dataset.name}' has no classes to drop one of"
    return None


def make(control: Control, dataset: Dataset, num_samples: int, root: Path) -> Judged:
    """Return what the row judges: at most `num_samples` images, always the same."""
    train = load(dataset, "train", root)
    if control == "train-half":
        order = torch.randperm(len(train), generator=stream(0, "halves"))
        half = len(train) // 2
        judged = train.take(order[half : half + num_samples])
        return Judged(train.take(order[:half].sort().values), judged, "half of train")
    if control == "memorised":
        few = torch.randperm(len(train), generator=stream(0, "memorised"))[:MEMORISED]
        return Judged(train, train.take(few.repeat(-(-num_samples // len(few)))[:num_samples]))
    test = load(dataset, "test", root)
    order = torch.randperm(len(test), generator=stream(0, "reference"))
    if control == "drop-class" and test.labels is not None:
        order = order[test.labels[order] != test.labels.max()]
    return Judged(train, test.take(order[:num_samples]), test=test)
