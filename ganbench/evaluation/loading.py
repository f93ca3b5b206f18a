"""Data sets of any kind loaded: their splits held to the contract, and what looks odd in them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import ImageSpec, LabeledImages, Split
from ganbench.errors import ContractError
from ganbench.util.messages import shown
from ganbench.util.process_settings import put_back

REACH = 1.01  # of fractions, with what resizing may add
DARK = 65  # where the brightest value is below it, white may be another one: of 14 bits, it is 64
DARKER, SHARE = 32, 0.01  # and where those of such a share are, while others are bright
LOOKED_AT = 1000  # images, evenly spread, by which that is told
TOLD = 3  # classes that a remark names
MOST_COMPARED = 10**9  # values of images, which takes some seconds
NOTHING = {"", "nan", "none", "null", "n/a", "na", "<na>"}  # what programs write for no label

_log = logging.getLogger(__name__)


def load(dataset: Dataset, split: Split, root: Path) -> LabeledImages:
    """Return a whole split, with remarks on what looks odd in it, which are logged too.

    Raises DataError, as the data set does, and ContractError where it gives what cannot be used.
    """
    with put_back():
        found, spec = dataset.load(split, root), dataset.image_spec()
    if why := unfit(found, spec, split) or miscounted(dataset, len(found), split):
        raise ContractError(f"data set '{dataset.name}': {why}")
    remarks = tuple(dict.fromkeys((*found.remarks, *_remarks(dataset, found, spec, split))))
    for remark in remarks:
        _log.warning("data set '%s', %s: %s", dataset.name, split, remark)
    return replace(found, remarks=remarks)


def unfit(data: LabeledImages, spec: ImageSpec, split: Split) -> str | None:
    """Return why a split is not what `image_spec()` says, or None."""
    images, labels, classes = data.images, data.labels, spec.num_classes
    expected = (spec.channels, spec.resolution, spec.resolution)
    if tuple(images.shape[1:]) != expected:
        return f"images of '{split}' are {tuple(images.shape[1:])}, and image_spec() says {spec}"
    if not len(images):
        return f"split '{split}' is empty; raise DataError where no image is found"
    if images.dtype not in (torch.uint8, torch.float32):
        return f"images are {images.dtype}; give uint8 in [0, 255], or float32 in [-1, 1]"
    if images.dtype == torch.float32 and not all(map(torch.isfinite, images.aminmax())):
        row = int((~images.isfinite().flatten(1).all(1)).nonzero()[0])
        return f"image {row:,} of '{split}', from 0, has a value that is NaN or infinite"
    if why := unfit_ids(data, split):
        return why
    if spec.label_kind is None:
        return None
    if labels is None:
        return f"'{split}' has no labels, and image_spec() says {spec}"
    if spec.condition_dim:
        return unfit_vectors(labels, len(images), spec.condition_dim, split)
    return _unfit_labels(labels, len(images), classes, split)


def unfit_ids(data: LabeledImages, split: Split) -> str | None:
    """Return why ids do not tell the images apart, or None."""
    ids = data.ids
    if not ids or len(ids) == len(set(ids)) == len(data.images):
        return None
    return (
        f"'{split}' has {len(ids):,} ids, {len(set(ids)):,} of them different, for "
        f"{len(data.images):,} images; give each one of its own, or none at all"
    )


def unfit_vectors(labels: Tensor, count: int, condition_dim: int, split: Split) -> str | None:
    """Return why labels are not as many vectors of this many finite numbers, or None."""
    if labels.dtype != torch.float32:
        return f"labels of '{split}' are {labels.dtype}; give float32 vectors, with .float()"
    if tuple(labels.shape) != (count, condition_dim):
        return (
            f"labels of '{split}' have shape {tuple(labels.shape)} for {count:,} images; give "
            f"{(count, condition_dim)}, or another condition_dim in image_spec()"
        )
    if not (finite := labels.isfinite()).all():
        row = int((~finite).any(1).nonzero()[0])
        return f"labels of '{split}': number {row} is {labels[row].tolist()}; give finite numbers"
    return None


def miscounted(dataset: Dataset, count: int, split: Split) -> str | None:
    """Return why a split is not of the size that budgets in epochs were planned by, or None."""
    planned = dataset.num_images() if split == "train" else None
    if planned is None or planned == count:
        return None
    return (
        f"num_images() says {planned:,}, and 'train' has {count:,} images; give the number that "
        "load() gives, or None"
    )


def _unfit_labels(labels: Tensor, count: int, classes: int, split: Split) -> str | None:
    """Other whole numbers than int64 will do; the conformance kit alone insists on these."""
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        return f"labels of '{split}' are {labels.dtype}; give int64 class ids, with .long()"
    if tuple(labels.shape) != (count,):
        return f"labels of '{split}' have shape {tuple(labels.shape)} for {count:,} images"
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        return (
            f"labels of '{split}' go from {low} to {high}; {classes} classes are numbered 0 to "
            f"{classes - 1}"
        )
    return None


def _remarks(dataset: Dataset, data: LabeledImages, spec: ImageSpec, split: Split) -> Iterator[str]:
    if data.labels is not None and spec.label_kind is None:
        yield "it gives labels, and its image_spec() says unlabelled; they are not used"
    yield from odd_names(dataset.class_names())
    if split == "train" and spec.num_classes > 1 and data.labels is not None:
        yield from _lone(data.labels, dataset.class_names())
    yield from _alike(data)
    if spec.resolution > 1:
        yield from _beyond(data.images)
        yield from _dark(data.images)


def _beyond(images: Tensor) -> Iterator[str]:
    """Yield what no generator can reach that ends in a tanh, such as values of 0 to 255."""
    low, high = (float(value) for value in images.aminmax())
    if images.dtype != torch.uint8 and max(-low, high) > REACH:
        yield (
            f"its images go from {low:.3g} to {high:.3g}, and fractions are black at -1 and white "
            "at 1: generators reach nothing beyond, and pictures show it as black or white"
        )


def odd_names(names: Sequence[str]) -> Iterator[str]:
    """Yield what classes' names leave in doubt: names of nothing, in two spellings, or numbers."""
    for name in names:
        if name.strip().lower() in NOTHING:
            yield f"a class is called {shown(name)}, which programs write where there is no label"
    if len(names) > 1 and all(name.isdecimal() for name in names):
        for number, name in enumerate(sorted(names, key=int)):
            if names[number] != name:
                yield (
                    f"classes are numbered in the order of their names as text, so that "
                    f"'{names[number]}' is class #{number}; names such as 01, 02, … 10 are in order"
                )
                break
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(name.lower().split()), []).append(name)
    for several in alike.values():
        if len(several) > 1:
            listed = " and ".join(map(repr, several))
            yield f"classes {listed} are one but for case or spaces, and count as different ones"


def _lone(labels: Tensor, names: Sequence[str]) -> Iterator[str]:
    """Yield which classes have a single image, by which they cannot be learnt."""
    lone = (labels.bincount() == 1).nonzero().flatten().tolist()
    if lone:
        told = ", ".join(repr(names[i] if names else str(i)) for i in lone[:TOLD])
        more = ", …" if len(lone) > TOLD else ""
        classes = "class has" if len(lone) == 1 else "classes have"
        yield f"{len(lone):,} {classes} a single image each, and cannot be learnt: {told}{more}"


def _alike(data: LabeledImages) -> Iterator[str]:
    """Yield how many pictures of somebody's own are exactly like another one."""
    if not data.ids or data.images.numel() > MOST_COMPARED:
        return
    first: dict[bytes, int] = {}
    again = []
    for i, image in enumerate(data.images):
        known = first.setdefault(hashlib.sha256(image.numpy().tobytes()).digest(), i)
        if known != i:
            again.append((known, i))
    if not again:
        return
    known, i = again[0]
    are = "is" if len(again) == 1 else "are"
    yield (
        f"{len(again):,} of {len(data):,} images {are} exactly like another one, such as "
        f"{shown(data.ids[i])} and {shown(data.ids[known])}{_disagreeing(data, again)}"
    )


def _disagreeing(data: LabeledImages, again: Sequence[tuple[int, int]]) -> str:
    if data.labels is None or data.labels.ndim > 1:
        return ""
    count = sum(int(data.labels[a]) != int(data.labels[b]) for a, b in again)
    return f", and {count:,} of them have another label than it" if count else ""


def _dark(images: Tensor) -> Iterator[str]:
    """Yield what looks as if white were another value, of all images or of some."""
    step = -(-len(images) // LOOKED_AT)
    few = images[::step].flatten(1)
    darkest, brightest = few.amin(1).float(), few.amax(1).float()
    if images.dtype != torch.uint8:
        darkest, brightest = (127.5 * (values + 1) for values in (darkest, brightest))
    if (most := float(brightest.max())) < DARK:
        yield (
            f"the brightest value of its images is {most:g} of 255, which is nearly black; where "
            "that is to be white, give the data set's option range, as far as it has one"
        )
        return
    # An image of one value, such as an empty slice, is as dark in any range.
    darker = ((brightest < DARKER) & (darkest < brightest)).nonzero().flatten()
    if len(darker) and len(darker) >= SHARE * len(few):
        found = float(brightest[darker].max())
        yield (
            f"{len(darker):,} of {len(few):,} images have no value above {found:.3g} of 255, image "
            f"{int(darker[0]) * step} the first of them; where their white is another than that of "
            "the rest, as of 12 bits in files of 16 beside 8, save all alike"
        )
