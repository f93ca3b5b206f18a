"""Numbers that others published, beside ours, with what differs between the two protocols."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PositiveFloat, PositiveInt

from ganbench.config.choices import ArchitectureChoice, LossChoice, TransformChoice
from ganbench.config.settings import Settings
from ganbench.config.yaml_document import Document, Problems
from ganbench.errors import ConfigError
from ganbench.records.cells import Cell, Reference
from ganbench.records.schedules import Schedule
from ganbench.records.training_settings import Control
from ganbench.reports.published.equivalents import Named, spelt_out
from ganbench.util.messages import counted
from ganbench.util.pydantic_errors import complaints

FOLDER = Path(__file__).parent / "tables"

SpreadKind = Literal[
    "standard error over training runs",
    "standard deviation over training runs",
    "standard deviation over evaluations of one model",
    "standard deviation over splits",
    "not stated",
    "none",
]
BRIEF: dict[SpreadKind, tuple[str, str]] = {  # and what n counts
    "standard error over training runs": ("s.e.", "run"),
    "standard deviation over training runs": ("sd", "run"),
    "standard deviation over evaluations of one model": ("sd", "evaluation"),
    "standard deviation over splits": ("sd", "split"),
    "not stated": ("not stated", "run"),
    "none": ("none", "run"),
}
Text = Annotated[str, Field(min_length=1)]
PrintedNumber = float | tuple[float, float]  # a value, or a value and its spread


class Publication(Settings):
    """Where a number was printed."""

    title: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1)]  # family names
    year: Annotated[int, Field(ge=1990, le=2100)]
    url: Text

    @property
    def brief(self) -> str:
        """Return who and when, as in `Lin et al., 2018`."""
        first, *others = self.authors
        who = f"{first} et al." if len(others) > 1 else " & ".join(self.authors)
        return f"{who}, {self.year}"


class Spread(Settings):
    """What stands behind a ±, and how many runs, evaluations or splits."""

    kind: SpreadKind = "none"
    n: PositiveInt | None = None


class PublishedProtocol(Settings):
    """How a number came about, as far as its source says; what is absent is unknown."""

    setting: Text | None = None  # a mode-coverage protocol by name
    num_fake: PositiveInt | None = None
    num_real: PositiveInt | None = None
    split: Text | None = None  # of the real images
    resize: Text | None = None
    details: dict[str, dict[str, Any]] = {}  # by kind of metric, under our options' names
    selection: Text | None = None  # of weights or hyper-parameters
    data: dict[str, Any] = {}  # under the names of our data set's options
    losses: dict[str, Any] = {}  # options of losses that `matches` leaves open
    conditioning: Text | None = None
    architecture: ArchitectureChoice | None = None  # one of ours, or the source's words
    budget: Text | None = None  # where it is not in one of the next three
    kimg: PositiveFloat | None = None
    g_updates: PositiveInt | None = None
    d_updates: PositiveInt | None = None
    schedule: dict[str, Any] = {}  # under the names of `training` in benchmark files

    @pydantic.field_validator("schedule")
    @classmethod
    def _of_known_schedules(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name, setting in settings.items():
            for one in setting if isinstance(setting, list) else [setting]:
                if isinstance(one, dict) and "from" in one:
                    try:
                        Schedule.of(one)
                    except ValueError as error:
                        raise ValueError(f"{name}: {error}") from error
        return settings

    def under(self, other: PublishedProtocol) -> PublishedProtocol:
        """Return this protocol with what the other says laid over it; mappings merge."""
        changes = {key: getattr(other, key) for key in other.model_fields_set}
        merged = {
            key: {**getattr(self, key), **value} if isinstance(value, dict) else value
            for key, value in changes.items()
        }
        return self.model_copy(update=merged)


class Match(Settings):
    """Which of our cells a published model is; what is not named must not be there.

    A loss that is another with a bound on D, such as wgan-gp, is meant in either form.
    """

    loss: LossChoice | None = None
    regularizers: tuple[LossChoice, ...] = ()
    transforms: tuple[TransformChoice, ...] = ()
    d_norm: Text | None = None  # None: anything but spectral
    reference: Control | None = None  # a row of real images in a cell's place

    def fits(self, subject: Cell | Reference) -> bool:
        """Return whether a cell or a reference row is the model that is meant."""
        if isinstance(subject, Reference):
            return subject.control is not None and subject.control == self.reference
        spectral = "spectral" in subject.d_norm.split("+")
        norm_fits = subject.d_norm == self.d_norm if self.d_norm else not spectral
        return (
            self.loss is not None
            and norm_fits
            and _mean(
                spelt_out(self.loss, self.regularizers),
                spelt_out(subject.loss, subject.regularizers),
            )
            and _mean(self.transforms, subject.transforms)
        )


class PublishedRow(Settings):
    """One line of a published table: a model and its numbers."""

    model: Text  # or loss, as the source calls it
    values: Annotated[dict[str, PrintedNumber], Field(min_length=1)]  # by our columns' names
    protocol: PublishedProtocol = PublishedProtocol()  # laid over the table's
    matches: Match | None = None


class PublishedTable(Settings):
    """One published table, and what is true of all its lines."""

    where: Text  # in the source
    dataset: Text
    spread: Spread = Spread()
    percent: tuple[str, ...] = ()  # metrics that are printed in percent, and here too
    protocol: PublishedProtocol = PublishedProtocol()
    rows: tuple[PublishedRow, ...]


class PublishedFile(Settings):
    """One YAML file of published numbers: a publication and its tables."""

    source: Publication
    tables: tuple[PublishedTable, ...]


@dataclass(frozen=True)
class Published:
    """One number that others published, with everything that is known of it."""

    model: str
    dataset: str
    metric: str
    value: float
    spread: float | None
    kind: SpreadKind
    n: int | None
    protocol: PublishedProtocol
    matches: Match | None
    source: Publication
    where: str
    file: str

    @property
    def text(self) -> str:
        """Return the number as printed, with its spread."""
        value = f"{self.value:,.10g}"
        if self.spread is None:
            return value
        decimals = max(_decimals(self.value), _decimals(self.spread))
        return f"{value} ± {self.spread:,.{decimals}f}"

    @property
    def spread_text(self) -> str:
        """Return what the spread is, as in `s.e., 10 runs` or `sd, 3 evaluations`."""
        name, unit = BRIEF[self.kind]
        return name if self.n is None else f"{name}, {counted(self.n, unit)}"


def _decimals(number: float) -> int:
    return len(f"{number:.10g}".partition(".")[2])


def files() -> list[Path]:
    """Return the files of published numbers.

    Raises ConfigError where none came with the package.
    """
    if found := sorted(FOLDER.glob("*.yaml")):
        return found
    raise ConfigError(f"no published numbers in {FOLDER}; install ganbench again")


def load() -> list[Published]:
    """Return every published number of all files."""
    return [number for path in files() for number in read(path)]


def read(path: Path) -> list[Published]:
    """Return every number of one file.

    Raises ConfigError with each place that is not as it should be.
    """
    document = Document.read(path)
    problems, data = Problems(document), document.data()
    found: list[Published] = []
    try:
        file = PublishedFile.model_validate_json(json.dumps(data))
        found = [number for table in file.tables for number in _numbers(table, file.source, path)]
    except pydantic.ValidationError as error:
        for loc, message in complaints(PublishedFile, data, error):
            problems.add(loc, message)
    problems.raise_any()
    return found


def _numbers(table: PublishedTable, source: Publication, path: Path) -> Iterator[Published]:
    spread = table.spread
    runs = spread.n if BRIEF[spread.kind][1] == "run" else None
    for row in table.rows:
        protocol = table.protocol.under(row.protocol)
        for metric, number in row.values.items():
            value, error = number if isinstance(number, tuple) else (number, None)
            scale = 100 if metric in table.percent else 1
            yield Published(
                model=row.model,
                dataset=table.dataset,
                metric=metric,
                value=_scaled(value, scale),
                spread=None if error is None else _scaled(error, scale),
                kind=spread.kind if error is not None else "none",
                n=runs if error is None else spread.n,
                protocol=protocol,
                matches=row.matches,
                source=source,
                where=table.where,
                file=path.name,
            )


def _scaled(number: float, scale: int) -> float:
    return round(number / scale, 10)


def _means(choice: Named, part: Named) -> bool:
    """Whether a plugin is the one meant, with the options that are named."""
    return choice.name == part.name and all(
        part.options.get(key) == value for key, value in choice.options.items()
    )


def _mean(choices: Sequence[Named], parts: Sequence[Named]) -> bool:
    return len(choices) == len(parts) and all(map(_means, choices, parts))
