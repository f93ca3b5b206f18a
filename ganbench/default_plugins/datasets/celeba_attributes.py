"""CelebA (Liu et al., 2015), where the user has it: faces, with attributes as classes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ganbench import DataError, Dataset, DatasetStatus, Split, hookimpl
from ganbench.default_plugins.datasets.image_files import celeba_files
from ganbench.default_plugins.datasets.image_files.fingerprints import Listing
from ganbench.default_plugins.datasets.image_files.options import PicturesOfYourOwn, folder

PARTS: dict[Split, str] = {"train": "0", "test": "2"}  # 1 is for validation
BITS = {"1": 1, "-1": 0, "0": 0}
MOST = 10  # attributes, of which each doubles the classes


@dataclass(kw_only=True)
class CelebAAttributes(PicturesOfYourOwn):
    """Aligned faces of CelebA; attributes are classes, 2^k of them for k (Liu et al., 2015).

    `path` holds `img_align_celeba` and `list_attr_celeba.txt`, as its authors publish them, or the
    same as CSV. The square of 178 pixels in the middle is as wide as the pictures are; some papers
    take 148, 140 or 108 of it. Without attributes the faces have no labels; with `vectors` each
    comes with its attributes as numbers, 1 or -1, in the place of a class.
    """

    name = "celeba-attributes"
    remedy = (
        "put the missing files there, or raise max_bad to go on without them; of an incomplete "
        "copy, image-folder takes what there is"
    )
    crop_size: int | None = 178  # pictures are 178 pixels wide and 218 high
    attributes: list[str] = field(default_factory=list)  # of 40, such as Blond_Hair
    partition: bool = False  # the authors' split; else all faces are for training
    vectors: bool = field(default=False, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        if self.partition and self.test_share:
            raise ValueError("partition and test_share both name a test set; give one of them")
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError(f"attributes names one twice: {', '.join(self.attributes)}")
        if len(self.attributes) > MOST and not self.vectors:
            raise ValueError(
                f"attributes may name {MOST}, found {len(self.attributes)}; vectors: true takes all"
            )
        if self.vectors and not self.attributes:
            raise ValueError("vectors are of attributes; name some")
        super().__post_init__()

    def condition_dim(self) -> int:
        return len(self.attributes) if self.vectors else 0

    def has_test_set(self) -> bool:
        return self.partition or super().has_test_set()

    def class_names(self) -> tuple[str, ...]:
        """Return the classes, of which the first of three attributes counts 4, the last 1."""
        celeba_files.attributes(self._root()).require(self.attributes)
        if not self.attributes or self.vectors:
            return ()
        sides = [(f"not {attribute}", attribute) for attribute in self.attributes]
        return tuple(", ".join(combined) for combined in itertools.product(*sides))

    def listing(self, split: Split) -> Listing:
        labels = self._labels()
        if self.partition:
            labels = self._part(labels, PARTS[split])
        names = sorted(labels)
        root = celeba_files.one_of(self._root(), celeba_files.IMAGES)
        found = [labels[name] for name in names] if self.attributes else None
        told = found if found is None or not self.vectors else [*map(self._vector, found)]
        return self.of_split(Listing(root, names, told), split)

    def status(self, root: Path) -> DatasetStatus:
        try:
            celeba_files.one_of(self._root(), celeba_files.IMAGES)
            found = celeba_files.attributes(self._root())
            found.require(self.attributes)
            if self.partition:
                celeba_files.partition(self._root())
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        count = "" if found.count is None else f"{found.count:,} pictures and "
        note = f"{count}{len(found.columns)} attributes in {found.path.name}"
        return DatasetStatus(self.path, True, None, note, images=found.count)

    def _root(self) -> Path:
        return folder(self.path, self.name)

    def _labels(self) -> dict[str, int]:
        listed = celeba_files.attributes(self._root())
        listed.require(self.attributes)
        labels = {}
        for name, values in listed.rows(self.attributes):
            if odd := [value for value in values if value not in BITS]:
                raise DataError(f"{listed.path}: {name}: '{odd[0]}' is neither 1 nor -1")
            label = 0
            for value in values:
                label = 2 * label + BITS[value]
            labels[name] = label
        return labels

    def _vector(self, label: int) -> list[float]:
        """Return 1 for each attribute of a class, and -1 for each that it lacks."""
        places = range(len(self.attributes) - 1, -1, -1)
        return [1.0 if label >> place & 1 else -1.0 for place in places]

    def _part(self, labels: dict[str, int], wanted: str) -> dict[str, int]:
        listed = celeba_files.partition(self._root())
        parts = {name: part for name, (part,) in listed.rows(["partition"])}
        if unlisted := [name for name in labels if name not in parts]:
            raise DataError(
                f"{listed.path}: {len(unlisted):,} images are not in it, such as '{unlisted[0]}'"
            )
        return {name: label for name, label in labels.items() if parts[name] == wanted}


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(CelebAAttributes)
