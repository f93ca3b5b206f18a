"""A judge trained by one fixed recipe, and checked on images that it has not seen."""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import ganbench
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import LabeledImages
from ganbench.errors import DataError
from ganbench.evaluation.judges.judge import Card, ClassCard, Judge
from ganbench.evaluation.judges.network import JudgeNet, seen
from ganbench.evaluation.loading import load
from ganbench.evaluation.one_cycle import trained_steps, whole_batches
from ganbench.evaluation.real_data import digest
from ganbench.util.random_streams import stream, stream_seed, undisturbed

RECIPE = 3  # raise it when the same images would give another judge
BATCH, EPOCHS = 128, 13
LEAST_STEPS, MOST_STEPS = 400, 8000
CHECKS = 10  # how often the held-out images are looked at, evenly spread
RATE, DECAY, AVERAGED = 4e-3, 0.01, 0.998
HELD, MOST_HELD = 0.1, 5000  # of the training set, by which it is decided when to stop
SHIFT = 28  # images are moved by up to a part of so much of their side
LEAST_SIDE, LEAST_OF_CLASS = 8, 10
AT_ONCE = 500
MIRRORED = {"fashion-mnist", "cifar10", "cifar100", "stl10", "celeba", "flowers102"}
"""Data sets whose images mean the same in a mirror, unlike letters and digits."""
Z = 1.959964  # standard deviations of a 95 % interval


@dataclass(frozen=True)
class Split:
    """Rows of the training set: to learn from, to stop by, and without a test set, to check by."""

    learnt: Tensor
    held: Tensor
    checked: Tensor


def train(
    dataset: Dataset,
    data: LabeledImages,
    root: Path,
    seed: int = 0,
    about: dict[str, Any] | None = None,
) -> Judge:
    """Return a judge of a data set's classes; the same one for a seed, on one platform.

    `data` is its training set, and `about` what the card says of it. Raises DataError where there
    are no classes to tell apart, or too few images.
    """
    labels = _require_classes(dataset, data)
    has_test = "test" in dataset.splits
    split = _split(labels, has_test)
    started = time.perf_counter()
    mirrored = dataset.name in MIRRORED
    net, recipe = _trained(dataset, data.images, labels, split, seed, mirrored)
    seconds = time.perf_counter() - started
    checked = load(dataset, "test", root) if has_test else data.take(split.checked)
    assert checked.labels is not None
    confusion = _confusion(net, checked.images, checked.labels.long(), dataset)
    weights = {name: value.detach().clone() for name, value in net.state_dict().items()}
    known = {"name": dataset.name, "sha256": digest(data), "num_images": len(data)}
    judge = Judge(card=_card(dataset, confusion, known | (about or {})), weights=weights)
    judge.card = replace(
        judge.card,
        recipe={"version": RECIPE, "seed": seed, "mirrored": mirrored, **recipe},
        seconds=round(seconds, 1),
        threads=torch.get_num_threads(),
        checked_on=f"{len(checked):,} {'test' if has_test else 'held-out'} images",
        weights_sha256=hashlib.sha256(judge.content).hexdigest(),
    )
    return judge


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch work with so many threads; None: as many as it does."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _require_classes(dataset: Dataset, data: LabeledImages) -> Tensor:
    """Return class ids. Raises DataError where there is nothing to learn of them."""
    image, where = dataset.image_spec(), f"data set '{dataset.name}'"
    if image.condition_dim:
        raise DataError(f"{where}: its labels are {image.labels}, and a judge tells classes apart")
    if not image.num_classes or data.labels is None:
        raise DataError(
            f"{where}: it has no labels, and a judge learns classes from them; folders of pictures "
            "are labelled by their subfolders, if there are two or more, and a CSV file labels "
            "pictures"
        )
    if image.num_classes < 2:
        raise DataError(f"{where}: all images are of one class, and there is nothing to tell apart")
    if image.resolution < LEAST_SIDE:
        side = f"{LEAST_SIDE}×{LEAST_SIDE}"
        raise DataError(f"{where}: images of {image}; a judge sees {side} and more")
    counts = data.labels.long().bincount(minlength=image.num_classes)
    few = int(counts.argmin())
    if counts[few] < LEAST_OF_CLASS:
        name = (dataset.class_names() or list(map(str, range(len(counts)))))[few]
        raise DataError(
            f"{where}: class '{name}' has {int(counts[few]):,} images; a judge needs "
            f"{LEAST_OF_CLASS} of each class to learn from and be checked by"
        )
    return data.labels.long()


def _split(labels: Tensor, has_test: bool) -> Split:
    """Hold out a share of each class; without a test set another as large, to check by."""
    share = min(HELD, MOST_HELD / len(labels))
    order = torch.randperm(len(labels), generator=stream(0, "images held out from a judge"))
    learnt, held, checked = [], [], []
    for label in range(int(labels.max()) + 1):
        rows = order[labels[order] == label]
        count = max(1, math.floor(share * len(rows)))
        held.append(rows[:count])
        rest = rows[count:]
        checked.append(rest[: 0 if has_test else 2 * count])
        learnt.append(rest[0 if has_test else 2 * count :])
    return Split(*(torch.cat(part).sort().values for part in (learnt, held, checked)))


def _trained(
    dataset: Dataset,
    images: Tensor,
    labels: Tensor,
    split: Split,
    seed: int,
    mirrored: bool,
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the average of weights that held-out images liked best, and what was done."""
    size = min(BATCH, max(2, len(split.learnt) // 2))
    steps = min(MOST_STEPS, max(LEAST_STEPS, EPOCHS * len(split.learnt) // size))
    every = max(1, steps // CHECKS)
    with undisturbed(), torch.enable_grad():
        torch.manual_seed(stream_seed(seed, "judge"))
        net = JudgeNet(dataset.image_spec())
        net = net.to(memory_format=torch.channels_last)  # a quarter faster on CPUs
        average = AveragedModel(net, multi_avg_fn=_averaged, use_buffers=True)
        best, best_at, kept = (-1.0, 0.0), 0, copy.deepcopy(net.state_dict())
        batches = whole_batches(split.learnt, size, steps)
        shown = partial(_shown, images, mirrored)
        taken = trained_steps(net, shown, labels, batches, steps, RATE, DECAY, "the judge")
        for step in taken:
            average.update_parameters(net)
            if step % every == 0 or step == steps:
                found = _held_out(average.module, images, labels, split.held)
                if found > best:
                    best, best_at = found, step
                    kept = copy.deepcopy(average.module.state_dict())
    net.load_state_dict(kept)
    recipe = {"batch": size, "steps": steps, "stopped_at": best_at, "held_out": len(split.held)}
    return net.eval(), recipe


@torch.no_grad()
def _averaged(averages: Sequence[Tensor], weights: Sequence[Tensor], number: Tensor | int) -> None:
    """Move averages of weights towards them: at first by much, as few steps are behind."""
    kept = min(AVERAGED, (1 + int(number)) / (10 + int(number)))
    for average, weight in zip(averages, weights, strict=True):
        if average.is_floating_point():
            average.lerp_(weight, 1 - kept)
        else:  # a count
            average.copy_(weight)


def _shown(images: Tensor, mirrored: bool, rows: Tensor) -> Tensor:
    moved = _moved(seen(images[rows]), mirrored)
    return moved.contiguous(memory_format=torch.channels_last)


def _moved(images: Tensor, mirrored: bool) -> Tensor:
    """Move each image a little, in any direction, and mirror half of them."""
    count, channels, side, _ = images.shape
    if mirrored:
        images = torch.where(torch.rand(count, 1, 1, 1) < 0.5, images.flip(3), images)
    most = side // SHIFT
    if not most:
        return images
    padded = F.pad(images, (most, most, most, most), mode="replicate")
    places = torch.arange(side)
    down, across = torch.randint(0, 2 * most + 1, (2, count, 1))
    return padded[
        torch.arange(count)[:, None, None, None],
        torch.arange(channels)[None, :, None, None],
        (down + places)[:, None, :, None],
        (across + places)[:, None, None, :],
    ]


@torch.no_grad()
def _held_out(net: nn.Module, images: Tensor, labels: Tensor, rows: Tensor) -> tuple[float, float]:
    """Return the accuracy on held-out images, and for ties the mean log-probability."""
    net.eval()
    right, likely = 0, 0.0
    for part in rows.split(AT_ONCE):
        said = net(seen(images[part])).log_softmax(1)
        right += int((said.argmax(1) == labels[part]).sum())
        likely += float(said.gather(1, labels[part, None]).sum())
    net.train()
    return right / len(rows), likely / len(rows)


@torch.inference_mode()
def _confusion(net: nn.Module, images: Tensor, labels: Tensor, dataset: Dataset) -> Tensor:
    """Return how many images of each class (K, K) are judged to be of each."""
    classes = dataset.image_spec().num_classes
    said = torch.cat([net(seen(part)).argmax(1) for part in images.split(AT_ONCE)])
    return (labels * classes + said).bincount(minlength=classes**2).view(classes, classes)


def _card(dataset: Dataset, confusion: Tensor, data: dict[str, Any]) -> Card:
    image, names = dataset.image_spec(), dataset.class_names()
    if len(set(names)) != image.num_classes:
        names = tuple(map(str, range(image.num_classes)))
    counts, right = confusion.sum(1).tolist(), confusion.diagonal().tolist()
    classes = tuple(
        ClassCard(name, total, *_share(hits, total))
        for name, hits, total in zip(names, right, counts, strict=True)
    )
    accuracy, low, high = _share(sum(right), sum(counts))
    return Card(
        ganbench=ganbench.__version__,
        torch=str(torch.__version__),
        image=image,
        data=data,
        recipe={},
        seconds=0.0,
        threads=0,
        checked_on="",
        accuracy=accuracy,
        low=low,
        high=high,
        classes=classes,
        confusion=tuple(map(tuple, confusion.tolist())),
        weights_sha256="",
    )


def _share(hits: int, total: int) -> tuple[float, float, float]:
    """Return a share with its 95 % interval (Wilson, 1927); of nothing, all that could be."""
    if not total:
        return 0.0, 0.0, 1.0
    share, square = hits / total, Z**2 / total
    middle = (share + square / 2) / (1 + square)
    reach = Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return share, max(0.0, middle - reach), min(1.0, middle + reach)
