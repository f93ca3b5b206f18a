"""Numbered samples to choose from, and sums of those chosen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import model_options
from ganbench.errors import ConfigError, GanbenchError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.models.saved.mixtures import Label
    from ganbench.models.saved.model import Samples, SavedModel
    from ganbench.pictures.montage import Tile

COLUMNS = 10
TERM = re.compile(r"([+-])(?=\s*(?:\d|label:))")  # a class's name may have such signs in it

count_option = click.option(
    "-n",
    "count",
    type=int,
    default=64,
    show_default=True,
    metavar="N",
    help="Samples on the sheet.",
)


@dataclass(frozen=True)
class Sheet:
    """Numbered samples; in turns of each class, where the generator takes labels."""

    model: SavedModel
    count: int
    seed: int

    @cached_property
    def samples(self) -> Samples:
        """Return all samples with their latents, and labels where the generator takes any."""
        return self.model.sheet(self.count, self.seed)

    @property
    def latents(self) -> Tensor:
        """Return the latents of all samples, (N, Z)."""
        assert self.samples.latents is not None
        return self.samples.latents

    @cached_property
    def classes(self) -> Tensor:
        """Return each sample's label, or the class that the data set's judge takes it for."""
        return self._judged() if self.samples.labels is None else self.samples.labels

    def page(self) -> Any:
        """Return the page of numbered samples as a picture."""
        from ganbench.pictures import montage

        tiles = [self.tile(number) for number in range(self.count)]
        title = f"samples of seed {self.seed}"
        return montage.sheet(tiles, min(self._columns(), self.count), title)

    def tile(self, number: int) -> Tile:
        """Return one sample with its number, and its class where it has a label."""
        from ganbench.pictures.montage import Tile

        labels = self.samples.labels
        name = "" if labels is None else self.model.label_name(labels[number])
        return Tile(self.samples.images[number], f"#{number}\n{name}".strip())

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
        return extractor.load(model.image, root)(self.samples.images).probabilities.argmax(1)


@dataclass(frozen=True)
class Operand:
    """The mean of some samples, with a sign."""

    sign: str
    numbers: Sequence[int]
    latent: Tensor  # (Z,)
    label: Label  # the shares of their classes, or the mean vector (C,)

    @property
    def factor(self) -> int:
        """Return 1 where the latent is added, and -1 where it is subtracted."""
        return -1 if self.sign == "−" else 1


@dataclass(frozen=True)
class Total:
    """What operands add up to."""

    latent: Tensor  # (Z,)
    label: Label  # None where there are none, or they do not add up to one label


def asked_total(sheet: Sheet, option: str, text: str) -> Total:
    """Return what a sum such as `3,17-1+5` comes to. Raises ConfigError."""
    first, *rest = TERM.split(text)
    terms = [("+", first), *zip(rest[::2], rest[1::2], strict=True)]
    return total(
        [operand(sheet, "−" if sign == "-" else "+", option, term.strip()) for sign, term in terms]
    )


def operand(sheet: Sheet, sign: str, option: str, text: str) -> Operand:
    """Return the mean of samples `3,17,20`, or of all of `label:CLASS`. Raises ConfigError."""
    numbers = _numbers(sheet, option, text)
    label: Label = None
    if sheet.samples.labels is not None:
        own = sheet.samples.labels[numbers]
        counts = Counter(own.tolist()) if own.ndim == 1 else Counter()
        shares = {one: Fraction(count, len(numbers)) for one, count in counts.items()}
        label = shares if own.ndim == 1 else own.mean(0)
    return Operand(sign, numbers, sheet.latents[numbers].mean(0), label)


def total(found: Sequence[Operand]) -> Total:
    """Return the sum of the latents, and of the labels where that is one label."""
    import torch

    latent = torch.stack([one.factor * one.latent for one in found]).sum(0)
    vectors = [one.factor * one.label for one in found if isinstance(one.label, torch.Tensor)]
    if vectors:
        one_label = sum(one.factor for one in found) == 1
        return Total(latent, torch.stack(vectors).sum(0) if one_label else None)
    sums: dict[int, float | Fraction] = {}
    for one in found:
        for label, share in (one.label or {}).items():  # type: ignore[union-attr]
            sums[label] = sums.get(label, 0) + one.factor * share
    kept = {label: share for label, share in sums.items() if share}
    return Total(latent, kept if sum(kept.values()) == 1 else None)


def named(model: SavedModel, label: Label) -> str:
    """Return `5`, or `0.67·5 + 0.33·7`; or a vector's numbers."""
    if label is None:
        return ""
    if not isinstance(label, Mapping):
        return model.label_name(label)
    terms = []
    for one, share in label.items():
        factor = "" if abs(share) == 1 else f"{abs(float(share)):.2g}·"
        terms.append((" − " if share < 0 else " + ") + factor + model.class_names[one])
    return "".join(terms).removeprefix(" + ")


def _numbers(sheet: Sheet, option: str, text: str) -> list[int]:
    kind, colon, name = text.partition(":")
    if colon and kind.strip() == "label":
        label = model_options.class_of(sheet.model, option, name.strip())
        found = (sheet.classes == label).nonzero()[:, 0].tolist()
        if not found:
            raise ConfigError(
                f"{option} {text}: none of the {sheet.count} samples is of this class; raise -n"
            )
        return found
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{option} {text}: expected numbers as in 3,17,20, or label:CLASS")
    numbers = list(dict.fromkeys(map(int, parts)))
    if max(numbers) >= sheet.count:
        raise ConfigError(
            f"{option} {text}: the sheet has samples from 0 to {sheet.count - 1}, and no "
            f"{max(numbers)}; -n {max(numbers) + 1} makes it longer"
        )
    return numbers
