"""The benchmark file: text in, validated settings out, and errors that say where."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydantic
from yaml.nodes import MappingNode, Node, ScalarNode

from ganbench.config import extending, matrix
from ganbench.config.choices import Choice, ConditioningChoice, in_label
from ganbench.config.matrix import combinations
from ganbench.config.schema import (
    ALL,
    AXES,
    CELL_KEYS,
    EXTENDS,
    RUN_KEYS,
    TOP_KEYS,
    CellSettings,
    RunSettings,
    section_of,
)
from ganbench.config.yaml_document import Document, Problems, plain
from ganbench.errors import ConfigError
from ganbench.records.cells import MAIN_AXES
from ganbench.registry.registry import Registry
from ganbench.util.messages import Loc, known, shown, suggestion, unknown_key
from ganbench.util.pydantic_errors import complaints

IMAGES = {  # options of data sets, of how pictures are prepared
    *("resolution", "channels", "crop", "crop_size", "filter", "background", "range", "draft"),
}
_HINTS = {
    "version": "; add version: 1",
    "name": "; add a short name, such as name: my_benchmark",
    **dict.fromkeys(AXES, "; set it at the top level, or list its values in the matrix"),
}


@dataclass(frozen=True)
class CellRequest:
    """A validated cell as asked for; nothing is resolved yet."""

    settings: CellSettings
    axes: dict[str, str]  # what the matrix decided, as tables show it
    where: str  # for errors that concern the combination


@dataclass(frozen=True)
class Config:
    """A benchmark file, validated: what concerns the run, and every cell that is asked for."""

    run: RunSettings
    cells: tuple[CellRequest, ...]
    document: Document  # after the profile and the overrides
    warnings: tuple[str, ...] = ()

    @property
    def place_of_dataset(self) -> str:
        """The place where the file names its data, as `file:line:column`."""
        own = self.document.child("dataset") is not None
        return self.document.where(("dataset",) if own else ("matrix", "dataset"))


def load(
    path: Path,
    registry: Registry,
    *,
    profile: str | None = None,
    overrides: Iterable[str] = (),
) -> Config:
    """Read and validate a benchmark file. Raises ConfigError with every problem found."""
    return validated(read(path, profile=profile, overrides=overrides), registry)


def parse(
    document: Document,
    registry: Registry,
    *,
    profile: str | None = None,
    overrides: Iterable[str] = (),
) -> Config:
    """Validate a document that is read already. Raises ConfigError with every problem found."""
    return validated(laid_over(document, profile, overrides), registry)


def read(path: Path, *, profile: str | None = None, overrides: Iterable[str] = ()) -> Document:
    """Return the benchmark file with the profile and the overrides laid over it, not validated."""
    return laid_over(extending.read(path), profile, overrides)


def laid_over(document: Document, profile: str | None, overrides: Iterable[str]) -> Document:
    """Return the document with the profile merged in, and each `a.b=value` of the overrides.

    Raises ConfigError for a profile that is not there and an override that is none.
    """
    document = _with_profile(document, profile)
    for assignment in overrides:
        document = document.with_override(assignment, flat=("matrix",))
    return document


def plugins_of(document: Document) -> list[str]:
    """Return what `plugins` names: modules, and files with the folder of the file that says so.

    Raises ConfigError where it is no list of texts.
    """
    named = document.data().get("plugins") or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ConfigError(
            f"{document.where(('plugins',))}: expected a list of Python files and modules, found "
            f"{shown(named)}"
        )
    folder = Path(document.file_of("plugins")).parent
    return [str(folder / name) if name.endswith(".py") else name for name in named]


def validated(document: Document, registry: Registry) -> Config:
    """Return the settings of a whole document. Raises ConfigError with every problem found."""
    document, gone = _with_images_as_before(document, registry)
    data = document.data()
    problems = Problems(document)
    for key in data:
        if key not in TOP_KEYS and not problems.are_many:
            problems.add((key,), unknown_key(key, TOP_KEYS))
    if EXTENDS in data:
        problems.add((EXTENDS,), f"{EXTENDS}: a file alone says what it extends; write it there")
    run = _run_settings(data, registry, problems)
    _spell_out_all(data, registry)
    asked, warnings = combinations(data, problems)
    base = {key: value for key, value in data.items() if key in CELL_KEYS}
    cells = list(_cells(base, asked, registry, problems))
    problems.raise_any()
    assert run is not None
    return Config(run, tuple(cells), document, (*gone, *warnings))


def _with_images_as_before(
    document: Document, registry: Registry
) -> tuple[Document, tuple[str, ...]]:
    """Let another data set that is only named prepare its images as the one before it.

    Also returns sentences of the options that are gone.
    """
    told = []
    for one in document.replaced:
        kept: dict[str, Node] = {}
        now = document.child("dataset", "name") if one.at == "dataset" and one.by_name else None
        stands = isinstance(now, ScalarNode) and now.value == one.after
        if stands and one.after in registry.names("dataset"):
            taken = registry.options_model("dataset", one.after).model_fields.keys() & IMAGES
            kept = {name: node for name, node in one.options.items() if name in taken}
            unset = {n: node for n, node in kept.items() if not document.child("dataset", n)}
            document = document.with_nodes("dataset", unset)
        told.append(one.told(kept))
    return document, tuple(filter(None, told))


def _with_profile(document: Document, profile: str | None) -> Document:
    """Without `profiles`, and with the chosen one merged in; all of them are checked for typos."""
    profiles = document.child("profiles")
    if profiles is not None and not isinstance(profiles, MappingNode):
        raise ConfigError(f"{document.where(('profiles',))}: expected a mapping of profiles")
    overlays = {key.value: node for key, node in profiles.value} if profiles else {}
    problems = Problems(document)
    for name, overlay in overlays.items():
        for loc, message in _unknown_settings(plain(overlay)):
            problems.add(("profiles", name, *loc), message)
            if problems.are_many:
                break
    problems.raise_any()
    document = document.without("profiles")
    if profile is None:
        return document
    if profile not in overlays:
        near = suggestion(profile, overlays)
        raise ConfigError(
            f"--profile {profile}: {document.name} has no such profile{near}{known(overlays)}"
        )
    return document.merged(overlays[profile])


def _unknown_settings(profile: Any) -> Iterator[tuple[Loc, str]]:
    if isinstance(profile, dict):
        sections = {**RunSettings.model_fields, **CellSettings.model_fields, "matrix": None}
        yield from _unknown_keys(profile, sections, ())
    else:
        yield (), f"expected a mapping of settings, found {shown(profile)}"


def _unknown_keys(
    data: Mapping[str, Any], fields: Mapping[str, Any], loc: Loc
) -> Iterator[tuple[Loc, str]]:
    for key, value in data.items():
        if key not in fields:
            yield (*loc, key), unknown_key(key, fields, loc)
        elif isinstance(value, dict) and (section := section_of(fields[key])):
            yield from _unknown_keys(value, section.model_fields, (*loc, key))


def _spell_out_all(data: dict[str, Any], registry: Registry) -> None:
    """`loss: all` in the matrix is every installed loss, with its defaults."""
    table = data.get("matrix")
    if isinstance(table, dict):
        for axis in MAIN_AXES:
            if table.get(axis) == ALL:
                table[axis] = registry.usable(axis)


def _run_settings(
    data: Mapping[str, Any], registry: Registry, problems: Problems
) -> RunSettings | None:
    settings = {key: value for key, value in data.items() if key in RUN_KEYS}
    run = _validated(RunSettings, settings, problems, lambda loc: loc)
    if run:
        _check_choice(run.execution.executor, ("execution", "executor"), registry, problems)
        for i, reporter in enumerate(run.reporters):
            _check_choice(reporter, ("reporters", i), registry, problems)
        for i, callback in enumerate(run.callbacks):
            _check_choice(callback, ("callbacks", i), registry, problems)
    return run


def _cells(
    base: dict[str, Any],
    combinations: Iterable[matrix.Combination],
    registry: Registry,
    problems: Problems,
) -> Iterator[CellRequest]:
    checked: set[tuple[str, Loc]] = set()
    for combination in combinations:
        cell = dict(base)
        for key, value in combination.items():
            _set(cell, key.split("."), value.value)

        written = partial(_written, combination=combination, cell=cell)
        settings = _validated(CellSettings, cell, problems, written)
        if problems.are_many:
            return
        if settings is None:
            continue
        for loc, choice in _choices(settings):
            place = written(loc)
            if (choice.kind, place) not in checked:
                checked.add((choice.kind, place))
                _check_choice(choice, place, registry, problems)
        axes = {
            key: _label(settings, key, value.value)
            for key, value in combination.items()
            if key in MAIN_AXES or value.loc[1] != "include"  # a rule's settings name no cell
        }
        yield CellRequest(settings, axes, problems.document.where(written(("loss",))))


def _set(cell: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Cells share what is below them, so the mappings on the way are copied."""
    for key in path[:-1]:
        below = cell.get(key, {})
        if not isinstance(below, dict):
            return  # validation will complain about what stands there instead
        cell[key] = dict(below)
        cell = cell[key]
    cell[path[-1]] = value


def _written(loc: Loc, combination: matrix.Combination, cell: Mapping[str, Any]) -> Loc:
    """Where a cell's value stands in the file; what is missing, where the combination stands."""
    for key, value in combination.items():
        path = tuple(key.split("."))
        if loc[: len(path)] == path:
            return (*value.loc, *loc[len(path) :])
    if loc[0] in cell or not combination:
        return loc
    places = [value.loc for value in combination.values()]
    return places[0][:3] if all(place[1] == "include" for place in places) else ("matrix",)


def _label(settings: CellSettings, axis: str, value: Any) -> str:
    chosen: Any = settings
    for key in axis.split("."):
        chosen = getattr(chosen, key)
    if axis in ("regularizers", "transforms"):
        return "+".join(choice.label for choice in chosen) or "none"
    return chosen.label if isinstance(chosen, Choice | ConditioningChoice) else in_label(value)


def _choices(cell: CellSettings) -> Iterator[tuple[Loc, Choice[Any]]]:
    yield ("dataset",), cell.dataset
    yield ("loss",), cell.loss
    for i, regularizer in enumerate(cell.regularizers):
        yield ("regularizers", i), regularizer
    for i, transform in enumerate(cell.transforms):
        yield ("transforms", i), transform
    yield ("conditioning", "generator"), cell.conditioning.generator
    if cell.conditioning.discriminator != cell.conditioning.generator:
        yield ("conditioning", "discriminator"), cell.conditioning.discriminator
    yield ("architecture",), cell.architecture
    for block, loc in (
        (cell.training, ("training",)),
        (cell.training.generator, ("training", "generator")),
        (cell.training.discriminator, ("training", "discriminator")),
    ):
        if block.optimizer:
            yield (*loc, "optimizer"), block.optimizer
    for i, metric in enumerate(cell.evaluation.metrics):
        yield ("evaluation", "metrics", i), metric
    for i, sampler in enumerate(cell.evaluation.samplers):
        yield ("evaluation", "samplers", i), sampler


def _check_choice(choice: Choice[Any], loc: Loc, registry: Registry, problems: Problems) -> None:
    for at, message in registry.problems(choice.kind, choice.name, choice.options):
        problems.add((*loc, *at), message)
    features = choice.options.get("features")
    if choice.kind == "metric" and isinstance(features, str):
        try:
            registry.extractor(features)
        except ConfigError as error:
            problems.add((*loc, "features"), str(error))


def _validated(
    model: type[Any],
    data: Mapping[str, Any],
    problems: Problems,
    written: Callable[[Loc], Loc],
) -> Any | None:
    """Return the model of `data` by JSON's rules, where a list is a tuple, or note its problems."""
    try:
        return model.model_validate_json(json.dumps(data))
    except pydantic.ValidationError as error:
        for loc, message in complaints(model, data, error):
            hint = _HINTS.get(str(loc[-1]), "") if message.endswith("is missing") else ""
            problems.add(written(loc), message + hint)
            if problems.are_many:
                break
    return None
