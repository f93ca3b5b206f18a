"""Samples that exist already, judged by a run that trains nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pydantic
import yaml

from ganbench.config.benchmark_file import Config
from ganbench.config.choices import DatasetChoice, ExecutorChoice, MetricChoice
from ganbench.config.plan import metrics_of, references_of
from ganbench.config.schema import Execution, RunSettings
from ganbench.config.workshop import Workshop
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.evaluation.judges import choice as judges
from ganbench.models.saved.files import read_config
from ganbench.records.cells import JudgeChoice, Plan, Reference, Spec, slug
from ganbench.records.training_settings import Control
from ganbench.registry.registry import Registry
from ganbench.runs import outside
from ganbench.runs.benchmark import Prepared
from ganbench.runs.outside import Reading

METRICS = ("fid", "kid", "mode-coverage", "cond-accuracy")
WITH = re.compile(r"(?P<name>[^=/\\]+)=(?P<path>.+)")


@dataclass(frozen=True)
class Asked:
    """Which samples are to be judged, beside which data and by which numbers."""

    path: Path
    dataset: DatasetChoice
    metrics: tuple[str, ...] = METRICS
    name: str | None = None  # None: of the path
    count: int | None = None  # None: all of them
    options: Mapping[str, Any] = field(default_factory=dict)  # of how they are read
    controls: tuple[Control, ...] = ("test",)
    judge: str | None = None  # of classes, as a benchmark file names it
    statistics: tuple[MetricChoice, ...] = ()  # distances to statistics from files


def prepare(asked: Asked, reading: Reading) -> Prepared:
    """Return a benchmark of reference rows alone, in which the samples are one.

    Raises GanbenchError where the samples cannot be judged beside the data.
    """
    workshop = Workshop(reading.registry)
    dataset = workshop.spec(asked.dataset)
    chosen = [*choices(asked.metrics), *asked.statistics]
    metrics = metrics_of(chosen, dataset, workshop, "--metrics")
    name = asked.name or asked.path.resolve().name
    samples, count = outside.samples_at(asked.path, asked.options, dataset, asked.count, reading)
    called = asked.dataset.called
    judge = judges.planned(asked.judge, workshop.build(dataset))
    rows = references_of(asked.controls, dataset, called, count, metrics, workshop, judge)
    axes, title = {"dataset": called}, outside.title(name)
    row = Reference(title, axes, None, dataset, count, metrics, samples, judge)
    settings = RunSettings(
        version=1,
        name=slug(name) or "samples",
        execution=Execution(executor=ExecutorChoice(name="inline")),
    )
    plan = Plan(settings.name, (), (*rows, row), (0,), reading.device)
    config = Config(settings, (), _document(asked, settings.name, count))
    return Prepared(reading.registry, config, plan, reading.plugins)


def with_samples(
    prepared: Prepared,
    given: Sequence[str],
    options: Mapping[str, Any] | None = None,
    *,
    allow_other_versions: bool = False,
) -> Prepared:
    """Return a benchmark with rows for the samples of each `PATH` or `NAME=PATH`.

    `options` say how they are read, all but trained models, whose plugins may be of other versions
    where that is allowed. Raises GanbenchError where they could not stand beside its cells, and
    says what differs.
    """
    plan = prepared.plan
    reading = Reading(prepared.registry, prepared.plugins, plan.device, allow_other_versions)
    read = [one for one in given if outside.model_in(_named(one)[1]) is None]
    if options and not read:
        raise ConfigError(f"-o {next(iter(options))}: a trained model has no options to be read by")
    rows: dict[str, Reference] = {}
    for one in given:
        name, path = _named(one)
        said = (options or {}) if one in read else {}
        for dataset, called, count, metrics, judge in _judged(plan, one):
            samples, number = outside.samples_at(path, said, dataset, count, reading)
            axes, title = {"dataset": called}, outside.title(name)
            row = Reference(title, axes, None, dataset, number, metrics, samples, judge)
            if any(row.label == other.label for other in rows.values() if other.dataset == dataset):
                raise ConfigError(
                    f"--with {one}: two rows would be called '{row.label}'; name one, as in "
                    f"--with theirs={path}"
                )
            rows[row.id] = row
    return replace(prepared, plan=replace(plan, references=(*plan.references, *rows.values())))


def own_data(path: Path, registry: Registry) -> DatasetChoice:
    """Return the data set that a trained model learnt. Raises ConfigError for other samples."""
    if (model := outside.model_in(path)) is None:
        raise ConfigError(
            f"{path}: which images are real ones? Name their data set with --data, as in --data "
            "mnist or --data ~/pictures"
        )
    spec = read_config(model).networks.dataset
    registry.lookup("dataset", spec.name)
    return DatasetChoice.model_validate({"name": spec.name, **spec.options})


def _named(given: str) -> tuple[str, Path]:
    """Return the name and the path of `PATH` or `NAME=PATH`."""
    if found := WITH.fullmatch(given):
        return found["name"], Path(found["path"])
    return Path(given).resolve().name, Path(given)


Way = tuple[Spec, str, int, tuple[Spec, ...], JudgeChoice | None]
"""Data, what tables call them, how many samples, metrics, and the judge."""


def _judged(plan: Plan, given: str) -> list[Way]:
    """Return how the cells of a plan are judged, which must be one way. Raises ConfigError."""
    found: dict[str, Way] = {}
    for cell in plan.cells:
        called = cell.axes.get("dataset", cell.dataset.name)
        way = (cell.dataset, called, cell.num_samples, cell.metrics, cell.judge)
        found[repr(way)] = way
    called_by = sorted({way[1] for way in found.values()})
    if len(called_by) > 1:
        names = ", ".join(called_by)
        raise ConfigError(
            f"--with {given}: the benchmark has several data sets ({names}), and samples are of "
            "one; choose it with --only dataset=NAME"
        )
    if len(found) > 1:
        raise ConfigError(
            f"--with {given}: cells of the benchmark are judged in {len(found)} ways "
            "(evaluation.num_samples, metrics, judge or the data's options differ); samples stand "
            "beside one; choose cells with --only"
        )
    return list(found.values())


def choices(metrics: Sequence[str]) -> list[MetricChoice]:
    """Return metrics as a benchmark file names them. Raises ConfigError."""
    if not all(metrics):
        raise ConfigError("--metrics: expected names of metrics, as in fid,kid@pixels")
    found = []
    for text in metrics:
        try:
            found.append(MetricChoice.model_validate(text))
        except pydantic.ValidationError as error:
            raise ConfigError(f"--metrics {text}: {error.errors()[0]['msg']}") from error
    return found


def statistics(given: Sequence[str], features: str | None) -> tuple[MetricChoice, ...]:
    """Return the distances to the statistics of each `FILE.npz` or `WHOSE=FILE.npz`."""
    found = []
    for one in given:
        named = WITH.fullmatch(one)
        options = {"path": named["path"], "whose": named["name"]} if named else {"path": one}
        options |= {"features": features} if features else {}
        found.append(MetricChoice.model_validate({"name": "fid-to-statistics", **options}))
    return tuple(found)


def _document(asked: Asked, name: str, count: int) -> Document:
    """Return what was asked as a mapping, for whoever looks into the run's folder."""
    title = {"title": asked.dataset.title} if asked.dataset.title else {}
    about = {
        "version": 1,
        "name": name,
        "description": f"ganbench evaluate {asked.path}: nothing was trained",
        "dataset": {"name": asked.dataset.name, **title, **asked.dataset.options},
        "evaluation": {
            "num_samples": count,
            "metrics": [
                *asked.metrics,
                *({"name": one.name, **one.options} for one in asked.statistics),
            ],
            "controls": list(asked.controls),
        },
    }
    plain = json.loads(json.dumps(about))  # without tuples
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return Document.parse(text, str(asked.path))
