"""What every data set must do.

Data is kept where runs keep it; where it is absent, so are most of the checks.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import DatasetStatus, ImageSpec, LabeledImages, Mixture, Split
from ganbench.errors import DataError
from ganbench.evaluation.loading import miscounted, unfit_ids, unfit_vectors
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook
from ganbench.util import files

POINTS = 10_000  # of a split that are compared with a mixture
SOME, FEW = 2000, 100  # images whose labels are looked at: at most, and at least
SHUFFLES = 50  # of labels, which do not tell of the images
BLOCKS = 4  # along a side
rules = Rulebook()


def _has_a_test_set(cls: type) -> bool:
    return "test" in getattr(cls, "splits", ())


@rules.rule
def splits_are_known(dataset: Dataset) -> None:
    splits = dataset.splits
    assert "train" in splits, f"splits are {splits}; there must be a 'train'"
    unknown = sorted(set(splits) - {"train", "test"})
    assert not unknown, f"splits name {unknown}; the splits are 'train' and 'test'"
    assert len(set(splits)) == len(splits), f"splits name one twice: {splits}"


@rules.rule
def extractors_are_named(dataset: Dataset) -> None:
    for field in ("features", "judge"):
        name = getattr(dataset, field)
        assert name is None or (isinstance(name, str) and re.fullmatch(r"[a-z0-9.-]+", name)), (
            f"{field} is {name!r}; give the name of a feature extractor, or None"
        )


@rules.rule
def image_spec_reads_no_image(dataset: Dataset) -> None:
    with _loading_forbidden(dataset, "image_spec()"):
        spec = _spec(dataset)
        if spec is None:
            return
        assert isinstance(spec, ImageSpec), (
            f"image_spec() gives a {type(spec).__name__}, no ImageSpec"
        )
        sizes = (spec.channels, spec.resolution, spec.num_classes, spec.condition_dim)
        whole = all(isinstance(size, int) for size in sizes)
        possible = whole and min(sizes[:2]) > 0 <= min(sizes[2:])
        assert possible, f"image_spec() gives {spec!r}; sizes are whole numbers above zero"
        assert spec == dataset.image_spec(), "image_spec() differs from one call to the next"


@rules.rule
def num_images_is_what_is_loaded(dataset: Dataset) -> None:
    with _loading_forbidden(dataset, "num_images()"):
        planned = dataset.num_images()
    assert planned is None or (type(planned) is int and planned > 0), (
        f"num_images() gives {planned!r}; give a whole number above zero, or None"
    )
    root = files.data()
    if planned is not None and dataset.status(root).present:
        why = miscounted(dataset, len(dataset.load("train", root)), "train")
        assert why is None, why


@rules.rule
def status_reads_and_writes_nothing(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as name, _loading_forbidden(dataset, "status()"):
        root = Path(name)
        for folder in (root, root / "not there yet"):
            status = dataset.status(folder)
            _assert_status(status)
        left = [path.name for path in root.iterdir()]
        assert not left, f"status() writes {left} into the data folder; only load() may"


@rules.rule
def absent_data_is_a_data_error(dataset: Dataset) -> None:
    root = files.data()
    if dataset.status(root).present:
        return
    for split in dataset.splits:
        try:
            dataset.load(split, root)
        except DataError as error:
            reason: str | None = str(error)
        except Exception as error:
            raise AssertionError(
                f"where its data is absent, load() raises {type(error).__name__} ({error}); raise "
                "DataError, and say what is missing, where, and what to do"
            ) from error
        else:
            reason = None
            assert dataset.status(root).present, (
                f"status() says that the data is not there, and load({split!r}) finds it"
            )
        assert reason is None or len(reason.split()) > 3, (
            f"DataError says {reason!r}; say what is missing, where, and what to do"
        )


@rules.rule
def images_are_as_specified(dataset: Dataset) -> None:
    spec = _spec(dataset)
    for split, data in _splits(dataset):
        assert spec is not None, "its data is there, but image_spec() raises DataError"
        assert isinstance(data, LabeledImages), (
            f"load() gives a {type(data).__name__}, no LabeledImages"
        )
        images = data.images
        assert len(images), f"split '{split}' is empty; raise DataError where no image is found"
        expected = (spec.channels, spec.resolution, spec.resolution)
        assert tuple(images.shape[1:]) == expected, (
            f"images of '{split}' are {tuple(images.shape[1:])}, and image_spec() says {spec}"
        )
        assert images.dtype in (torch.uint8, torch.float32), (
            f"images are {images.dtype}; give uint8 in [0, 255], or float32 in [-1, 1]"
        )
        assert images.device.type == "cpu", f"images are on {images.device}; the trainer moves them"
        if images.dtype == torch.float32:
            assert images.isfinite().all(), f"an image value of '{split}' is not finite"
            low, high = float(images.min()), float(images.max())
            assert max(-low, high) <= 1, (
                f"float32 images of '{split}' go from {low:.3g} to {high:.3g}; scale to [-1, 1], "
                "or give uint8"
            )
        else:
            assert images.max() > 1, f"no value of '{split}' is above 1; uint8 goes up to 255"


@rules.rule
def labels_are_class_ids(dataset: Dataset) -> None:
    spec = _spec(dataset)
    for split, data in _splits(dataset):
        assert spec is not None, "its data is there, but image_spec() raises DataError"
        classes, labels = spec.num_classes, data.labels
        if spec.condition_dim:
            continue
        if not classes:
            assert labels is None, f"'{split}' has labels, and image_spec() says {spec}"
            continue
        assert labels is not None, f"'{split}' has no labels, and image_spec() says {spec}"
        assert labels.dtype == torch.int64, f"labels are {labels.dtype}; give int64, with .long()"
        assert labels.shape == data.images.shape[:1], (
            f"labels have shape {tuple(labels.shape)} for {len(data.images)} images"
        )
        low, high = int(labels.min()), int(labels.max())
        assert 0 <= low <= high < classes, (
            f"labels go from {low} to {high}; {classes} classes are numbered 0 to {classes - 1}"
        )
        if split == "train":
            absent = sorted(set(range(classes)) - set(labels.unique().tolist()))
            assert not absent, f"no training image is of the classes {absent[:5]}"


@rules.rule
def labels_tell_of_their_images(dataset: Dataset) -> None:
    """Classes differ by coarse statistics, or by nearest neighbours, more than at random."""
    spec, root = _spec(dataset), files.data()
    if spec is None or not spec.num_classes or not dataset.status(root).present:
        return
    data = dataset.load("train", root)
    some = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:SOME]
    if data.labels is None or data.labels.dtype != torch.int64 or data.labels.ndim > 1:
        return  # another rule says so
    labels = data.labels[some]
    if len(some) < FEW or len(labels.unique()) < 2:
        return
    found = _coarse_statistics(data.images[some])
    told = _exceeds_chance(labels, partial(_between_classes, found))
    told = told or _exceeds_chance(labels, partial(_agreement, _nearest(found)))
    assert told, (
        "the labels of 'train' tell no more of their images than shuffled ones do; move both by "
        "one permutation, or where it is meant so, say so in `breaks`"
    )


@rules.rule
def labels_are_vectors_where_they_are_promised(dataset: Dataset) -> None:
    spec = _spec(dataset)
    for split, data in _splits(dataset):
        if spec is None or not spec.condition_dim:
            continue
        assert data.labels is not None, f"'{split}' has no labels, and image_spec() says {spec}"
        why = unfit_vectors(data.labels, len(data), spec.condition_dim, split)
        assert why is None, why
        if split == "train":
            same = bool((data.labels == data.labels[0]).all())
            assert not same, (
                "all training images have the same vector; take class ids, or no labels"
            )


@rules.rule
def ids_tell_images_apart(dataset: Dataset) -> None:
    for split, data in _splits(dataset):
        why = unfit_ids(data, split)
        assert why is None, why


@rules.rule
def loading_is_repeatable(dataset: Dataset) -> None:
    with seeded(1, others=1):
        once = list(_splits(dataset))
    with seeded(2, others=2):
        again = list(_splits(copy.deepcopy(dataset)))
    for (split, data), (_, other) in zip(once, again, strict=True):
        assert _same(data, other), (
            f"loading '{split}' twice gives other data; use a generator with a seed of its own, "
            "and sort what a folder lists"
        )


@rules.rule_where(_has_a_test_set)
def test_set_is_another_one(dataset: Dataset) -> None:
    found = {split: data.images for split, data in _splits(dataset)}
    if {"train", "test"} <= set(found):
        assert not _equal(found["train"], found["test"]), (
            "the test set is the training set; load another split, or declare splits = ('train',)"
        )
        known = {row.tobytes() for row in found["train"].flatten(1).numpy()}
        seen = sum(row.tobytes() in known for row in found["test"].flatten(1).numpy())
        share = seen / len(found["test"])
        assert share <= 0.5, (
            f"{share:.0%} of the test set are training images; hold others out, or declare "
            "splits = ('train',)"
        )


@rules.rule
def mixture_is_where_the_data_is(dataset: Dataset) -> None:
    mixture, spec = dataset.mixture(), _spec(dataset)
    if mixture is None or spec is None:
        return
    assert isinstance(mixture, Mixture), f"mixture() gives a {type(mixture).__name__}, no Mixture"
    values = spec.channels * spec.resolution**2
    shape = tuple(mixture.centers.shape)
    assert shape[1:] == (values,), (
        f"mixture() has centres of shape {shape}; give (K, {values}), the values of an image"
    )
    assert mixture.std > 0, f"mixture() has std {mixture.std}; it must be above zero"
    assert mixture.centers.abs().max() <= 1, (
        f"a centre lies at {float(mixture.centers.abs().max()):.3g}; give them in the coordinates "
        "of the images, [-1, 1]"
    )
    for split, data in _splits(dataset):
        points = data.images[:POINTS].flatten(1).double()
        distances, nearest = torch.cdist(points, mixture.centers.double()).min(1)
        share = float((distances <= 3 * mixture.std).double().mean())
        assert share > 0.5, (
            f"{share:.0%} of '{split}' lies within 3 std of a centre of mixture(); give centres "
            "and std in the coordinates of the images"
        )
        deserted = len(mixture.centers) - len(nearest.unique())
        assert not deserted, f"{deserted} of the centres of mixture() have no point of '{split}'"


def _coarse_statistics(images: Tensor) -> Tensor:
    """Return rows (N, F), of mean zero and variance one, of images (N, C, H, W).

    They are means over coarse blocks of values, their squares and their steps in both directions.
    """
    x = images.double()
    across, down = x.diff(dim=3, append=x[..., :1]), x.diff(dim=2, append=x[..., :1, :])
    maps = torch.cat([x, x.square(), across.square(), down.square()], 1)
    rows = F.adaptive_avg_pool2d(maps, min(BLOCKS, x.shape[3])).flatten(1)
    rows = rows - rows.mean(0)
    return rows / rows.std(0).clamp_min(1e-6)


def _exceeds_chance(labels: Tensor, measured: Callable[[Tensor], float]) -> bool:
    """Whether a measure of labels is larger than with any of many shuffled ones."""
    generator = torch.Generator().manual_seed(1)
    shuffled = (labels[torch.randperm(len(labels), generator=generator)] for _ in range(SHUFFLES))
    return measured(labels) > max(map(measured, shuffled))


def _between_classes(rows: Tensor, labels: Tensor) -> float:
    """How far the means of classes lie apart, which is all that differs between labellings."""
    classes = int(labels.max()) + 1
    sums = rows.new_zeros(classes, rows.shape[1]).index_add_(0, labels, rows)
    counts = labels.bincount(minlength=classes).clamp_min(1)
    return float((sums.square().sum(1) / counts).sum())


def _nearest(rows: Tensor) -> Tensor:
    """Return for each row which other is nearest to it, (N,)."""
    return torch.cdist(rows, rows).fill_diagonal_(torch.inf).argmin(1)


def _agreement(nearest: Tensor, labels: Tensor) -> float:
    return float((labels == labels[nearest]).double().mean())


def _spec(dataset: Dataset) -> ImageSpec | None:
    """None where the data is absent, and image_spec() says so."""
    try:
        return dataset.image_spec()
    except DataError:
        if dataset.status(files.data()).present:
            raise
        return None


def _splits(dataset: Dataset) -> Iterator[tuple[Split, LabeledImages]]:
    root = files.data()
    if dataset.status(root).present:
        for split in dataset.splits:
            yield split, dataset.load(split, root)


def _assert_status(status: object) -> None:
    assert isinstance(status, DatasetStatus), (
        f"status() gives a {type(status).__name__}; give a DatasetStatus"
    )
    named = isinstance(status.location, str) and status.location
    assert named, "status() names no location; say where the data is, or 'generated'"
    assert isinstance(status.present, bool), (
        f"status() says present={status.present!r}; give a bool"
    )
    assert status.verified in (True, False, None), (
        f"status() says verified={status.verified!r}; give a bool, or None"
    )
    assert isinstance(status.note, str), f"status() says note={status.note!r}; give a text"


@contextmanager
def _loading_forbidden(dataset: Dataset, what: str) -> Iterator[None]:
    def load(self: Dataset, split: Split, root: Path) -> LabeledImages:
        raise AssertionError(f"{what} calls load(); it must tell without reading any image")

    with patch.object(type(dataset), "load", load):
        yield


def _same(a: LabeledImages, b: LabeledImages) -> bool:
    if (a.labels is None) != (b.labels is None):
        return False
    labels = a.labels is None or b.labels is None or _equal(a.labels, b.labels)
    return labels and _equal(a.images, b.images)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
