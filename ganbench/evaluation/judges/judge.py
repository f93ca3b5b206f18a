"""A judge in a folder: its weights, what it is and how good, and the same for people to read.

judge.safetensors  the weights
judge.json         the images and classes that it is of, its data, its recipe, what it gets right
README.md          the card
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pydantic
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_weights
from safetensors.torch import save
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import FeatureExtractor, Features
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.reporters import markdown_cell
from ganbench.errors import ConfigError, DataError
from ganbench.evaluation.judges.network import JudgeNet, seen
from ganbench.records import stored
from ganbench.records.judges import weakness
from ganbench.util import files, sealed

FORMAT, FORMAT_VERSION = "ganbench-judge", 3
WEIGHTS, CARD, TOLD = "judge.safetensors", "judge.json", "README.md"
NAME = "judge"


@dataclass(frozen=True)
class ClassCard:
    """How many images of a class are judged right, with a 95 % interval (Wilson, 1927)."""

    name: str
    images: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Card:
    """What judge.json holds."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    ganbench: str  # versions
    torch: str
    image: ImageSpec
    data: dict[str, Any]  # name and options of the data set, SHA-256 and number of its images
    recipe: dict[str, Any]
    seconds: float  # of training, with `threads` threads
    threads: int
    checked_on: str  # the test set, or images that were held out
    accuracy: float
    low: float
    high: float
    classes: tuple[ClassCard, ...]
    confusion: tuple[tuple[int, ...], ...]  # images of each class, by what they were judged
    weights_sha256: str

    @property
    def worst(self) -> ClassCard:
        """The class that is judged right least often."""
        return min(self.classes, key=lambda one: one.accuracy)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return tuple(one.name for one in self.classes)


@dataclass(kw_only=True)
class Judge(FeatureExtractor):
    """A judge, which says of images what classes they are of."""

    name = NAME
    card: Card
    weights: dict[str, Tensor]

    def unsupported(self, image: ImageSpec) -> str | None:
        """Return why it cannot judge images of this shape, or None."""
        own = self.card.image
        if (own.channels, own.resolution) != (image.channels, image.resolution):
            return f"the judge sees images of {own}, and these are {image}"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        """Return a function of images that gives what the hidden layer finds, and probabilities."""
        net = JudgeNet(self.card.image).eval()
        net.load_state_dict(self.weights)
        net.to(device)

        @torch.inference_mode()
        def features(images: Tensor) -> Features:
            found, logits = net.features_and_logits(seen(images))
            return Features(found, logits.softmax(1))

        return features

    def fingerprint(self) -> str:
        """Return a text that its weights decide."""
        return f"judge:{self.card.weights_sha256}"

    def protocol(self) -> dict[str, Any]:
        """Say what it was trained on and how good it is."""
        worst = self.card.worst
        return {
            "weights": {"sha256": self.card.weights_sha256},
            "recipe": self.card.recipe,
            "data": {"sha256": self.card.data["sha256"]},
            "checked_on": self.card.checked_on,
            "accuracy": self.card.accuracy,
            "worst": {"class": worst.name, "accuracy": worst.accuracy},
        }

    @cached_property
    def content(self) -> bytes:
        """What the file of the weights holds."""
        return save({name: tensor.contiguous() for name, tensor in self.weights.items()})

    def misfit(self, dataset: Dataset) -> str | None:
        """Return why it cannot judge the images of a data set, or None."""
        image, own = dataset.image_spec(), self.card.image
        if why := self.unsupported(image):
            return why
        if image.num_classes != own.num_classes:
            return f"the judge tells {own.num_classes} classes apart, and there are {image.labels}"
        names = dataset.class_names()
        if names and len(set(names)) == len(names) and names != self.card.class_names:
            mine, theirs = next(
                pair
                for pair in zip(self.card.class_names, names, strict=True)
                if pair[0] != pair[1]
            )
            return f"the judge has class '{mine}' where the data set has '{theirs}'"
        return None


def write(directory: Path, judge: Judge) -> None:
    """Write the whole folder; judge.json, which vouches for the weights, comes last."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files.write_atomically(directory / WEIGHTS, lambda path: path.write_bytes(judge.content))
        files.write_text(directory / TOLD, text(judge.card))
        sealed.write_json(directory / CARD, asdict(judge.card))
    except OSError as error:
        raise DataError(f"{directory}: cannot be written: {error.strerror}") from error


def read(directory: Path) -> Judge:
    """Return the judge in a folder. Raises DataError where there is none that is whole."""
    path = directory / CARD
    found = files.read_json(path)
    if found is None:
        raise DataError(
            f"{directory}: no judge in it: {CARD} is missing or not whole; `ganbench judge train` "
            "makes one"
        )
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError(f"{path}: of another program, and no judge")
    if found.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{path}: of format version {found.get('format_version')}, and this ganbench reads "
            f"{FORMAT_VERSION}"
        )
    if not sealed.is_as_written(found):
        raise DataError(f"{path}: not as it was written: its SHA-256 is another; copy it again")
    try:
        card = stored.typed(Card, found)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: {'; '.join(stored.problems(Card, found, error))}") from error
    return Judge(card=card, weights=_weights(directory / WEIGHTS, card))


def _weights(path: Path, card: Card) -> dict[str, Tensor]:
    try:
        content = files.read_bytes(path, most=None)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; copy the judge's folder again") from error
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise DataError(f"{path}: not the weights that {CARD} was written with; copy it again")
    try:
        return load_weights(content)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from error


def text(card: Card) -> str:
    """Return the card in Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    data, shown = card.data, f"{card.accuracy:.2%} (95 %: {card.low:.2%} to {card.high:.2%})"
    yield f"# A judge of {data['name']}: {card.image}"
    yield ""
    yield f"It judges {shown} of {card.checked_on} right."
    yield ""
    yield from _weak(card)
    yield "| class | images | right | 95 % interval |"
    yield "|---|---:|---:|---:|"
    for one in card.classes:
        right = f"{one.accuracy:.2%} | {one.low:.2%} to {one.high:.2%}"
        yield f"| {markdown_cell(one.name)} | {one.images:,} | {right} |"
    yield ""
    yield "What images of each class (rows) are judged to be:"
    yield ""
    yield f"| | {' | '.join(map(markdown_cell, card.class_names))} |"
    yield "|---|" + "---:|" * len(card.classes)
    for one, row in zip(card.classes, card.confusion, strict=True):
        yield f"| {markdown_cell(one.name)} | {' | '.join(map(str, row))} |"
    yield ""
    yield f"- data: {data['name']}, {data['num_images']:,} images, SHA-256 {data['sha256']}"
    yield f"- recipe: {_told(card.recipe)}"
    yield f"- trained in {card.seconds:,.0f} s with {card.threads} thread(s), torch {card.torch}"
    yield f"- weights: SHA-256 {card.weights_sha256}"


def _weak(card: Card) -> Iterator[str]:
    if note := weakness(card.accuracy, card.worst.name, card.worst.accuracy):
        yield f"**{note[0].upper()}{note[1:]}.**"
        yield ""


def _told(recipe: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in recipe.items())


def misfit_of(directory: Path, dataset: Dataset) -> Judge:
    """Return the judge in a folder. Raises ConfigError where it is of other images or classes."""
    found = read(directory)
    if why := found.misfit(dataset):
        raise ConfigError(f"{directory}: not a judge of data set '{dataset.name}': {why}")
    return found
