"""From a benchmark file to its plan, and to a finished run: what the command line is made of."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganbench.errors import ConfigError, DataError, NothingSelected
from ganbench.records.cells import fields_of
from ganbench.runs.selection import only as only_these
from ganbench.runs.selection import parse_seeds
from ganbench.util import files
from ganbench.util.messages import shown

if TYPE_CHECKING:
    from ganbench.config.benchmark_file import Config
    from ganbench.config.yaml_document import Document
    from ganbench.records.cells import Plan, Spec
    from ganbench.records.report import Report
    from ganbench.records.run_folder import Run
    from ganbench.registry.registry import Registry
    from ganbench.runs.at_once import Jobs
    from ganbench.runs.beginning import Order
    from ganbench.runs.runner import Observer

_log = logging.getLogger(__name__)

LARGE = 1e9  # bytes of a batch
Tell = Callable[[int, str], None]  # given a level of `logging` and a sentence


@dataclass(frozen=True)
class BenchmarkArguments:
    """A benchmark file and everything that changes what it means, as the command line has them."""

    file: Path  # no name of one that comes with ganbench: the path of that
    profile: str | None = None
    overrides: tuple[str, ...] = ()  # KEY=VALUE, of --set
    seeds: str | None = None  # as in 0,1,2 or 0-4; None: the file's
    only: tuple[str, ...] = ()  # AXIS=VALUE
    plugins: tuple[str, ...] = ()  # of --plugin
    trusts_file: bool = False  # may the file name code to import?
    device: str = "auto"
    continues: Path | None = None  # the run from whose trainings the cells go on

    @classmethod
    def checked(
        cls,
        file: str | Path,
        profile: str | None,
        overrides: object,
        seeds: object,
        only: object,
        plugins: object,
        trusts_file: bool,
        device: str,
        continues: str | Path | None = None,
    ) -> BenchmarkArguments:
        """Return them as Python hands them over: one text or several, seeds as numbers or a text.

        Raises ConfigError for anything else, and NothingSelected for no seed.
        """
        from ganbench.config import shipped

        return cls(
            shipped.named(str(file)),
            profile,
            _texts("overrides", overrides),
            _seeds(seeds),
            _texts("only", only),
            _texts("plugins", plugins),
            trusts_file,
            device,
            None if continues is None else Path(continues),
        )


@dataclass(frozen=True)
class Prepared:
    """A benchmark in which everything is checked, and of which nothing is written yet."""

    registry: Registry
    config: Config
    plan: Plan
    plugins: tuple[str, ...]  # of --plugin, and of the file where it may name some


def plan(
    file: str | Path,
    *,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    seeds: str | Sequence[int] | None = None,
    only: Sequence[str] = (),
    plugins: Sequence[str] = (),
    device: str = "auto",
    allow_config_plugins: bool = False,
    continues: str | Path | None = None,
) -> Plan:
    """Check a benchmark file and return its plan: every cell with its settings resolved.

    Nothing is trained and nothing is written. The arguments are the options of `ganbench plan`:
    `overrides` are KEY=VALUE, of `--set`, `seeds` are numbers or a text such as "0-4", and
    `continues` is the run of `--continue`. What is only worth a warning goes to `logging`. Raises
    GanbenchError, of which the message says where, what and what to do.
    """
    arguments = BenchmarkArguments.checked(
        file, profile, overrides, seeds, only, plugins, allow_config_plugins, device, continues
    )
    return prepare(arguments).plan


def run(
    file: str | Path,
    *,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    seeds: str | Sequence[int] | None = None,
    only: Sequence[str] = (),
    plugins: Sequence[str] = (),
    device: str = "auto",
    allow_config_plugins: bool = False,
    jobs: int | Literal["auto"] | None = None,
    out: str | Path | None = None,
    fail_fast: bool = False,
    observer: Observer | None = None,
    continues: str | Path | None = None,
    reuse: str | Path | Sequence[str | Path] = (),
) -> Report:
    """Run a benchmark file, write its tables and return the finished run as `load_run` does.

    The arguments are those of `plan` and the options of `ganbench run`. Results go to
    results/NAME/TIME, or to `out`; a folder in which this run was begun is gone on with. Trials
    that fail are in the tables with their reasons, and raise nothing. Trials that finished runs in
    the folders of `reuse` hold are taken from there, as with `--reuse`; which those are goes to
    `logging` and into the table's notes. The `observer` is told of progress. Raises GanbenchError,
    and when interrupted keeps what is finished.
    """
    from ganbench.runs import reusing, runner

    places = [Path(place) for place in _texts("reuse", reuse)]
    reusing.check(places)
    arguments = BenchmarkArguments.checked(
        file, profile, overrides, seeds, only, plugins, allow_config_plugins, device, continues
    )
    prepared = prepare(arguments)
    begun = begin(prepared, arguments, jobs=jobs, out=None if out is None else Path(out))
    if places:
        begun, sentences = reusing.reuse(begun, places, prepared.registry)
        for sentence in sentences:
            _log.info(sentence)
    runner.execute(begun, prepared.registry, observer, fail_fast=fail_fast)
    return report(begun, prepared.registry, console=False)


@files.folder_put_back()
def prepare(arguments: BenchmarkArguments, tell: Tell = _log.log) -> Prepared:
    """Validate everything and write nothing; what is worth a warning is told.

    Raises GanbenchError where the file, a plugin, the data or a choice cannot be used.
    """
    from ganbench.config import benchmark_file
    from ganbench.registry import registry

    document = benchmark_file.read(
        arguments.file, profile=arguments.profile, overrides=arguments.overrides
    )
    plugins = (*arguments.plugins, *config_plugins(document, arguments))
    found = registry.load(plugins)  # imports torch; what is wrong with the file is said by now

    from ganbench.util.process_settings import as_in_a_new_process

    with as_in_a_new_process():
        return Prepared(found, *_planned(arguments, document, found, tell), plugins)


def _planned(
    arguments: BenchmarkArguments, document: Document, found: Registry, tell: Tell
) -> tuple[Config, Plan]:
    from ganbench.config import benchmark_file, plan
    from ganbench.util import machine

    config = benchmark_file.validated(document, found)
    for warning in config.warnings:
        tell(logging.WARNING, warning)
    device, seeds = machine.resolve_device(arguments.device), parse_seeds(arguments.seeds)
    planned = only_these(plan.make(config, found, device=device, seeds=seeds), arguments.only)
    if arguments.continues is not None:
        from ganbench.runs import continuing

        planned = continuing.planned(planned, arguments.continues, found)
    _check_data(planned, config, found, tell)
    for sentence in (*_missing_features(planned, found), *_large_inputs(planned, found)):
        tell(logging.WARNING, sentence)
    return config, planned


def begin(
    prepared: Prepared,
    arguments: BenchmarkArguments,
    *,
    jobs: Jobs | None,
    out: Path | None,
) -> Run:
    """Write the run's folder with everything but results in it, and return the run."""
    from ganbench.runs import beginning

    is_count = isinstance(jobs, int) and not isinstance(jobs, bool) and jobs > 0
    if not is_count and jobs not in (None, "auto"):
        raise ConfigError(
            f"jobs: expected a whole number of at least 1, or 'auto', found {shown(jobs)}"
        )
    directory = out or beginning.default_directory(prepared.plan.name)
    order = ordered(prepared, arguments, jobs)
    return beginning.create(directory, prepared.plan, order, prepared.registry)


def ordered(prepared: Prepared, arguments: BenchmarkArguments, jobs: Jobs | None = None) -> Order:
    """Return how a run is asked for, beside its plan."""
    from ganbench.runs import beginning

    return beginning.Order(
        prepared.config,
        arguments.file,
        arguments.profile,
        arguments.overrides,
        prepared.plugins,
        jobs,
        named_device=":" in arguments.device,
    )


def report(
    run: Run,
    registry: Registry,
    *,
    console: bool,
    console_options: Mapping[str, Any] | None = None,
) -> Report:
    """Write the run's tables through the reporters that its file names.

    The one that prints in a terminal is left out unless `console` is true; `console_options` come
    over those that the file gives it.
    """
    from ganbench.runs import runner

    chosen = [r for r in run.info.reporters if console or r.name != "console"]
    over = {"console": console_options or {}}
    reporters = [
        registry.build("reporter", r.name, {**r.options, **over.get(r.name, {})}) for r in chosen
    ]
    return runner.report(run, registry, reporters)


def config_plugins(document: Document, arguments: BenchmarkArguments) -> list[str]:
    """Return the code that a benchmark file asks to import and that --plugin does not name, too.

    Raises ConfigError where there is some, and nobody said that the file may.
    """
    from ganbench.config import benchmark_file

    named = set(map(_place, arguments.plugins))
    asked = benchmark_file.plugins_of(document)
    strange = [name for name in asked if _place(name) not in named]
    if strange and not arguments.trusts_file:
        code = ", ".join(strange)
        raise ConfigError(
            f"{document.where(('plugins',))}: this file asks to import code ({code}); "
            "where you trust it, add --allow-config-plugins, or name the plugins with --plugin"
        )
    return strange


def _place(plugin: str) -> str:
    """Spell a plugin's file in one way; modules stay as they are."""
    return str(Path(plugin).resolve()) if plugin.endswith(".py") else plugin


def _texts(name: str, values: object) -> tuple[str, ...]:
    """Return one text or path, or several, as texts. Raises ConfigError for anything else."""
    if isinstance(values, str | Path):
        return (str(values),)
    if not isinstance(values, Iterable):
        raise ConfigError(f"{name}: expected texts, found {shown(values)}")
    return tuple(map(str, values))


def _seeds(seeds: object) -> str | None:
    """Return seeds as the command line has them. Raises ConfigError, NothingSelected."""
    if seeds is None or isinstance(seeds, str):
        return seeds
    found = _texts("seeds", [seeds] if isinstance(seeds, int) else seeds)
    if not found:
        raise NothingSelected("seeds: no seed in it")
    return ",".join(found)


def _check_data(planned: Plan, config: Config, registry: Registry, tell: Tell) -> None:
    """Refuse data that is missing or damaged before anything is written."""
    from ganbench.evaluation.loading import odd_names

    seen = []
    for cell in planned.cells:
        if cell.incompatible or cell.dataset in seen:
            continue
        seen.append(cell.dataset)
        dataset = registry.build_spec(cell.dataset)
        status = dataset.status(files.data())
        if status.verified is False or not (status.present or status.on_use):
            raise DataError(
                f"{config.place_of_dataset}: data set '{cell.dataset.name}' is not usable: "
                f"{status.location}: {status.note or 'missing'}"
            )
        if not status.present:
            note = status.note or "not here yet"
            tell(logging.INFO, f"data set '{cell.dataset.name}': {note} ({status.location})")
        for remark in odd_names(dataset.class_names()):
            tell(logging.WARNING, f"data set '{cell.dataset.name}': {remark}")
        _check_batches(planned, cell.dataset, status.images, config)


def _check_batches(planned: Plan, dataset: Spec, images: int | None, config: Config) -> None:
    """Refuse batches of more images than there are."""
    batches = (c.schedule.batch_size for c in planned.cells if c.dataset == dataset)
    if images is not None and (largest := max(batches)) > images:
        raise ConfigError(
            f"{config.place_of_dataset}: data set '{dataset.name}' has {images:,} images, fewer "
            f"than one batch of {largest:,}; lower training.batch_size"
        )


def _large_inputs(planned: Plan, registry: Registry) -> Iterator[str]:
    """Say of which conditionings D's input alone takes gigabytes, as of thousands of planes."""
    import torch

    asked = {}
    for cell in planned.cells:
        at_once = cell.schedule.at_once
        options = json.dumps([fields_of(cell.dataset), fields_of(cell.d_conditioning)])
        asked[options, at_once] = cell
    for (_, at_once), cell in asked.items():
        image = registry.build_spec(cell.dataset).image_spec()
        if cell.incompatible or not image.label_kind:
            continue
        with torch.device("meta"):
            side = registry.build_spec(cell.d_conditioning).discriminator(image)
        size = 4 * at_once * side.channels * image.resolution**2
        labels = f"{image.num_classes:,} classes" if image.num_classes else image.labels
        if size > LARGE and side.channels > image.channels:
            yield (
                f"conditioning '{cell.d_conditioning.name}' gives D {side.channels:,} channels for "
                f"{labels}, {size / 1e9:.1f} GB a batch; use projection, say"
            )


def _missing_features(planned: Plan, registry: Registry) -> Iterator[str]:
    """Which columns will be empty on this machine, before hours are spent on the others."""
    asked = dict.fromkeys(
        (spec.name, json.dumps(spec.options)) for cell in planned.cells for spec in cell.extractors
    )
    for name, options in asked:
        extractor = registry.build("feature extractor", name, json.loads(options))
        if why := extractor.missing(files.data()):
            yield f"the columns of {name} will be empty: {why}"
