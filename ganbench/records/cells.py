"""What a plan is made of: cells with nothing left open, and their plugins, built."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from ganbench.errors import GanbenchError
from ganbench.records.schedule import Control, Schedule

MAIN_AXES = ("dataset", "loss", "conditioning", "architecture")
"""What every cell is made of; a matrix may vary more."""


@dataclass(frozen=True)
class Spec:
    """A plugin with every option spelled out."""

    kind: str
    name: str
    options: dict[str, Any]
    source: str  # distribution and version


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

    def renamed(self, label: str, axes: Mapping[str, str]) -> Cell:
        """The same cell, as tables are to call it. Neither is in the id, which is kept."""
        other = dataclasses.replace(self, label=label, axes=dict(axes))
        vars(other)["id"] = self.id
        return other

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
    """Real images, judged like a generator's samples, to read the others by."""

    label: str
    axes: dict[str, str]
    control: Control
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


def _without_defaults(schedule: Schedule) -> dict[str, Any]:
    """A setting that came later has a default, and left at it changes no older cell's id."""
    return {
        field.name: value
        for field in dataclasses.fields(schedule)
        if (value := getattr(schedule, field.name)) != field.default
    }


def slug(text: str) -> str:
    """A part of a file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:80]


def _digest(value: Any, without: Sequence[str]) -> str:
    kept = {k: v for k, v in fields_of(value).items() if k not in without}
    if isinstance(value, Cell):
        kept["schedule"] = _without_defaults(value.schedule)
    return hashlib.sha256(canonical_json(kept, value.label).encode()).hexdigest()[:10]


def canonical_json(value: Any, label: str) -> str:
    """Canonical, dataclasses as the mappings of their fields."""
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, default=fields_of)
    except TypeError as error:
        raise GanbenchError(f"an option of cell {label} is not plain data: {error}") from error


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass as a mapping, one level deep; what JSON makes of values that it does not know."""
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"{value!r} is of type {type(value).__name__}")
    return {name: getattr(value, name) for name in _names(type(value))}  # type: ignore[arg-type]


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))
