"""What any data set gives is held to its contract, and what looks odd in it is remarked on."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ganbench import ContractError, Dataset, DatasetStatus, ImageSpec, LabeledImages
from ganbench.cli.commands.datasets import findings
from ganbench.evaluation.loading import load, odd_names

IMAGES = torch.full((6, 1, 4, 4), 200, dtype=torch.uint8)
LABELS = torch.arange(6) % 3


def mixed(brightest: int) -> torch.Tensor:
    """Images of which two are dark beside the rest."""
    images = IMAGES.clone()
    images[1:3] = 0
    images[1:3, 0, 0, 0] = brightest
    return images


def with_value(value: float) -> torch.Tensor:
    """Fractions, of which one is another value."""
    images = torch.zeros(6, 1, 4, 4)
    images[2, 0, 1, 1] = value
    return images


class Given(Dataset):
    """Gives what it is made of, as anybody's data set may."""

    name = "given"
    splits = ("train",)

    def __init__(self, images=IMAGES, labels=LABELS, classes=3, names=(), ids=()) -> None:
        self.found = LabeledImages(images, labels, ids=ids)
        self.classes, self.names = classes, names

    def image_spec(self) -> ImageSpec:
        return ImageSpec(1, 4, self.classes)

    def load(self, split, root) -> LabeledImages:
        return self.found

    def status(self, root) -> DatasetStatus:
        return DatasetStatus("memory", True, None)

    def class_names(self):
        return self.names


def test_empty_images_and_few_dark_ones_are_not_remarked_on():
    many = IMAGES[:1].repeat(201, 1, 1, 1)
    many[7] = mixed(15)[1]
    for images, labels in ((mixed(0), LABELS), (mixed(32), LABELS), (many, torch.arange(201) % 3)):
        assert load(Given(images, labels), "train", Path()).remarks == ()


def test_what_fits_is_given_as_it_is(caplog):
    for labels in (LABELS, LABELS.int(), LABELS.byte()):
        found = load(Given(labels=labels), "train", Path())
        assert found.images is IMAGES
        assert found.labels is labels
        assert found.remarks == ()
    assert not caplog.records


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (Given(labels=LABELS.float()), "labels of 'train' are torch.float32; give int64 class ids"),
        (Given(labels=LABELS > 0), "labels of 'train' are torch.bool; give int64"),
        (Given(labels=LABELS[:5]), r"labels of 'train' have shape \(5,\) for 6 images"),
        (Given(labels=torch.eye(3).long()[LABELS]), r"have shape \(6, 3\) for 6 images"),
        (Given(labels=LABELS + 1), "go from 1 to 3; 3 classes are numbered 0 to 2"),
        (Given(labels=LABELS - 1), "go from -1 to 1; 3 classes are numbered 0 to 2"),
        (Given(labels=None), "'train' has no labels, and image_spec"),
        (
            Given(IMAGES[..., :3]),
            r"images of 'train' are \(1, 4, 3\), and image_spec\(\) says 1×4×4",
        ),
        (Given(IMAGES[:0], LABELS[:0]), "split 'train' is empty"),
        (Given(IMAGES.double()), "images are torch.float64; give uint8"),
        (Given(with_value(math.nan)), "image 2 of 'train', from 0, has a value that is NaN or"),
        (Given(with_value(-math.inf)), "image 2 of 'train', from 0, has a value that is NaN or"),
    ],
)
def test_what_does_not_fit_is_refused(dataset, why):
    with pytest.raises(ContractError, match=f"data set 'given': .*{why}"):
        load(dataset, "train", Path())


@pytest.mark.parametrize(
    ("dataset", "remark"),
    [
        (Given(classes=0), "it gives labels, and its image_spec() says unlabelled; they are not u"),
        (Given(IMAGES // 13), "the brightest value of its images is 15 of 255, which is nearly b"),
        (Given(IMAGES.float() / 500 - 1), "the brightest value of its images is 51 of 255, which"),
        (Given(IMAGES.float()), "its images go from 200 to 200, and fractions are"),
        (Given(mixed(15)), "2 of 6 images have no value above 15 of 255, image 1 the first of the"),
        (Given(mixed(15).float() / 127.5 - 1), "2 of 6 images have no value above 15 of 255"),
        (Given(names=("cat", "nan", "x")), "a class is called 'nan', which programs write where"),
        (Given(names=("1", "10", "2")), "classes are numbered in the order of their names as text"),
        (
            Given(labels=torch.tensor([0, 0, 1, 0, 0, 2]), names=("a", "b", "c")),
            "2 classes have a single image each, and cannot be learnt: 'b', 'c'",
        ),
        (
            Given(
                mixed(255),
                labels=torch.tensor([0, 1, 1, 0, 0, 2]).clamp(max=1),
                classes=2,
                ids=("a", "b", "c", "d", "e", "f"),
            ),
            "4 of 6 images are exactly like another one, such as 'c' and 'b', and 1 of them have",
        ),
        (
            Given(labels=None, classes=0, ids=("a", "b", "c", "d", "e", "f")),
            "5 of 6 images are exactly like another one, such as 'b' and 'a'",
        ),
        (Given(names=("cat", "Cat ", "x")), "classes 'cat' and 'Cat ' are one but for case or sp"),
    ],
)
def test_what_looks_odd_is_remarked_on(dataset, remark, caplog):
    with caplog.at_level(logging.WARNING):
        found = load(dataset, "train", Path())
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(remark)
    assert f"data set 'given', train: {remark}" in caplog.text
    chosen = SimpleNamespace(label="given", dataset=dataset)
    assert findings.examined(chosen, Path()).problems == [*found.remarks]


def test_plain_names_are_not_odd():
    assert not list(odd_names(["cat", "cats", "0", "00", "Nancy"]))
    assert not list(odd_names(list(map(str, range(12)))))
    assert not list(odd_names(["10"]))
