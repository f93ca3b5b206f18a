"""Numbered samples to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ganbench.errors import ConfigError, GanbenchError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.models.saved.model import SavedModel
    from ganbench.pictures.montage import Tile

COLUMNS = 10


@dataclass(frozen=True)
class Sheet:
    """Numbered samples; in turns of each class, where the generator takes labels."""

    model: SavedModel
    count: int
    seed: int

    @cached_property
    def latents(self) -> Tensor:
        """Return the latents of all samples, (N, Z)."""
        from ganbench.models.latents import draw_each

        return draw_each(self.model.architecture, range(self.count), self.seed, "sheet")

    @cached_property
    def labels(self) -> Tensor | None:
        """Return the labels of all samples; None where the generator takes none."""
        return self.model.label_source.spread(self.count) if self.model.labelled else None

    @cached_property
    def images(self) -> Tensor:
        """Return the samples, (N, C, H, W)."""
        return self.model.images(self.latents, self.labels)

    @cached_property
    def classes(self) -> Tensor:
        """Return each sample's label, or the class that the data set's judge takes it for."""
        return self._judged() if self.labels is None else self.labels

    def page(self) -> Any:
        """Return the page of numbered samples as a picture."""
        from ganbench.pictures import montage

        tiles = [self.tile(number) for number in range(self.count)]
        title = f"samples of seed {self.seed}"
        return montage.sheet(tiles, min(self._columns(), self.count), title)

    def tile(self, number: int) -> Tile:
        """Return one sample with its number, and its class where it has a label."""
        from ganbench.pictures.montage import Tile

        name = "" if self.labels is None else self.model.label_name(self.labels[number])
        return Tile(self.images[number], f"#{number}\n{name}".strip())

    def _columns(self) -> int:
        """So that each holds one class, where they are few."""
        classes = (self.model.labelled and self.model.image.num_classes) or 1
        return COLUMNS if classes > 2 * COLUMNS else max(classes, COLUMNS // classes * classes)

    def _judged(self) -> Tensor:
        from ganbench.util import files

        dataset, model = self.model.dataset(), self.model
        if dataset.judge is None:
            raise ConfigError(
                f"{model.directory}: label:CLASS needs labels, and this generator takes none; nor "
                f"has data set '{dataset.name}' a judge that could tell classes: name samples by "
                "number, from --sheet"
            )
        extractor, root = model.registry.extractor(dataset.judge), files.data()
        if why := extractor.unsupported(model.image) or extractor.missing(root):
            raise GanbenchError(f"judge '{dataset.judge}': {why}")
        return extractor.load(model.image, root)(self.images).probabilities.argmax(1)
