"""What a run will do: every cell with its settings resolved, before anything is trained."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ganbench import machine, models
from ganbench.config import CellRequest, Config
from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.losses import Loss, Regularizer
from ganbench.contracts.metrics import Metric
from ganbench.contracts.transforms import Transform
from ganbench.errors import ConfigError, GanbenchError, Incompatible
from ganbench.registry import Registry
from ganbench.schema_models import Choice, FeatureExtractorChoice
from ganbench.settings import Precision, Schedule
from ganbench.specs import ImageSpec
from ganbench.wording import quoted


@dataclass(frozen=True)
class Spec:
    """A plugin with every option spelled out."""

    kind: str
    name: str
    options: dict[str, Any]
    source: str  # distribution and version

    def build(self, registry: Registry) -> Any:
        return registry.build(self.kind, self.name, self.options)


@dataclass(frozen=True)
class Cell:
    """One combination with nothing left open. Equal ids mean comparable numbers."""

    label: str
    axes: dict[str, str]
    dataset: Spec
    loss: Spec
    regularizers: tuple[Spec, ...]
    g_conditioning: Spec
    d_conditioning: Spec
    architecture: Spec
    transforms: tuple[Spec, ...]
    g_norm: str
    d_norm: str
    schedule: Schedule
    num_samples: int
    metrics: tuple[Spec, ...]
    extractors: tuple[Spec, ...]  # that metrics and the data set's judge use
    incompatible: str | None = None  # why it cannot be built

    @cached_property
    def id(self) -> str:
        """The first 10 hex digits of the SHA-256 of the resolved cell as canonical JSON."""
        return _digest(self, without=("label", "axes", "incompatible"))

    @property
    def losses(self) -> tuple[Spec, ...]:
        return (self.loss, *self.regularizers)

    def trained_specs(self) -> Iterator[Spec]:
        """The plugins that take part in training."""
        yield from self.losses
        yield self.g_conditioning
        yield self.d_conditioning
        yield self.architecture
        yield from self.transforms

    def specs(self) -> Iterator[Spec]:
        yield self.dataset
        yield from self.trained_specs()
        yield from self.metrics
        yield from self.extractors


@dataclass(frozen=True)
class Reference:
    """The real test set, judged like a generator's samples: the floor of every metric."""

    label: str
    axes: dict[str, str]
    dataset: Spec
    num_samples: int
    metrics: tuple[Spec, ...]

    @cached_property
    def id(self) -> str:
        return _digest(self, without=("label", "axes"))


@dataclass(frozen=True)
class Plan:
    name: str
    cells: tuple[Cell, ...]
    references: tuple[Reference, ...]
    seeds: tuple[int, ...]
    device: str

    @cached_property
    def id(self) -> str:
        """Changes when what will be run changes."""
        parts = [*(c.id for c in self.cells), *(r.id for r in self.references), *self.seeds]
        text = json.dumps([self.name, self.device, *parts])
        return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Parts:
    """A cell's plugins, built."""

    dataset: Dataset
    image: ImageSpec
    losses: tuple[Loss, ...]
    g_conditioning: Conditioning
    d_conditioning: Conditioning
    architecture: Architecture
    transforms: tuple[Transform, ...]
    metrics: tuple[Metric, ...]

    @classmethod
    def of(cls, cell: Cell, registry: Registry) -> Parts:
        dataset: Dataset = cell.dataset.build(registry)
        return cls(
            dataset,
            dataset.image_spec(),
            tuple(spec.build(registry) for spec in cell.losses),
            cell.g_conditioning.build(registry),
            cell.d_conditioning.build(registry),
            cell.architecture.build(registry),
            tuple(spec.build(registry) for spec in cell.transforms),
            tuple(spec.build(registry) for spec in cell.metrics),
        )

    def networks(
        self, cell: Cell
    ) -> tuple[models.ConditionalGenerator, models.ConditionalDiscriminator]:
        return models.build(
            self.architecture,
            self.g_conditioning,
            self.d_conditioning,
            self.image,
            g_norm=cell.g_norm,
            d_norm=cell.d_norm,
            transforms=self.transforms,
        )


def make(config: Config, registry: Registry, *, device: str, seeds: Sequence[int] = ()) -> Plan:
    """Resolve every cell. Raises ConfigError for cells that cannot be built, unless they may be
    skipped, and for two cells that are the same."""
    cells, problems = [], []
    buildable: dict[str, str | None] = {}
    for request in config.cells:
        cell = _resolve(request, registry, device, buildable)
        cells.append(cell)
        if cell.incompatible and config.run.on_incompatible == "error":
            problems.append(f"{request.where}: cell {cell.label}: {cell.incompatible}")
    if problems:
        hint = "\n  (on_incompatible: skip keeps such cells in the tables, as n/a with the reason)"
        raise ConfigError("\n".join(problems) + hint)
    _refuse_twins(cells, config)
    cells = _told_apart(_shortly_named(cells))
    references = {r.id: r for r in (_reference(c, registry) for c in cells) if r is not None}
    return Plan(
        config.run.name,
        tuple(cells),
        tuple(references.values()),
        tuple(seeds) or config.run.seeds,
        device,
    )


def check_sources(specs: Iterable[Spec], registry: Registry) -> None:
    """Raise GanbenchError where a plugin is no longer the one that the plan was made with."""
    for spec in specs:
        now = registry.lookup(spec.kind, spec.name).source.identity
        if now != spec.source:
            raise GanbenchError(
                f"{spec.kind} '{spec.name}' was planned with {spec.source}, and {now} is what is "
                "installed; install the former again, or start a new run"
            )


def num_parameters(cell: Cell, registry: Registry) -> tuple[int, int]:
    """Trainable parameters of the generator and of the discriminator; nothing is allocated."""
    parts = Parts.of(cell, registry)
    with torch.device("meta"):
        networks = parts.networks(cell)
    return tuple(sum(p.numel() for p in net.parameters()) for net in networks)  # type: ignore[return-value]


def slug(text: str) -> str:
    """A part of a file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:80]


def _resolve(
    request: CellRequest, registry: Registry, device: str, buildable: dict[str, str | None]
) -> Cell:
    """`buildable` keeps what is found of networks that many cells share."""
    asked = request.settings
    dataset = _spec(asked.dataset, registry)
    losses = tuple(_spec(choice, registry) for choice in (asked.loss, *asked.regularizers))
    axes = _axes(request)
    cell = Cell(
        label=_label(axes),
        axes=axes,
        dataset=dataset,
        loss=losses[0],
        regularizers=losses[1:],
        g_conditioning=_spec(asked.conditioning.generator, registry),
        d_conditioning=_spec(asked.conditioning.discriminator, registry),
        architecture=_spec(asked.architecture, registry),
        transforms=tuple(_spec(choice, registry) for choice in asked.transforms),
        g_norm=asked.g_norm or "none",
        d_norm=asked.d_norm or "none",
        schedule=_schedule(request, registry, device),
        num_samples=asked.evaluation.num_samples,
        metrics=(metrics := _metrics(request, registry)),
        extractors=_extractors(dataset, metrics, registry),
    )
    parts = Parts.of(cell, registry)
    try:
        g_norm, d_norm = _norms(parts, asked.g_norm, asked.d_norm)
        _check(parts, cell.schedule.batch_size)
        cell = dataclasses.replace(cell, g_norm=g_norm, d_norm=d_norm)
        _check_networks(parts, cell, buildable)
    except Incompatible as error:
        return dataclasses.replace(cell, incompatible=str(error))
    return cell


def _axes(request: CellRequest) -> dict[str, str]:
    """What names a cell in tables: its parts, and whatever else the matrix varies."""
    asked = request.settings
    axes = {
        "dataset": asked.dataset.label,
        "loss": asked.loss.label,
        "conditioning": asked.conditioning.label,
        "architecture": asked.architecture.label,
    }
    for axis in ("regularizers", "transforms"):
        chosen: tuple[Choice, ...] = getattr(asked, axis)
        if chosen or axis in request.axes:
            axes[axis] = "+".join(choice.label for choice in chosen) or "none"
    others = {key: value for key, value in request.axes.items() if key not in axes}
    return {**axes, **{key: f"{key.rpartition('.')[2]}={v}" for key, v in others.items()}}


def _spec(choice: Choice, registry: Registry) -> Spec:
    built = registry.build(choice.kind, choice.name, choice.options)
    source = registry.lookup(choice.kind, choice.name).source.identity
    options = {f.name: getattr(built, f.name) for f in dataclasses.fields(built) if f.init}
    return Spec(choice.kind, choice.name, options, source)


def _metrics(request: CellRequest, registry: Registry) -> tuple[Spec, ...]:
    """A metric's open `features` becomes the data set's own extractor."""
    dataset = registry.lookup("dataset", request.settings.dataset.name).cls
    specs = []
    for choice in request.settings.evaluation.metrics:
        spec = _spec(choice, registry)
        if "features" in spec.options:
            chosen = spec.options["features"] or dataset.features  # type: ignore[attr-defined]
            if chosen is None:
                raise ConfigError(
                    f"{request.where}: data set '{request.settings.dataset.name}' has no feature "
                    f"extractor of its own for metric '{spec.name}'; name one, as in "
                    f"{spec.name}@pixels\n  known: {', '.join(registry.names('feature extractor'))}"
                )
            registry.lookup("feature extractor", chosen)
            spec = dataclasses.replace(spec, options={**spec.options, "features": chosen})
        specs.append(spec)
    return tuple(specs)


def _extractors(dataset: Spec, metrics: Sequence[Spec], registry: Registry) -> tuple[Spec, ...]:
    judge = registry.lookup("dataset", dataset.name).cls.judge  # type: ignore[attr-defined]
    names = dict.fromkeys([judge, *(metric.options.get("features") for metric in metrics)])
    return tuple(
        _spec(FeatureExtractorChoice(name=name), registry) for name in names if name is not None
    )


def _schedule(request: CellRequest, registry: Registry, device: str) -> Schedule:
    training = request.settings.training
    recipe = registry.lookup("loss", request.settings.loss.name).cls.recipe  # type: ignore[attr-defined]
    fields = ("n_critic", "optimizer", "g_lr", "d_lr", "betas")
    chosen = {name: getattr(training, name) for name in fields}
    return Schedule(
        batch_size=training.batch_size,
        kimg=training.budget.kimg,
        ema=training.ema,
        precision=_precision(request, registry, device),
        channels_last=training.channels_last,
        log_every=training.log_every,
        **{k: getattr(recipe, k) if v is None else v for k, v in chosen.items()},
    )


def _precision(request: CellRequest, registry: Registry, device: str) -> Precision:
    """For points, `auto` is float32: coordinates need more than bfloat16's eight bits."""
    asked, dataset = request.settings.training.precision, request.settings.dataset
    spec = registry.build("dataset", dataset.name, dataset.options).image_spec()
    if asked == "auto" and spec.resolution == 1:
        return "float32"
    return machine.resolve_precision(asked, device)


def _norms(parts: Parts, g_asked: str | None, d_asked: str | None) -> tuple[str, str]:
    offered = parts.architecture.g_norms or ("none",)
    if g_asked is not None and g_asked not in offered:
        raise Incompatible(
            f"architecture '{parts.architecture.name}' offers g_norm {quoted(offered)}, "
            f"not '{g_asked}'"
        )
    g_norm = g_asked or offered[0]
    return g_norm, resolve_d_norm(d_asked, parts.architecture, parts.losses)


def resolve_d_norm(asked: str | None, architecture: Architecture, losses: Sequence[Loss]) -> str:
    """The discriminator's norm: as asked, else the architecture's first that the losses allow."""
    offered = architecture.d_norms or ("none",)
    penalised = [loss.name for loss in losses if loss.input_gradients]
    allowed = [n for n in offered if not penalised or n in models.PER_SAMPLE]
    if asked is not None and asked not in offered:
        raise Incompatible(
            f"architecture '{architecture.name}' offers d_norm {quoted(offered)}, not '{asked}'"
        )
    if not allowed:
        raise Incompatible(
            f"loss '{penalised[0]}' takes per-image gradients, but architecture "
            f"'{architecture.name}' only offers d_norm {quoted(offered)}"
        )
    if asked is None:
        return allowed[0]
    if asked not in allowed:
        raise Incompatible(
            f"loss '{penalised[0]}' takes per-image gradients, which d_norm '{asked}' mixes "
            f"across the batch; use {quoted(allowed)}, or leave d_norm out to get the first of "
            "these"
        )
    return asked


def _check(parts: Parts, batch_size: int) -> None:
    """Raise Incompatible with the first reason why these parts don't fit together."""
    image = parts.image
    if why := parts.architecture.unsupported(image):
        raise Incompatible(f"architecture '{parts.architecture.name}': {why}")
    adversarial, *others = parts.losses
    if isinstance(adversarial, Regularizer):
        raise Incompatible(
            f"'{adversarial.name}' is a regularizer; it goes beside a loss, not alone"
        )
    for other in others:
        if not isinstance(other, Regularizer):
            raise Incompatible(f"'{other.name}' is a loss of its own, and a cell has exactly one")
    _check_labels(parts, image.num_classes)
    _check_transforms(parts, batch_size)
    with torch.device("meta"):
        side = parts.g_conditioning.generator(parts.architecture.latent_dim, image.num_classes or 1)
    if side.needs_norm_layers and not parts.architecture.g_norms:
        raise Incompatible(
            f"conditioning '{parts.g_conditioning.name}' enters the generator through norm layers, "
            f"and architecture '{parts.architecture.name}' has none; use {{generator: concat, "
            f"discriminator: {parts.d_conditioning.name}}}"
        )


def _check_networks(parts: Parts, cell: Cell, buildable: dict[str, str | None]) -> None:
    """That they can be made at all: a third party's may refuse options in ways of its own."""
    specs = (cell.dataset, *cell.trained_specs())
    key = json.dumps([*map(dataclasses.asdict, specs), cell.g_norm, cell.d_norm], default=str)
    if key not in buildable:
        try:
            with torch.device("meta"):
                parts.networks(cell)
            buildable[key] = None
        except Exception as error:
            buildable[key] = f"its networks cannot be built: {type(error).__name__}: {error}"
    if why := buildable[key]:
        raise Incompatible(why)


def _check_transforms(parts: Parts, batch_size: int) -> None:
    image = parts.image
    for transform in parts.transforms:
        if why := transform.unsupported(image, batch_size):
            raise Incompatible(f"transform '{transform.name}': {why}")
        image = transform.image_spec(image)
        if transform.per_sample:
            continue
        for loss in parts.losses:
            if loss.input_gradients:
                raise Incompatible(
                    f"loss '{loss.name}' takes per-image gradients, and transform "
                    f"'{transform.name}' makes one input of several images"
                )
        if parts.d_conditioning.needs_labels:
            raise Incompatible(
                f"conditioning '{parts.d_conditioning.name}' tells D the label of each image, and "
                f"transform '{transform.name}' makes one input of several images; use "
                "{generator: ..., discriminator: none}"
            )
    if why := parts.architecture.unsupported(image):
        raise Incompatible(f"architecture '{parts.architecture.name}', after transforms: {why}")


def _check_labels(parts: Parts, num_classes: int) -> None:
    sides = (parts.g_conditioning, parts.d_conditioning)
    if not num_classes:
        kinds = [("conditioning", c) for c in sides] + [("loss", x) for x in parts.losses]
        for kind, part in kinds:
            if part.needs_labels:
                raise Incompatible(
                    f"{kind} '{part.name}' needs labels, and data set '{parts.dataset.name}' has "
                    "none; use conditioning none"
                )
    for loss in parts.losses:
        if loss.needs_class_logits and not parts.d_conditioning.gives_class_logits:
            raise Incompatible(
                f"loss '{loss.name}' needs class logits, and conditioning "
                f"'{parts.d_conditioning.name}' gives none"
            )


def _reference(cell: Cell, registry: Registry) -> Reference | None:
    dataset = cell.dataset.build(registry)
    if "test" not in dataset.splits:
        return None
    return Reference(
        f"real test set ({cell.dataset.name})",
        {"dataset": cell.axes.get("dataset", cell.dataset.name)},
        cell.dataset,
        cell.num_samples,
        cell.metrics,
    )


def _refuse_twins(cells: Sequence[Cell], config: Config) -> None:
    seen: dict[str, str] = {}
    for cell, request in zip(cells, config.cells, strict=True):
        if cell.id in seen and not cell.incompatible:
            raise ConfigError(
                f"{request.where}: cell {cell.label} is the same as cell {seen[cell.id]}: all "
                "their settings are equal"
            )
        seen[cell.id] = cell.label


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
        dataclasses.replace(cell, axes=axes, label=_label(axes, several))
        for cell, axes in zip(cells, renamed, strict=True)
    ]


def _label(axes: Mapping[str, str], several_datasets: bool = False) -> str:
    """The values of the axes; the data set's only where there are several."""
    shown = (v for axis, v in axes.items() if several_datasets or axis != "dataset")
    return "/".join(shown)


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that an include rule made differ in no axis get the start of their ids as a name."""
    labels = Counter(cell.label for cell in cells)
    return [
        cell
        if labels[cell.label] == 1
        else dataclasses.replace(cell, label=f"{cell.label}#{cell.id[:4]}")
        for cell in cells
    ]


def _digest(value: Any, without: Sequence[str]) -> str:
    kept = {k: v for k, v in dataclasses.asdict(value).items() if k not in without}
    try:
        text = json.dumps(kept, sort_keys=True, allow_nan=False)
    except TypeError as error:
        raise GanbenchError(
            f"an option of cell {value.label} is not plain data: {error}"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()[:10]
