"""A small classifier, trained on the images at hand, that judges those which it has not seen.

For images of any kind and size, in minutes on one core; it needs no trained weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.contracts.images import LabeledImages
from ganbench.errors import DataError
from ganbench.evaluation.judges.network import SIDE, seen
from ganbench.evaluation.one_cycle import trained_steps, whole_batches
from ganbench.util.random_streams import stream_seed, undisturbed

FOLDS = 3
BATCH, EPOCHS = 64, 14
LEAST_STEPS, MOST_STEPS = 60, 1500  # of a training, whatever the number of images
WIDTHS = (16, 32, 64, 64)  # maps of each convolution
PLACES = 4  # along a side, of the last one's
RATE, DECAY = 3e-3, 1e-2
SHIFT = 32  # images are moved by up to a part of so much of their side
AT_ONCE = 256
WEAK = 0.4  # of what guessing leaves: a judge that gains less is no evidence

Judge = Callable[[Tensor], Tensor]
"""Returns probabilities (N, K) of images (N, C, H, W), as data sets hold them."""


@dataclass(frozen=True)
class Suspect:
    """An image whose label the judge doubts."""

    row: int
    given: int  # its label
    judged: int  # the most probable of the other classes
    probability: float  # of the given one, by a judge that has not seen the image


@dataclass(frozen=True)
class Doubts:
    """Suspects, and how much the judge is to be trusted."""

    suspects: list[Suspect]
    agreement: float  # the share of all labels that the judge agrees with
    guessing: float  # the share of the largest class, which needs no judge

    @property
    def weak(self) -> bool:
        """Whether the judge has hardly learned to tell the classes apart."""
        return self.agreement - self.guessing < WEAK * (1 - self.guessing)


def doubts(data: LabeledImages, classes: int, count: int, seed: int = 0) -> Doubts:
    """Return the images whose labels are likeliest wrong, the most suspicious first.

    Raises DataError where there are too few images or classes to judge by.
    """
    assert data.labels is not None
    labels = data.labels.long()
    if classes < 2 or len(labels.unique()) < 2:
        raise DataError("all images are of one class, and no label can be told from another")
    if len(labels) < 2 * FOLDS:
        raise DataError(f"{len(labels):,} images are too few to judge; give {2 * FOLDS} or more")
    found = cross_validated(data.images, labels, classes, seed)
    given = found.gather(1, labels[:, None])[:, 0]
    others = found.scatter(1, labels[:, None], -1).argmax(1)
    order = given.argsort(stable=True)[:count].tolist()
    listed = [Suspect(i, int(labels[i]), int(others[i]), float(given[i])) for i in order]
    agreement = float((found.argmax(1) == labels).double().mean())
    return Doubts(listed, agreement, float(labels.bincount().max()) / len(labels))


def cross_validated(images: Tensor, labels: Tensor, classes: int, seed: int) -> Tensor:
    """Return probabilities (N, K) of every image, by a judge trained on the other folds."""
    with undisturbed():
        torch.manual_seed(stream_seed(seed, "folds of the small judge"))
        fold = torch.empty(len(labels), dtype=torch.int64)
        fold[torch.randperm(len(labels))] = torch.arange(len(labels)) % FOLDS
    found = torch.zeros(len(labels), classes)
    for at in range(FOLDS):
        seen, unseen = (fold != at).nonzero()[:, 0], (fold == at).nonzero()[:, 0]
        judge = trained(images, labels, classes, seed, seen, f"judge {at + 1} of {FOLDS}")
        for rows in unseen.split(AT_ONCE):
            found[rows] = judge(images[rows])
    return found


def trained(
    images: Tensor, labels: Tensor, classes: int, seed: int, rows: Tensor, what: str
) -> Judge:
    """Return a judge that has seen these rows; the same one for a seed.

    `what` names it to who looks at the progress.
    """
    with undisturbed(), torch.enable_grad():
        torch.manual_seed(stream_seed(seed, what))
        net = _Net(images.shape[1], min(images.shape[-1], SIDE), classes)
        size = min(BATCH, len(rows))
        steps = min(MOST_STEPS, max(LEAST_STEPS, EPOCHS * len(rows) // size))
        batches = whole_batches(rows, size, steps)

        def shown(batch: Tensor) -> Tensor:
            return _moved(seen(images[batch]))

        for _ in trained_steps(net, shown, labels, batches, steps, RATE, DECAY, what):
            pass
    net.eval()

    @torch.inference_mode()
    def judge(these: Tensor) -> Tensor:
        return torch.cat([net(seen(part)).softmax(1) for part in these.split(AT_ONCE)])

    return judge


def _moved(images: Tensor) -> Tensor:
    """Move a batch a little, so that nothing is told by single pixels."""
    most = images.shape[-1] // SHIFT
    if not most:
        return images
    across, down = torch.randint(-most, most + 1, (2,)).tolist()
    return images.roll((down, across), (2, 3))


class _Net(nn.Module):
    """Up to four convolutions, each at half the resolution; then what 4×4 places show."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        halvings = max(1, math.ceil(math.log2(side / PLACES)))
        for width in WIDTHS[:halvings]:
            layers += [nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)]
            layers.append(nn.ReLU())
            channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(PLACES**2 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        seen = F.adaptive_avg_pool2d(self.body(x), PLACES).flatten(1)
        return self.head(F.dropout(seen, 0.3, self.training))
