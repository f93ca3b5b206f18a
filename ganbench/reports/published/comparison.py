"""Which rows of a run a published number is about, and what differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from ganbench.config.choices import ArchitectureChoice, OptimizerChoice
from ganbench.gate.differences import differences
from ganbench.records.cells import Cell, Reference, fields_of
from ganbench.records.columns import Column, Name
from ganbench.records.report import Report
from ganbench.records.results import TrainingCounts
from ganbench.records.run_folder import TrialOutcome
from ganbench.records.schedules import Schedule
from ganbench.records.table import Row, Summary
from ganbench.records.training_settings import HalfLife, PlayerName
from ganbench.reports.published.equivalents import spelt_out
from ganbench.reports.published.published_numbers import Published, PublishedProtocol

SAME = "same protocol"


@dataclass(frozen=True)
class Ours:
    """One number of a run's table, and what is known of how it came about."""

    row: Row
    subject: Cell | Reference
    column: Column
    text: str
    protocol: Mapping[str, Any]  # as evaluation stored it
    training: TrainingCounts | None

    @property
    def summary(self) -> Summary:
        """Return the mean over seeds, its error and how many there are."""
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
        """Return whether both numbers are known to come of one protocol."""
        return self.ours is not None and not self.differences and not self.unknown

    @property
    def verdict(self) -> str:
        """Return what differs and what is unknown, in words."""
        unknown = f"unknown: {', '.join(self.unknown)}" if self.unknown else ""
        if self.same:
            return SAME
        differs = f"differs: {'; '.join(self.differences)}" if self.differences else ""
        return "; ".join(filter(None, [differs or "no known difference", unknown]))


def match_published(report: Report, published: Iterable[Published]) -> list[Pair]:
    """Return every published number of a data set and a metric of the run beside ours.

    What is comparable comes first.
    """
    groups = _groups(report)
    pairs = [pair for theirs in published for pair in _pairs(theirs, groups)]
    order = {(g.dataset, g.column.name): i for i, g in enumerate(groups)}
    return sorted(
        pairs,
        key=lambda p: (
            order[_dashed(p.theirs.dataset), p.column.name],
            p.ours is None,
            not p.same,
        ),
    )


@dataclass(frozen=True)
class _ColumnOfData:
    """One column of one data set, in all rows of the run."""

    dataset: str
    column: Column
    numbers: tuple[Ours, ...]


def _groups(report: Report) -> list[_ColumnOfData]:
    of_row: dict[str, list[TrialOutcome]] = {}
    for outcome in report.outcomes:
        of_row.setdefault(outcome.trial.subject.label, []).append(outcome)
    found: dict[tuple[str, str], list[Ours]] = {}
    columns = {column.name: column for column in report.table.columns}
    for row in report.table.rows:
        outcomes = of_row[row.label]
        subject = outcomes[0].trial.subject
        for column in columns.values():
            ours = _ours(report, row, subject, column, outcomes)
            found.setdefault((_dashed(subject.dataset.name), column.name), []).append(ours)
    return [_ColumnOfData(dataset, columns[name], tuple(o)) for (dataset, name), o in found.items()]


def _ours(
    report: Report,
    row: Row,
    subject: Cell | Reference,
    column: Column,
    outcomes: list[TrialOutcome],
) -> Ours:
    ids = row.values[column.name].protocols
    protocols = [
        outcome.result.protocols.get(identity) for outcome in outcomes for identity in sorted(ids)
    ]
    return Ours(
        row=row,
        subject=subject,
        column=column,
        text=report.table.text(row, column),
        protocol=next((found for found in protocols if found), {}),
        training=next((found for o in outcomes if (found := o.result.training)), None),
    )


def _dashed(dataset: str) -> str:
    return dataset.replace("_", "-")


def _pairs(theirs: Published, groups: Sequence[_ColumnOfData]) -> Iterator[Pair]:
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
        aspects = _measured(theirs, anyone) if anyone else [Aspect("our protocol", None, None)]
        yield _pair(theirs, None, group.column, aspects)


def _group_of(theirs: Published, groups: Sequence[_ColumnOfData]) -> _ColumnOfData | None:
    """Return the column of the same features and setting, else that without a setting, else any."""
    wanted = Name.of(theirs.metric)
    setting = theirs.protocol.setting or ""
    found = [
        (Name.of(group.column.name), group)
        for group in groups
        if group.dataset == _dashed(theirs.dataset)
        and Name.of(group.column.name).kind == wanted.kind
        and not Name.of(group.column.name).rest
    ]
    found.sort(key=lambda f: (f[0].space != wanted.space, f[0].setting != setting, f[0].setting))
    return found[0][1] if found else None


class Aspect(NamedTuple):
    """One thing that decides a number, on either side; None: unknown."""

    what: str
    ours: Any
    theirs: Any


def _pair(theirs: Published, ours: Ours | None, column: Column, aspects: Iterable[Aspect]) -> Pair:
    aspects = list(aspects)
    return Pair(
        theirs,
        ours,
        column,
        tuple(
            f"{what} {_shown(a)} vs {_shown(b)}"
            for what, a, b in aspects
            if a is not None and b is not None and any(differences(a, b, rel_tol=1e-9))
        ),
        tuple(dict.fromkeys(what for what, a, b in aspects if a is None or b is None)),
    )


def _measured(theirs: Published, ours: Ours) -> Iterator[Aspect]:
    name, wanted, protocol = Name.of(ours.column.name), Name.of(theirs.metric), theirs.protocol
    mine = ours.protocol
    if wanted.space or name.space:
        yield Aspect("features", name.space or None, wanted.space or None)
    else:
        own = f"{mine.get('metric')} v{mine.get('version')}" if mine else None
        yield Aspect("definition", name.setting or own, protocol.setting)
    extractor = mine.get("extractors", {}).get(name.space, {})
    yield Aspect("samples", _num_samples(mine), protocol.num_fake)
    if wanted.space:
        if wanted.space == name.space:  # elsewhere it is not the same kind of thing
            yield Aspect("resize", *_resize(extractor.get("resize"), protocol.resize))
        real = mine.get("real", {})
        counts = [split["num_images"] for split in real.values()]
        only = counts[0] if len(counts) == 1 else None
        yield Aspect("real images", mine.get("num_real", only), protocol.num_real)
        yield Aspect("split", " and ".join(real) or None, protocol.split)
    for key, value in protocol.details.get(wanted.kind, {}).items():
        yield Aspect(key.replace("_", " "), mine.get(key, extractor.get(key)), value)


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
    protocol, data = theirs.protocol, ours.subject.dataset.options
    for key, value in protocol.data.items():
        yield Aspect(f"data {key}", data.get(key), value)
    if not isinstance(ours.subject, Cell):
        return
    cell = ours.subject
    options = {
        key: value
        for part in spelt_out(cell.loss, cell.regularizers)
        for key, value in part.options.items()
    }
    for key, value in protocol.losses.items():
        yield Aspect(f"{key} of losses", options.get(key), value)
    yield Aspect("conditioning", _conditioning(cell), protocol.conditioning)
    yield _architecture(cell, protocol.architecture)
    yield _budget(protocol, ours.training)
    yield from _updates(cell, protocol.schedule)
    if not protocol.schedule:
        yield Aspect("optimiser", _optimizer(cell, "generator"), None)
    yield Aspect("choice of weights", "the last of one setting", protocol.selection)


def _updates(cell: Cell, theirs: Mapping[str, Any]) -> Iterator[Aspect]:
    """Compare what is said under the keys of `training`; then what ours has beside that."""
    ours, players = cell.schedule, get_args(PlayerName)
    for key, value in theirs.items():
        if key == "optimizer":
            yield Aspect(key, _optimizer(cell, "generator"), value)
        elif key not in players:
            yield Aspect(key, _plain(getattr(ours, key, None)), _plain(value))
    if ours.n_gen != 1 and "n_gen" not in theirs:
        yield Aspect("n_gen", ours.n_gen, None)
    if ours.init_from is not None:
        who = " and ".join(ours.init_from.players)
        yield Aspect("first weights", f"a trained model's ({who})", "drawn anew")
    for player in players:
        own = {
            k: theirs.get(k) for k, v in fields_of(getattr(ours, player)).items() if v is not None
        }
        for name, wanted in {**own, **theirs.get(player, {})}.items():
            yield Aspect(f"{player}.{name}", _of_player(cell, player, name), _plain(wanted))


def _of_player(cell: Cell, player: PlayerName, name: str) -> Any:
    if name == "optimizer":
        return _optimizer(cell, player)
    return _plain(cell.schedule.of(player, name))


def _optimizer(cell: Cell, player: PlayerName) -> str:
    spec = cell.optimizer(player)
    return OptimizerChoice.model_validate({"name": spec.name, **spec.options}).label


def _plain(setting: Any) -> Any:
    """Return a setting with schedules in words, each as short as it can be."""
    if isinstance(setting, list | tuple):
        return [_plain(one) for one in setting]
    if isinstance(setting, HalfLife):
        setting = {k: v for k, v in fields_of(setting).items() if v not in (None, 0.0)}
    if isinstance(setting, Mapping) and "from" not in setting:
        return {name: _plain(one) for name, one in setting.items()}
    if isinstance(setting, Mapping):
        setting = Schedule.of(setting).shortest
    return setting.text if isinstance(setting, Schedule) else setting


def _conditioning(cell: Cell) -> str:
    names = dict.fromkeys((cell.g_conditioning.name, cell.d_conditioning.name))
    return "+".join(names)


def _architecture(cell: Cell, theirs: ArchitectureChoice | None) -> Aspect:
    ours = cell.architecture
    if theirs is None:
        return Aspect("architecture", ours.name, None)
    asked = {key: ours.options[key] for key in theirs.options if key in ours.options}
    mine = ArchitectureChoice.model_validate({"name": ours.name, **asked}).label
    return Aspect("architecture", mine, theirs.label)


def _budget(protocol: PublishedProtocol, training: TrainingCounts | None) -> Aspect:
    """In the first unit that both sides know."""
    images = training.images if training else None
    ours = {
        "kimg": images / 1000 if images else None,
        "G updates": training.g_updates if training else None,
        "D updates": training.d_updates if training else None,
    }
    theirs = (protocol.kimg, protocol.g_updates, protocol.d_updates)
    for (unit, mine), other in zip(ours.items(), theirs, strict=True):
        if mine is not None and other is not None:
            close = math.isclose(mine, other, rel_tol=0.01)  # it ends with a whole batch
            return Aspect(f"budget in {unit}", other if close else mine, other)
    whole = f"{images / 1000:,.10g} kimg" if images else None
    return Aspect("budget", whole, protocol.budget)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(part)}' for key, part in value.items())}}}"
    return f"{value:,.10g}" if _is_number(value) else str(value)
