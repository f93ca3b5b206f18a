"""Numbers that others published, beside ours, with what differs between the two protocols."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from ganbench.config.schema import ArchitectureChoice, Choice, LossChoice, TransformChoice
from ganbench.config.yaml_document import Document, Problems
from ganbench.contracts.images import Column
from ganbench.errors import ConfigError
from ganbench.records.cells import Cell, Reference, Spec
from ganbench.records.run_folder import Outcome
from ganbench.records.schedule import Control
from ganbench.records.table import Name, Report, Row, Summary
from ganbench.util.messages import complaints, counted

HERE = Path(__file__).parent
FOLDERS = (HERE.parents[1] / "data" / "published", HERE.parents[2] / "results" / "published")
"""In an installed package, and in the repository."""

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
SAME = "same protocol"
Text = Annotated[str, Field(min_length=1)]
Number = float | tuple[float, float]  # a value, or a value and its spread


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Source(Strict):
    """Where a number was printed."""

    title: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1)]  # family names
    year: Annotated[int, Field(ge=1990, le=2100)]
    url: Text

    @property
    def brief(self) -> str:
        first, *others = self.authors
        who = f"{first} et al." if len(others) > 1 else " & ".join(self.authors)
        return f"{who}, {self.year}"


class Spread(Strict):
    """What stands behind a ±, and how many runs, evaluations or splits."""

    kind: SpreadKind = "none"
    n: PositiveInt | None = None


class Protocol(Strict):
    """How a number came about, as far as its source says; what is absent is unknown."""

    setting: Text | None = None  # a mode-coverage protocol by name
    num_fake: PositiveInt | None = None
    num_real: PositiveInt | None = None
    split: Text | None = None  # of the real images
    resize: Text | None = None
    details: dict[str, dict[str, Any]] = {}  # by kind of metric, under our options' names
    selection: Text | None = None  # of weights or hyper-parameters
    data: dict[str, Any] = {}  # under the names of our data set's options
    conditioning: Text | None = None
    architecture: ArchitectureChoice | None = None  # one of ours, or the source's words
    budget: Text | None = None  # where it is not in one of the next three
    kimg: PositiveFloat | None = None
    g_updates: PositiveInt | None = None
    d_updates: PositiveInt | None = None
    schedule: dict[str, Any] = {}  # under the names of `training` in benchmark files

    def under(self, other: Protocol) -> Protocol:
        """With what the other says laid over it; mappings merge."""
        changes = {key: getattr(other, key) for key in other.model_fields_set}
        merged = {
            key: {**getattr(self, key), **value} if isinstance(value, dict) else value
            for key, value in changes.items()
        }
        return self.model_copy(update=merged)


class Match(Strict):
    """Which of our cells a published model is; what is not named must not be there."""

    loss: LossChoice | None = None
    regularizers: tuple[LossChoice, ...] = ()
    transforms: tuple[TransformChoice, ...] = ()
    d_norm: Text | None = None  # None: anything but spectral
    reference: Control | None = None  # a row of real images in a cell's place

    def fits(self, subject: Cell | Reference) -> bool:
        if isinstance(subject, Reference):
            return subject.control == self.reference
        norm_fits = subject.d_norm == self.d_norm if self.d_norm else subject.d_norm != "spectral"
        return (
            self.loss is not None
            and norm_fits
            and _is(self.loss, subject.loss)
            and _are(self.regularizers, subject.regularizers)
            and _are(self.transforms, subject.transforms)
        )


class PublishedRow(Strict):
    model: Text  # or loss, as the source calls it
    values: Annotated[dict[str, Number], Field(min_length=1)]  # by our columns' names
    protocol: Protocol = Protocol()  # laid over the table's
    matches: Match | None = None


class PublishedTable(Strict):
    where: Text  # in the source
    dataset: Text
    spread: Spread = Spread()
    percent: tuple[str, ...] = ()  # metrics that are printed in percent, and here too
    protocol: Protocol = Protocol()
    rows: tuple[PublishedRow, ...]


class PublishedFile(Strict):
    source: Source
    tables: tuple[PublishedTable, ...]


@dataclass(frozen=True)
class Published:
    """One number of others'."""

    model: str
    dataset: str
    metric: str
    value: float
    spread: float | None
    kind: SpreadKind
    n: int | None
    protocol: Protocol
    matches: Match | None
    source: Source
    where: str
    file: str

    @property
    def text(self) -> str:
        value = f"{self.value:,.10g}"
        if self.spread is None:
            return value
        decimals = max(_decimals(self.value), _decimals(self.spread))
        return f"{value} ± {self.spread:,.{decimals}f}"

    @property
    def spread_text(self) -> str:
        """`s.e., 10 runs`, or `sd, 3 evaluations`."""
        name, unit = BRIEF[self.kind]
        return name if self.n is None else f"{name}, {counted(self.n, unit)}"


@dataclass(frozen=True)
class Ours:
    """One number of a run's table, and what is known of how it came about."""

    row: Row
    subject: Cell | Reference
    column: Column
    text: str
    protocol: Mapping[str, Any]  # as evaluation stored it
    training: Mapping[str, Any]

    @property
    def summary(self) -> Summary:
        return self.row.values[self.column.name]


@dataclass(frozen=True)
class Pair:
    """A published number, ours where a row of the run is meant by it, and how far they agree."""

    theirs: Published
    ours: Ours | None
    column: Column
    differences: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.ours is not None and not self.differences and not self.unknown

    @property
    def verdict(self) -> str:
        unknown = f"unknown: {', '.join(self.unknown)}" if self.unknown else ""
        if self.same:
            return SAME
        differs = f"differs: {'; '.join(self.differences)}" if self.differences else ""
        return "; ".join(filter(None, [differs or "no known difference", unknown]))


def _decimals(number: float) -> int:
    return len(f"{number:.10g}".partition(".")[2])


def files() -> list[Path]:
    """The files of published numbers; raises ConfigError where none came with the package."""
    for folder in FOLDERS:
        if found := sorted(folder.glob("*.yaml")):
            return found
    raise ConfigError(
        f"no published numbers in {' or '.join(map(str, FOLDERS))}; install ganbench again"
    )


def load() -> list[Published]:
    return [number for path in files() for number in read(path)]


def read(path: Path) -> list[Published]:
    """Every number of one file. Raises ConfigError with each place that is not as it should be."""
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


def compare(report: Report, published: Iterable[Published]) -> list[Pair]:
    """Every published number of a data set and a metric of the run, what is comparable first."""
    groups = _groups(report)
    pairs = [pair for theirs in published for pair in _pairs(theirs, groups)]
    order = {(g.dataset, g.column.name): i for i, g in enumerate(groups)}
    return sorted(
        pairs,
        key=lambda p: (order[_plain(p.theirs.dataset), p.column.name], p.ours is None, not p.same),
    )


def _numbers(table: PublishedTable, source: Source, path: Path) -> Iterator[Published]:
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


@dataclass(frozen=True)
class _Group:
    """One column of one data set."""

    dataset: str
    column: Column
    numbers: tuple[Ours, ...]


def _groups(report: Report) -> list[_Group]:
    of_row: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        of_row.setdefault(outcome.trial.subject.label, []).append(outcome)
    found: dict[tuple[str, str], list[Ours]] = {}
    columns = {column.name: column for column in report.table.columns}
    for row in report.table.rows:
        outcomes = of_row[row.label]
        subject = outcomes[0].trial.subject
        for column in columns.values():
            ours = _ours(report, row, subject, column, outcomes)
            found.setdefault((_plain(subject.dataset.name), column.name), []).append(ours)
    return [_Group(dataset, columns[name], tuple(o)) for (dataset, name), o in found.items()]


def _ours(
    report: Report, row: Row, subject: Cell | Reference, column: Column, outcomes: list[Outcome]
) -> Ours:
    ids = row.values[column.name].protocols
    protocols = [
        outcome.result.get("protocols", {}).get(identity)
        for outcome in outcomes
        for identity in sorted(ids)
    ]
    return Ours(
        row=row,
        subject=subject,
        column=column,
        text=report.table.text(row, column),
        protocol=next((found for found in protocols if found), {}),
        training=next((found for o in outcomes if (found := o.result.get("training"))), {}),
    )


def _plain(dataset: str) -> str:
    return dataset.replace("_", "-")


def _pairs(theirs: Published, groups: Sequence[_Group]) -> Iterator[Pair]:
    group = _group_of(theirs, groups)
    if group is None:
        return
    matches = theirs.matches
    meant = [ours for ours in group.numbers if matches and matches.fits(ours.subject)]
    for ours in meant:
        yield _pair(theirs, ours, group.column, [*_measured(theirs, ours), *_trained(theirs, ours)])
    if not meant:
        known = [ours for ours in group.numbers if ours.protocol]
        anyone = min(known, key=lambda ours: ours.row.is_reference, default=None)
        aspects = _measured(theirs, anyone) if anyone else [("our protocol", None, None)]
        yield _pair(theirs, None, group.column, aspects)


def _group_of(theirs: Published, groups: Sequence[_Group]) -> _Group | None:
    """The column of the same features and setting, else that without a setting, else any."""
    wanted = Name.of(theirs.metric)
    setting = theirs.protocol.setting or ""
    found = [
        (Name.of(group.column.name), group)
        for group in groups
        if group.dataset == _plain(theirs.dataset)
        and Name.of(group.column.name).kind == wanted.kind
        and not Name.of(group.column.name).rest
    ]
    found.sort(key=lambda f: (f[0].space != wanted.space, f[0].setting != setting, f[0].setting))
    return found[0][1] if found else None


Aspect = tuple[str, Any, Any]  # what, ours, theirs; None: unknown


def _pair(theirs: Published, ours: Ours | None, column: Column, aspects: Iterable[Aspect]) -> Pair:
    aspects = list(aspects)
    return Pair(
        theirs,
        ours,
        column,
        tuple(
            f"{what} {_shown(a)} vs {_shown(b)}"
            for what, a, b in aspects
            if a is not None and b is not None and not _equal(a, b)
        ),
        tuple(dict.fromkeys(what for what, a, b in aspects if a is None or b is None)),
    )


def _measured(theirs: Published, ours: Ours) -> Iterator[Aspect]:
    name, wanted, protocol = Name.of(ours.column.name), Name.of(theirs.metric), theirs.protocol
    mine = ours.protocol
    if wanted.space or name.space:
        yield "features", name.space or None, wanted.space or None
    else:
        own = f"{mine.get('metric')} v{mine.get('version')}" if mine else None
        yield "definition", name.setting or own, protocol.setting
    extractor = mine.get("extractors", {}).get(name.space, {})
    yield "samples", _num_samples(mine), protocol.num_fake
    if wanted.space:
        if wanted.space == name.space:  # elsewhere it is not the same kind of thing
            yield "resize", *_resize(extractor.get("resize"), protocol.resize)
        real = mine.get("real", {})
        counts = [split["num_images"] for split in real.values()]
        only = counts[0] if len(counts) == 1 else None
        yield "real images", mine.get("num_real", only), protocol.num_real
        yield "split", " and ".join(real) or None, protocol.split
    for key, value in protocol.details.get(wanted.kind, {}).items():
        yield key.replace("_", " "), mine.get(key, extractor.get(key)), value


def _resize(ours: str | None, theirs: str | None) -> tuple[str | None, str | None]:
    """Equal where ours says what theirs says, and more."""
    agree = ours and theirs and ours.startswith(theirs)
    return (theirs if agree else ours), theirs


def _num_samples(mine: Mapping[str, Any]) -> int | None:
    """Of a published way to count, those that it takes."""
    definition = mine.get("definition")
    where = definition if isinstance(definition, Mapping) else mine
    return where.get("num_samples")


def _trained(theirs: Published, ours: Ours) -> Iterator[Aspect]:
    protocol, options = theirs.protocol, ours.subject.dataset.options
    for key, value in protocol.data.items():
        yield f"data {key}", options.get(key), value
    if not isinstance(ours.subject, Cell):
        return
    cell = ours.subject
    yield "conditioning", _conditioning(cell), protocol.conditioning
    yield _architecture(cell, protocol.architecture)
    yield _budget(protocol, ours.training)
    for key, value in protocol.schedule.items():
        yield key, getattr(cell.schedule, key, None), value
    if not protocol.schedule:
        yield "optimiser", cell.schedule.optimizer, None
    yield "choice of weights", "the last of one setting", protocol.selection


def _conditioning(cell: Cell) -> str:
    names = dict.fromkeys((cell.g_conditioning.name, cell.d_conditioning.name))
    return "+".join(names)


def _architecture(cell: Cell, theirs: ArchitectureChoice | None) -> Aspect:
    ours = cell.architecture
    if theirs is None:
        return "architecture", ours.name, None
    asked = {key: ours.options[key] for key in theirs.options if key in ours.options}
    mine = ArchitectureChoice.model_validate({"name": ours.name, **asked}).label
    return "architecture", mine, theirs.label


def _budget(protocol: Protocol, training: Mapping[str, Any]) -> Aspect:
    """In the first unit that both sides know."""
    images = training.get("images")
    ours = {
        "kimg": images / 1000 if images else None,
        "G updates": training.get("g_updates"),
        "D updates": training.get("d_updates"),
    }
    theirs = (protocol.kimg, protocol.g_updates, protocol.d_updates)
    for (unit, mine), other in zip(ours.items(), theirs, strict=True):
        if mine is not None and other is not None:
            close = math.isclose(mine, other, rel_tol=0.01)  # it ends with a whole batch
            return f"budget in {unit}", other if close else mine, other
    mine = f"{images / 1000:,.10g} kimg" if images else None
    return "budget", mine, protocol.budget


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
    if _is_number(ours) and _is_number(theirs):
        return math.isclose(ours, theirs)
    return bool(ours == theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:,.10g}" if _is_number(value) else str(value)


def _is(choice: Choice, spec: Spec) -> bool:
    """Whether a plugin is the one meant, with the options that are named."""
    return choice.name == spec.name and all(
        spec.options.get(key) == value for key, value in choice.options.items()
    )


def _are(choices: Sequence[Choice], specs: Sequence[Spec]) -> bool:
    return len(choices) == len(specs) and all(map(_is, choices, specs))
