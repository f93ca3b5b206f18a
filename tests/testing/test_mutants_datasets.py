"""Right data sets pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from helpers import mutants

from ganbench import DataError, Dataset, DatasetStatus, ImageSpec, LabeledImages, Mixture, Split
from ganbench.default_plugins.datasets.mixtures import Grid, Ring
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.evaluations import KitPictures, KitPoints


@dataclass(kw_only=True)
class Absent(Dataset):
    """Data that is nowhere."""

    name = "absent"
    splits = ("train",)

    def image_spec(self) -> ImageSpec:
        return ImageSpec(3, 8)

    def load(self, split: Split, root: Path) -> LabeledImages:
        raise DataError(f"{root / 'absent'}: missing; put the archive there, from its publisher")

    def status(self, root: Path) -> DatasetStatus:
        return DatasetStatus(str(root / "absent"), False, None, "missing")


@parametrize_with_checks(
    KitPictures,
    KitPictures(channels=3, resolution=32, labelled=False),
    KitPoints,
    Ring(modes=3, train_size=900, test_size=90),
    Grid(side=2),
    Absent,
)
def test_right_data_set_conforms(check):
    check()


@dataclass(kw_only=True)
class ShuffledLabels(KitPictures):
    """Images and labels are shuffled, each in a way of its own."""

    name = "shuffled-labels"
    caught_by = {"labels_tell_of_their_images"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        data = super().load(split, root)
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))
        return replace(data, labels=data.labels[order])


@dataclass(kw_only=True)
class Stripes(KitPictures):
    """Classes that have one mean, and differ by a pattern anywhere, which is right."""

    name = "stripes"

    def load(self, split: Split, root: Path) -> LabeledImages:
        generator, labels = self.draws(split)
        wave = torch.arange(self.resolution) // torch.tensor([[1], [2], [4], [8]]) % 2
        rows = (200 * wave[labels % 4])[:, None, :, None].expand(-1, 1, -1, self.resolution)
        rolled = (row.roll(int(s), 1) for row, s in zip(rows, labels.roll(1), strict=True))
        noise = 20 * torch.rand(rows.shape, generator=generator)
        return LabeledImages((torch.stack([*rolled]) + noise).to(torch.uint8), labels)


@parametrize_with_checks(Stripes)
def test_data_set_of_patterns_conforms(check):
    check()


@dataclass(kw_only=True)
class SpecByLoading(KitPictures):
    """A spec for which all images are read."""

    name = "spec-by-loading"
    caught_by = {"image_spec_reads_no_image"}

    def image_spec(self) -> ImageSpec:
        return ImageSpec(self.load("train", Path()).images.shape[1], 8, 4)


@dataclass(kw_only=True)
class CountsFiles(KitPictures):
    """A count of files, of which one is damaged and left out."""

    name = "counts-files"
    caught_by = {"num_images_is_what_is_loaded"}

    def num_images(self) -> int | None:
        return len(super().load("train", Path()).images)

    def load(self, split: Split, root: Path) -> LabeledImages:
        found = super().load(split, root)
        assert found.labels is not None
        return LabeledImages(found.images[1:], found.labels[1:])


@dataclass(kw_only=True)
class CountsByLoading(KitPictures):
    """A count for which all images are read."""

    name = "counts-by-loading"
    caught_by = {"num_images_is_what_is_loaded"}

    def num_images(self) -> int | None:
        return len(self.load("train", Path()).images)


@dataclass(kw_only=True)
class StatusByLoading(KitPictures):
    """A status for which all images are read."""

    name = "status-by-loading"
    caught_by = {"status_reads_and_writes_nothing"}

    def status(self, root: Path) -> DatasetStatus:
        return DatasetStatus("here", len(self.load("train", root)) > 0, None)


@dataclass(kw_only=True)
class StatusMakesFolders(KitPictures):
    """A status that makes the folder it looks into."""

    name = "status-makes-folders"
    caught_by = {"status_reads_and_writes_nothing"}

    def status(self, root: Path) -> DatasetStatus:
        (root / "pictures").mkdir(parents=True, exist_ok=True)
        return DatasetStatus(str(root / "pictures"), True, None)


@dataclass(kw_only=True)
class StatusOfText(KitPictures):
    """A status that is no DatasetStatus."""

    name = "status-of-text"
    caught_by = {"status_reads_and_writes_nothing"}
    also = mutants.MOST

    def status(self, root: Path) -> str:
        return "present"


@dataclass(kw_only=True)
class AbsentWithoutReason(Absent):
    """A DataError that helps nobody."""

    name = "absent-without-reason"
    caught_by = {"absent_data_is_a_data_error"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        raise DataError("not found")


@dataclass(kw_only=True)
class AbsentWithTraceback(Absent):
    """An error of the operating system's."""

    name = "absent-with-traceback"
    caught_by = {"absent_data_is_a_data_error"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        return torch.load(root / "absent" / "train.pt")


@dataclass(kw_only=True)
class ThreeSplits(KitPictures):
    """A split that nobody asks for."""

    name = "three-splits"
    splits = ("train", "valid")
    caught_by = {"splits_are_known"}
    also = {
        "ids_tell_images_apart",
        "images_are_as_specified",
        "labels_are_class_ids",
        "labels_are_vectors_where_they_are_promised",
        "loading_is_repeatable",
    }


class Changed(KitPictures):
    """Its images and labels are changed."""

    def load(self, split: Split, root: Path) -> LabeledImages:
        return self.changed(super().load(split, root))

    def changed(self, data: LabeledImages) -> LabeledImages:
        raise NotImplementedError


@dataclass(kw_only=True)
class FloatPixels(Changed):
    """Pixels from 0 to 255 as floats."""

    name = "float-pixels"
    caught_by = {"images_are_as_specified"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, images=data.images.float())


@dataclass(kw_only=True)
class UnitPixels(Changed):
    """Pixels from 0 to 1, rounded to whole numbers."""

    name = "unit-pixels"
    caught_by = {"images_are_as_specified"}
    also = {"test_set_is_another_one"}  # two values are left

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, images=(data.images / 255).round().to(torch.uint8))


@dataclass(kw_only=True)
class DoublePixels(Changed):
    """Pixels in float64."""

    name = "double-pixels"
    caught_by = {"images_are_as_specified"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, images=data.images.double() / 255)


@dataclass(kw_only=True)
class ChannelsLast(Changed):
    """Images of (N, H, W, C)."""

    name = "channels-last"
    caught_by = {"images_are_as_specified"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, images=data.images.permute(0, 2, 3, 1))


@dataclass(kw_only=True)
class LabelsFromOne(Changed):
    """Classes numbered from one."""

    name = "labels-from-one"
    caught_by = {"labels_are_class_ids"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, labels=data.labels + 1)


@dataclass(kw_only=True)
class ByteLabels(Changed):
    """Labels in bytes."""

    name = "byte-labels"
    caught_by = {"labels_are_class_ids"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, labels=data.labels.to(torch.uint8))


@dataclass(kw_only=True)
class ColumnOfLabels(Changed):
    """Labels of (N, 1)."""

    name = "column-of-labels"
    caught_by = {"labels_are_class_ids"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, labels=data.labels[:, None])


@dataclass(kw_only=True)
class OneIdTwice(Changed):
    """Two images of one id."""

    name = "one-id-twice"
    caught_by = {"ids_tell_images_apart"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, ids=["0", *map(str, range(len(data) - 1))])


@dataclass(kw_only=True)
class LabelsForgotten(Changed):
    """Classes without labels."""

    name = "labels-forgotten"
    caught_by = {"labels_are_class_ids"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        return replace(data, labels=None)


@dataclass(kw_only=True)
class LabelsInSecret(Changed):
    """Labels without classes."""

    name = "labels-in-secret"
    caught_by = {"labels_are_class_ids"}

    def image_spec(self) -> ImageSpec:
        return ImageSpec(1, 8)

    def changed(self, data: LabeledImages) -> LabeledImages:
        return data


@dataclass(kw_only=True)
class ClassWithoutImages(Changed):
    """One class more than there is."""

    name = "class-without-images"
    caught_by = {"labels_are_class_ids"}

    def image_spec(self) -> ImageSpec:
        return ImageSpec(1, 8, 5)

    def changed(self, data: LabeledImages) -> LabeledImages:
        return data


@dataclass(kw_only=True)
class OtherEveryTime(Changed):
    """An order that a global generator draws."""

    name = "other-every-time"
    caught_by = {"loading_is_repeatable"}

    def changed(self, data: LabeledImages) -> LabeledImages:
        order = torch.randperm(len(data))
        return LabeledImages(data.images[order], data.labels[order])


@dataclass(kw_only=True)
class OneSplit(KitPictures):
    """The training set in place of the test set."""

    name = "one-split"
    caught_by = {"test_set_is_another_one"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        return super().load("train", root)


@dataclass(kw_only=True)
class PartOfTraining(KitPictures):
    """The test set is a part of the training set."""

    name = "part-of-training"
    caught_by = {"test_set_is_another_one"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        found = super().load("train", root)
        if split == "train" or found.labels is None:
            return found
        return LabeledImages(found.images[::2], found.labels[::2])


@dataclass(kw_only=True)
class CentresOfThePaper(KitPoints):
    """Centres in the paper's coordinates, points in the image's."""

    name = "centres-of-the-paper"
    caught_by = {"mixture_is_where_the_data_is"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        data = super().load(split, root)
        return replace(data, images=data.images / 2)


@dataclass(kw_only=True)
class NarrowMixture(KitPoints):
    """A standard deviation a tenth of the data's."""

    name = "narrow-mixture"
    caught_by = {"mixture_is_where_the_data_is"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        return KitPoints(std=0.2).load(split, root)


@dataclass(kw_only=True)
class DesertedCentre(KitPoints):
    """A centre without points."""

    name = "deserted-centre"
    caught_by = {"mixture_is_where_the_data_is"}

    def load(self, split: Split, root: Path) -> LabeledImages:
        data = super().load(split, root)
        kept = data.labels != 3
        images = torch.where(kept[:, None, None, None], data.images, data.images[0])
        return replace(data, images=images)

    def mixture(self) -> Mixture:
        return super().mixture()


@dataclass(kw_only=True)
class JudgeItself(KitPictures):
    """An object where a name belongs."""

    name = "judge-itself"
    judge = KitPictures  # type: ignore[assignment]
    caught_by = {"extractors_are_named"}


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_data_set_is_caught(mutant):
    mutants.assert_caught(mutant)
