"""What a run will do: every cell with its settings resolved, before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from ganbench.config import cell_labels, compatibility
from ganbench.config.benchmark_file import CellRequest, Config
from ganbench.config.choices import Choice
from ganbench.config.followed import followed
from ganbench.config.players import Players
from ganbench.config.training_schema import Average, Budget
from ganbench.config.workshop import Workshop
from ganbench.contracts.datasets import Dataset
from ganbench.errors import ConfigError, DataError, Incompatible, RunError
from ganbench.evaluation import controls, watches
from ganbench.evaluation.judges import choice as judges
from ganbench.models import initial_weights
from ganbench.records.cells import (
    PLAIN,
    Cell,
    JudgeChoice,
    Plan,
    Reference,
    Spec,
    canonical_json,
    label,
)
from ganbench.records.columns import Column, unclear
from ganbench.records.schedules import Amount, Schedule, Units
from ganbench.records.training_settings import (
    Control,
    HalfLife,
    InitialWeights,
    PlayerName,
    Precision,
    TrainingSettings,
)
from ganbench.registry.registry import Registry
from ganbench.util import machine

logger = logging.getLogger(__name__)


def make(config: Config, registry: Registry, *, device: str, seeds: Sequence[int] = ()) -> Plan:
    """Return the plan with every cell resolved, and the seeds given in place of the file's.

    Raises ConfigError for cells that cannot be built, unless they may be skipped, and for two cells
    that are the same; DataError where the shape of the data is not to be had.
    """
    cells, problems = [], []
    workshop = Workshop(registry)
    for request in config.cells:
        try:
            cell = _resolve(request, workshop, device, config.run.execution.processes)
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
    cells = cell_labels.named(cells, config.cells)
    references = {
        reference.id: reference
        for cell, request in _judged_alike(cells, config)
        for reference in references_of(
            request.settings.evaluation.controls,
            cell.dataset,
            cell.axes.get("dataset", cell.dataset.name),
            cell.num_samples,
            cell.metrics,
            workshop,
            cell.judge,
        )
    }
    return Plan(
        config.run.name,
        tuple(cells),
        tuple(references.values()),
        tuple(seeds) or config.run.seeds,
        device,
    )


def _unclear(cells: Sequence[Cell], workshop: Workshop) -> Iterator[str]:
    """Yield what tables will have to say of metrics that don't name their features."""
    for metric in {id(metric): metric for cell in cells for metric in cell.metrics}.values():
        if why := unclear(workshop.build(metric).columns):
            yield f"metric '{metric.name}': {why}"


def _resolve(request: CellRequest, workshop: Workshop, device: str, processes: int) -> Cell:
    asked = request.settings
    dataset = workshop.spec(asked.dataset)
    built: Dataset = workshop.build(dataset)
    players = Players(request, workshop)
    units = _units(request, built, players.batches_per_step)
    settings = _settings(request, players, units, built, device)
    settings = _shared_out(request, settings, processes, device)
    planned = partial(_planned, request, workshop, units)
    losses = tuple(map(planned, (asked.loss, *asked.regularizers)))
    axes = cell_labels.axes_of(request)
    cell = Cell(
        label=label(axes),
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
        metrics=(metrics := metrics_of(asked.evaluation.metrics, dataset, workshop, request.where)),
        judge=(judge := _judge(request, built)),
        extractors=_extractors(None if judge else built.judge, metrics, workshop),
        g_optimizer=players.said_of("generator"),
        d_optimizer=players.said_of("discriminator"),
        samplers=_samplers(request, workshop),
        followed=followed(request, units),
        judged_labels=asked.evaluation.labels,
        sampling_seeds=asked.evaluation.sampling_seeds,
    )
    parts = workshop.parts(cell)
    if not parts.g_conditioning.needs_labels:
        cell = replace(cell, judged_labels="data")  # of which a G that heeds none is told nothing
    try:
        g_norm, d_norm = compatibility.resolve_norms(parts, asked.g_norm, asked.d_norm)
        compatibility.check_parts(parts, cell.schedule)
        compatibility.check_classes(parts, cell)
        compatibility.check_constraint(parts.losses, d_norm)
        cell = replace(cell, g_norm=g_norm, d_norm=d_norm)
        compatibility.check_networks(parts, cell, workshop.buildable)
        compatibility.check_initial_weights(parts, cell)
    except Incompatible as error:
        return replace(cell, incompatible=str(error))
    return cell


def columns_of(plan: Plan, registry: Registry) -> list[Column]:
    """Return the columns of all metrics of a plan, each metric asked once with the same options."""
    rows: tuple[Cell | Reference, ...] = (*plan.cells, *plan.references)
    specs = {canonical_json(spec, row.label): spec for row in rows for spec in row.metrics}
    return [column for spec in specs.values() for column in registry.build_spec(spec).columns]


def metrics_of(
    choices: Sequence[Choice[Any]], dataset: Spec, workshop: Workshop, where: str
) -> tuple[Spec, ...]:
    """Return what is measured; metrics with open `features` take the data set's own extractor.

    Raises ConfigError where it has none.
    """
    specs = []
    for choice in choices:
        spec = workshop.spec(choice)
        if "features" in spec.options:
            chosen = spec.options["features"] or workshop.build(dataset).features
            if chosen is None:
                known_extractors = ", ".join(workshop.registry.names("feature extractor"))
                raise ConfigError(
                    f"{where}: data set '{dataset.name}' has no feature extractor of its own for "
                    f"metric '{spec.name}'; name one, as in {spec.name}@pixels\n  known: "
                    f"{known_extractors}"
                )
            options = {**spec.options, "features": workshop.extractor_label(chosen)}
            spec = workshop.with_options(spec, options)
        specs.append(spec)
    return tuple(specs)


def _samplers(request: CellRequest, workshop: Workshop) -> tuple[Spec, ...]:
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


def _judge(request: CellRequest, dataset: Dataset) -> JudgeChoice | None:
    try:
        return judges.planned(request.settings.evaluation.judge, dataset)
    except (ConfigError, DataError) as error:
        raise ConfigError(f"{request.where}: evaluation.judge: {error}") from error


def _extractors(judge: str | None, metrics: Sequence[Spec], workshop: Workshop) -> tuple[Spec, ...]:
    names: dict[str | None, None] = dict.fromkeys(
        [judge, *(metric.options.get("features") for metric in metrics)]
    )
    return tuple(workshop.extractor(name) for name in names if name is not None)


def _settings(
    request: CellRequest, players: Players, units: Units, dataset: Dataset, device: str
) -> TrainingSettings:
    training = request.settings.training
    in_kimg = partial(_in_kimg, units, f"{request.where}: training.")
    kimg = units.kimg
    return TrainingSettings(
        batch_size=training.batch_size,
        kimg=kimg,
        updates=training.updates,
        batches=training.batches,
        fake_labels=training.fake_labels,
        micro_batch=training.micro_batch,
        ema=_average(training.ema, kimg, in_kimg),
        precision=_precision(request, dataset, device),
        deterministic=training.deterministic,
        spectral_norm=training.spectral_norm,
        channels_last=training.channels_last,
        compile=training.compile,
        log_every=training.log_every,
        init_from=_initial_weights(request),
        **players.settings(in_kimg),
    )


def _shared_out(
    request: CellRequest, settings: TrainingSettings, processes: int, device: str
) -> TrainingSettings:
    """Return the settings for so many processes. Raises ConfigError where batches don't divide."""
    if processes > 1 and device == "mps":
        raise ConfigError(
            f"{request.where}: execution.processes is of CPUs and CUDA's GPUs, and mps is one "
            "device; leave it out, or add --device cpu"
        )
    size, piece, kind = settings.batch_size, settings.micro_batch, request.settings.training
    if size % processes:
        raise ConfigError(
            f"{request.where}: a batch of {size} makes no equal shares for {processes} processes; "
            "use a divisor of it as execution.processes"
        )
    if piece and size // processes % piece:
        whose = f"a batch of {size}" if processes == 1 else f"a share of {size // processes}"
        raise ConfigError(
            f"{request.where}: {whose} makes no whole pieces of {piece}; use a divisor of it as "
            "training.micro_batch"
        )
    if processes == 1:  # batch norm is of what all have
        return settings
    if kind.batch_norm == "synchronised" and settings.compile != "none":
        raise ConfigError(
            f"{request.where}: batch_norm: synchronised asks other processes amid a network, "
            "which training.compile cannot do; leave one of them out"
        )
    return replace(settings, processes=processes, batch_norm=kind.batch_norm)


def _initial_weights(request: CellRequest) -> InitialWeights | None:
    if (asked := request.settings.training.init_from) is None:
        return None
    players = tuple(p for p in get_args(PlayerName) if p in asked.players)
    try:
        return initial_weights.planned(asked.model, players, asked.freeze)
    except (DataError, RunError) as error:
        raise ConfigError(f"{request.where}: training.init_from: {error}") from error


def _units(request: CellRequest, dataset: Dataset, batches_per_step: float) -> Units:
    """Return what an epoch, a step of G and the budget are of a cell. Raises ConfigError."""
    training, count = request.settings.training, dataset.num_images()
    epoch = None if count is None else count // training.batch_size * training.batch_size
    units = Units(epochs=epoch, steps=batches_per_step * training.batch_size)
    return replace(units, kimg=_kimg(training.budget, units, request.where))


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


def _planned(request: CellRequest, workshop: Workshop, units: Units, choice: Choice[Any]) -> Spec:
    """Return the spec of a loss or transform, whose options may be scheduled."""
    spec = workshop.spec(choice)
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


def _precision(request: CellRequest, dataset: Dataset, device: str) -> Precision:
    """For points, `auto` is float32: coordinates need more than bfloat16's eight bits."""
    asked = request.settings.training.precision
    if asked == "auto" and dataset.image_spec().resolution == 1:
        return "float32"
    try:
        return machine.resolve_precision(asked, device)
    except ConfigError as error:
        raise ConfigError(f"{request.where}: {error}") from error


def _judged_alike(cells: Sequence[Cell], config: Config) -> Iterator[tuple[Cell, CellRequest]]:
    """One cell of all those that are judged by the same numbers on the same data."""
    found: dict[object, tuple[Cell, CellRequest]] = {}
    for cell, request in zip(cells, config.cells, strict=True):
        specs = (cell.dataset, *cell.metrics)  # of one workshop: the same are one object
        controls = tuple(request.settings.evaluation.controls)
        key = (*map(id, specs), cell.axes.get("dataset"), cell.num_samples, cell.judge, controls)
        found.setdefault(key, (cell, request))
    yield from found.values()


def references_of(
    asked: Sequence[Control],
    dataset: Spec,
    called: str,
    num_samples: int,
    metrics: tuple[Spec, ...],
    workshop: Workshop,
    judge: JudgeChoice | None = None,
) -> Iterator[Reference]:
    """Yield the rows of real images that a data set can have; tables call it `called`."""
    built, axes = workshop.build(dataset), {"dataset": called}
    for control in asked:
        if controls.unsupported(control, built) is None:
            title = f"{controls.TITLES[control]} ({called})"
            yield Reference(title, axes, control, dataset, num_samples, metrics, judge=judge)


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
