"""What a run will do: every cell with its settings resolved, before anything is trained."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, Literal, get_args

from ganbench.config import compatibility
from ganbench.config.benchmark_file import CellRequest, Config
from ganbench.config.choices import Choice, FeatureExtractorChoice
from ganbench.config.players import Players
from ganbench.config.training_schema import Average, Budget
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.options import counted_options
from ganbench.errors import ConfigError, DataError, Incompatible, RunError
from ganbench.evaluation import controls, watches
from ganbench.models import initial_weights
from ganbench.models.parts import Parts
from ganbench.records.cells import PLAIN, Cell, Plan, Reference, Spec, axis_word
from ganbench.records.columns import unclear
from ganbench.records.schedules import Amount, Schedule, Units
from ganbench.records.training_settings import (
    Control,
    HalfLife,
    InitialWeights,
    PlayerName,
    Precision,
    TrainingSettings,
)
from ganbench.registry import extractor_labels
from ganbench.registry.registry import Registry
from ganbench.util import machine

logger = logging.getLogger(__name__)


def make(config: Config, registry: Registry, *, device: str, seeds: Sequence[int] = ()) -> Plan:
    """Return the plan with every cell resolved, and the seeds given in place of the file's.

    Raises ConfigError for cells that cannot be built, unless they may be skipped, and for two cells
    that are the same; DataError where the shape of the data is not to be had.
    """
    cells, problems = [], []
    workshop = _Workshop(registry)
    for request in config.cells:
        try:
            cell = _resolve(request, workshop, device)
        except DataError as error:  # a data set that is not there has no shape either
            raise DataError(f"{config.place_of_dataset}: {error}") from error
        if why := watches.unsupported([*map(workshop.build, cell.metrics)]):
            raise ConfigError(f"{request.where}: {why}")
        cells.append(cell)
        if cell.incompatible and config.run.on_incompatible == "error":
            problems.append(f"{request.where}: cell {cell.label}: {cell.incompatible}")
    if problems:
        hint = "\n  (on_incompatible: skip keeps such cells in the tables, as n/a with the reason)"
        raise ConfigError("\n".join(problems) + hint)
    for why in dict.fromkeys(_unclear(cells, workshop)):
        logger.warning(why)
    _refuse_twins(cells, config)
    cells = _told_apart(_shortly_named(cells))
    references = {
        reference.id: reference
        for cell, request in _judged_alike(cells, config)
        for reference in _references(cell, request.settings.evaluation.controls, workshop)
    }
    return Plan(
        config.run.name,
        tuple(cells),
        tuple(references.values()),
        tuple(seeds) or config.run.seeds,
        device,
    )


def _unclear(cells: Sequence[Cell], workshop: _Workshop) -> Iterator[str]:
    """Yield what tables will have to say of metrics that don't name their features."""
    for metric in {id(metric): metric for cell in cells for metric in cell.metrics}.values():
        if why := unclear(workshop.build(metric).columns):
            yield f"metric '{metric.name}': {why}"


class _Workshop:
    """What a plan's cells share, made once; it is looked at, and never trained."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.buildable: compatibility.Buildable = {}
        self._specs: dict[tuple[str, ...], Spec] = {}
        self._built: dict[int, tuple[Spec, Any]] = {}  # by the spec's id()
        self._parts: dict[tuple[object, ...], Parts] = {}  # likewise

    def spec(self, choice: Choice[Any], role: str = "") -> Spec:
        """Of each role its own, for a plugin may keep something from one method to the next."""
        key = (choice.kind, choice.name, repr(choice.options), role)
        if key not in self._specs:
            built = self.registry.build(choice.kind, choice.name, choice.options)
            entry = self.registry.lookup(choice.kind, choice.name)
            counted, given = counted_options(built), {f.name for f in fields(built) if f.init}
            options = {name: value for name, value in counted.items() if name in given}
            asked = Spec(choice.kind, choice.name, choice.options, entry.identity)
            options |= {k: v.plain() for k, v in self.registry.schedules(asked).items()}
            self._specs[key] = Spec(
                choice.kind, choice.name, options, entry.identity, entry.counted_source
            )
        return self._specs[key]

    def extractor_label(self, written: str) -> str:
        """Return an extractor's one label, as columns have it: the given options that ids count."""
        name, given = extractor_labels.parse(written)
        counted = self.spec(_extractor_choice(written)).options
        kept = {key: value for key, value in given.items() if key in counted}
        return extractor_labels.canonical(extractor_labels.compose(name, kept))

    def with_options(self, spec: Spec, options: dict[str, Any]) -> Spec:
        key = (spec.kind, spec.name, f"all of {options!r}")
        if key not in self._specs:
            self._specs[key] = replace(spec, options=options)
        return self._specs[key]

    def in_kimg(self, spec: Spec, units: Units) -> Spec:
        """Return a spec without epochs and steps in the schedules of its options."""
        found = self.registry.schedules(spec)
        now = {name: schedule.in_kimg(units).plain() for name, schedule in found.items()}
        options = {**spec.options, **now}
        return spec if options == spec.options else self.with_options(spec, options)

    def build(self, spec: Spec) -> Any:
        if id(spec) not in self._built:
            # The spec is kept, so that its id() is nobody else's.
            self._built[id(spec)] = spec, self.registry.build_spec(spec)
        return self._built[id(spec)][1]

    def parts(self, cell: Cell) -> Parts:
        players = get_args(PlayerName)
        key = (*map(id, cell.specs()), *(cell.schedule.of(p, "optimizer") for p in players))
        if key not in self._parts:
            self._parts[key] = Parts.built(cell, self.build)
        return self._parts[key]


def _resolve(request: CellRequest, workshop: _Workshop, device: str) -> Cell:
    asked = request.settings
    dataset = workshop.spec(asked.dataset)
    built: Dataset = workshop.build(dataset)
    players = Players(request, workshop)
    settings = _settings(request, players, built, device)
    planned = partial(_planned, request, workshop, built, settings)
    losses = tuple(map(planned, (asked.loss, *asked.regularizers)))
    axes = _axes(request)
    cell = Cell(
        label=_label(axes),
        axes=axes,
        dataset=dataset,
        loss=losses[0],
        regularizers=losses[1:],
        g_conditioning=workshop.spec(asked.conditioning.generator),
        d_conditioning=workshop.spec(asked.conditioning.discriminator, "of D"),
        architecture=workshop.spec(asked.architecture),
        transforms=tuple(map(planned, asked.transforms)),
        g_norm=asked.g_norm or "none",
        d_norm=asked.d_norm or "none",
        schedule=settings,
        num_samples=asked.evaluation.num_samples,
        metrics=(metrics := _metrics(request, workshop, built)),
        extractors=_extractors(built, metrics, workshop),
        g_optimizer=players.said_of("generator"),
        d_optimizer=players.said_of("discriminator"),
        samplers=_samplers(request, workshop),
    )
    parts = workshop.parts(cell)
    try:
        g_norm, d_norm = compatibility.resolve_norms(parts, asked.g_norm, asked.d_norm)
        compatibility.check_parts(parts, cell.schedule)
        compatibility.check_constraint(parts.losses, d_norm)
        cell = replace(cell, g_norm=g_norm, d_norm=d_norm)
        compatibility.check_networks(parts, cell, workshop.buildable)
        compatibility.check_initial_weights(parts, cell)
    except Incompatible as error:
        return replace(cell, incompatible=str(error))
    return cell


def _axes(request: CellRequest) -> dict[str, str]:
    """Name a cell for tables: by its parts, and whatever else the matrix varies."""
    asked = request.settings
    axes = {
        "dataset": asked.dataset.label,
        "loss": asked.loss.label,
        "conditioning": asked.conditioning.label,
        "architecture": asked.architecture.label,
    }
    for axis in ("regularizers", "transforms"):
        chosen: tuple[Choice[Any], ...] = getattr(asked, axis)
        if chosen or axis in request.axes:
            axes[axis] = "+".join(choice.label for choice in chosen) or "none"
    others = {key: value for key, value in request.axes.items() if key not in axes}
    return {**axes, **{key: f"{axis_word(key)}={v}" for key, v in others.items()}}


def _metrics(request: CellRequest, workshop: _Workshop, dataset: Dataset) -> tuple[Spec, ...]:
    """Give metrics with open `features` the data set's own extractor."""
    specs = []
    for choice in request.settings.evaluation.metrics:
        spec = workshop.spec(choice)
        if "features" in spec.options:
            chosen = spec.options["features"] or dataset.features
            if chosen is None:
                known_extractors = ", ".join(workshop.registry.names("feature extractor"))
                raise ConfigError(
                    f"{request.where}: data set '{request.settings.dataset.name}' has no feature "
                    f"extractor of its own for metric '{spec.name}'; name one, as in "
                    f"{spec.name}@pixels\n  known: {known_extractors}"
                )
            options = {**spec.options, "features": workshop.extractor_label(chosen)}
            spec = workshop.with_options(spec, options)
        specs.append(spec)
    return tuple(specs)


def _samplers(request: CellRequest, workshop: _Workshop) -> tuple[Spec, ...]:
    """Put `plain` first, and leave it out where it is alone."""
    specs = [workshop.spec(choice) for choice in request.settings.evaluation.samplers]
    for i, spec in enumerate(specs):
        if spec in specs[:i]:
            raise ConfigError(
                f"{request.where}: evaluation.samplers: '{spec.name}' stands twice with the same "
                "options; each sampler gives one row"
            )
    ordered = sorted(specs, key=lambda spec: spec.name != PLAIN)
    return () if [spec.name for spec in ordered] == [PLAIN] else tuple(ordered)


def _extractors(dataset: Dataset, metrics: Sequence[Spec], workshop: _Workshop) -> tuple[Spec, ...]:
    names: dict[str | None, None] = dict.fromkeys(
        [dataset.judge, *(metric.options.get("features") for metric in metrics)]
    )
    return tuple(workshop.spec(_extractor_choice(name)) for name in names if name is not None)


def _extractor_choice(label: str) -> FeatureExtractorChoice:
    name, options = extractor_labels.parse(label)
    return FeatureExtractorChoice.model_validate({"name": name, **options})


def _settings(
    request: CellRequest, players: Players, dataset: Dataset, device: str
) -> TrainingSettings:
    training = request.settings.training
    if training.micro_batch and training.batch_size % training.micro_batch:
        raise ConfigError(
            f"{request.where}: a batch of {training.batch_size} makes no whole pieces of "
            f"{training.micro_batch}; use a divisor of it as training.micro_batch"
        )
    units = _units(dataset, training.batch_size, players.batches_per_step)
    in_kimg = partial(_in_kimg, units, f"{request.where}: training.")
    kimg = _kimg(training.budget, units, request.where)
    return TrainingSettings(
        batch_size=training.batch_size,
        kimg=kimg,
        updates=training.updates,
        fake_labels=training.fake_labels,
        micro_batch=training.micro_batch,
        ema=_average(training.ema, kimg, in_kimg),
        precision=_precision(training.precision, dataset, device),
        channels_last=training.channels_last,
        compile=training.compile,
        log_every=training.log_every,
        init_from=_initial_weights(request),
        **players.settings(in_kimg),
    )


def _initial_weights(request: CellRequest) -> InitialWeights | None:
    if (asked := request.settings.training.init_from) is None:
        return None
    players = tuple(p for p in get_args(PlayerName) if p in asked.players)
    try:
        return initial_weights.planned(asked.model, players, asked.freeze)
    except (DataError, RunError) as error:
        raise ConfigError(f"{request.where}: training.init_from: {error}") from error


def _units(dataset: Dataset, batch_size: int, batches_per_step: float) -> Units:
    """Return what an epoch and a step of G are of a cell."""
    count = dataset.num_images()
    epoch = None if count is None else count // batch_size * batch_size
    return Units(epochs=epoch, steps=batches_per_step * batch_size)


def _kimg(budget: Budget, units: Units, where: str) -> float:
    """Return a budget in the unit that ids count. Raises ConfigError."""
    ((unit, value),) = budget.given().items()
    try:
        return Amount(value=value, unit=unit).in_kimg(units).value
    except ValueError as error:
        raise ConfigError(f"{where}: training.budget: {error}") from error


def _in_kimg(units: Units, where: str, name: str, setting: Any) -> Any:
    """Return a setting without epochs and steps, in a tuple too. Raises ConfigError."""
    if isinstance(setting, tuple):
        return tuple(_in_kimg(units, where, name, one) for one in setting)
    if not isinstance(setting, Schedule | Amount):
        return setting
    try:
        return setting.in_kimg(units)
    except ValueError as error:
        raise ConfigError(f"{where}{name}: {error}") from error


def _planned(
    request: CellRequest,
    workshop: _Workshop,
    dataset: Dataset,
    settings: TrainingSettings,
    choice: Choice[Any],
) -> Spec:
    """Return the spec of a loss or transform, whose options may be scheduled."""
    spec = workshop.spec(choice)
    units = _units(dataset, settings.batch_size, settings.batches_per_step)
    try:
        return workshop.in_kimg(spec, units)
    except ValueError as error:
        raise ConfigError(f"{request.where}: {spec.kind} '{spec.name}': {error}") from error


def _average(
    ema: float | Average, budget: float, in_kimg: Callable[[str, Any], Any]
) -> float | HalfLife:
    if isinstance(ema, float):
        return ema
    return HalfLife(
        half_life=in_kimg("ema.half_life", ema.half_life),
        ramp_up=ema.ramp_up,
        start=in_kimg("ema.start", ema.start).images(1000 * budget) / 1000,
    )


def _precision(
    asked: Literal["auto", "float32", "bfloat16"], dataset: Dataset, device: str
) -> Precision:
    """For points, `auto` is float32: coordinates need more than bfloat16's eight bits."""
    if asked == "auto" and dataset.image_spec().resolution == 1:
        return "float32"
    return machine.resolve_precision(asked, device)


def _judged_alike(cells: Sequence[Cell], config: Config) -> Iterator[tuple[Cell, CellRequest]]:
    """One cell of all those that are judged by the same numbers on the same data."""
    found: dict[object, tuple[Cell, CellRequest]] = {}
    for cell, request in zip(cells, config.cells, strict=True):
        specs = (cell.dataset, *cell.metrics)  # of one workshop: the same are one object
        controls = tuple(request.settings.evaluation.controls)
        key = (*map(id, specs), cell.axes.get("dataset"), cell.num_samples, controls)
        found.setdefault(key, (cell, request))
    yield from found.values()


def _references(cell: Cell, asked: Sequence[Control], workshop: _Workshop) -> Iterator[Reference]:
    dataset = workshop.build(cell.dataset)
    for control in asked:
        if controls.unsupported(control, dataset) is None:
            yield Reference(
                f"{controls.TITLES[control]} ({cell.dataset.name})",
                {"dataset": cell.axes.get("dataset", cell.dataset.name)},
                control,
                cell.dataset,
                cell.num_samples,
                cell.metrics,
            )


def _refuse_twins(cells: Sequence[Cell], config: Config) -> None:
    seen: dict[str, str] = {}
    for cell, request in zip(cells, config.cells, strict=True):
        for row in cell.by_sampler():
            if row.id in seen and not cell.incompatible:
                raise ConfigError(
                    f"{request.where}: cell {row.label} is the same as cell {seen[row.id]}: all "
                    "their settings are equal"
                )
            seen[row.id] = row.label


def _shortly_named(cells: Sequence[Cell]) -> list[Cell]:
    """Without the options that no two values of an axis need to be told apart."""
    short: dict[str, dict[str, str]] = {}
    for axis in cells[0].axes:
        values = {cell.axes.get(axis, "") for cell in cells}
        names = {value: re.sub(r"\([^)]*\)", "", value) for value in values}
        short[axis] = names if len(set(names.values())) == len(values) else {}
    renamed = [
        {axis: short.get(axis, {}).get(value, value) for axis, value in cell.axes.items()}
        for cell in cells
    ]
    several = len({cell.axes["dataset"] for cell in cells}) > 1
    return [
        cell.renamed(_label(axes, several), axes) for cell, axes in zip(cells, renamed, strict=True)
    ]


def _label(axes: Mapping[str, str], several_datasets: bool = False) -> str:
    """Join the values of the axes; the data set's only where there are several."""
    shown = (v for axis, v in axes.items() if several_datasets or axis != "dataset")
    return "/".join(shown)


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that an include rule made differ in no axis get the start of their ids as a name."""
    labels = Counter(cell.label for cell in cells)
    return [
        cell if labels[cell.label] == 1 else cell.renamed(f"{cell.label}#{cell.id[:4]}", cell.axes)
        for cell in cells
    ]
