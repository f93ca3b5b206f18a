"""From a benchmark file and the command line to a plan; nothing is written."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.cli.exit_codes import NothingSelected
from ganbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ganbench.config.benchmark_file import Config
    from ganbench.config.yaml_document import Document
    from ganbench.records.cells import Plan
    from ganbench.registry.registry import Registry


@dataclass(frozen=True)
class Loaded:
    registry: Registry
    config: Config
    plan: Plan
    plugins: tuple[str, ...]  # of --plugin, and of the file where it may name some


def load(
    file: Path,
    profile: str | None,
    overrides: Sequence[str],
    seeds: str | None,
    only: Sequence[str],
    plugins: Sequence[str],
    trusts_file: bool,
    device: str,
) -> Loaded:
    """Validate everything; write nothing."""
    from ganbench.config import benchmark_file
    from ganbench.registry import registry

    document = benchmark_file.read(file, profile=profile, overrides=overrides)
    asked = plugins_of(document, file, trusts_file)
    plugins = (*plugins, *asked)
    found = registry.load(plugins)  # imports torch; what is wrong with the file is said by now

    from ganbench.config import plan
    from ganbench.util import machine

    settings = benchmark_file.validated(document, found)
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    planned = plan.make(
        settings, found, device=machine.resolve_device(device), seeds=parse_seeds(seeds)
    )
    planned = _selected(planned, only)
    _check_data(planned, settings, found)
    for sentence in _missing_features(planned, found):
        print(f"warning: {sentence}", file=sys.stderr)
    return Loaded(found, settings, planned, plugins)


def plugins_of(document: Document, file: Path, trusts_file: bool) -> list[str]:
    """The code that a benchmark file asks to import; refused where nobody said it may."""
    from ganbench.config import benchmark_file

    asked = benchmark_file.plugins_of(document, file)
    if asked and not trusts_file:
        raise ConfigError(
            f"{document.where(('plugins',))}: this file asks to import code ({', '.join(asked)}); "
            "where you trust it, add --allow-config-plugins, or name the plugins with --plugin"
        )
    return asked


def parse_seeds(text: str | None) -> tuple[int, ...]:
    """`0,1,2` or `0-4`; None is empty."""
    if text is None:
        return ()
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"--seeds {text}: expected whole numbers like 0,1,2 or 0-4")
        if max(int(first), int(last or first)) >= 2**63 or int(last or first) - int(first) > 10_000:
            raise ConfigError(f"--seeds {text}: expected numbers below 2**63, and at most 10,000")
        seeds.extend(range(int(first), int(last or first) + 1))
    if not seeds:
        raise NothingSelected(f"--seeds {text}: no seed in it")
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds {text}: the same seed stands twice")
    return tuple(seeds)


def _check_data(planned: Plan, settings: Config, registry: Registry) -> None:
    """Refuse data that is missing or damaged before anything is written."""
    from ganbench.util import files

    seen = []
    for cell in planned.cells:
        if cell.incompatible or cell.dataset in seen:
            continue
        seen.append(cell.dataset)
        status = registry.build_spec(cell.dataset).status(files.data())
        if status.verified is False or not (status.present or status.on_use):
            raise DataError(
                f"{settings.place_of_dataset}: data set '{cell.dataset.name}' is not usable: "
                f"{status.location}: {status.note or 'missing'}"
            )
        if not status.present:
            print(
                f"data set '{cell.dataset.name}': {status.note or 'not here yet'} "
                f"({status.location})",
                file=sys.stderr,
            )


def _missing_features(planned: Plan, registry: Registry) -> Iterator[str]:
    """Which columns will be empty on this machine, before hours are spent on the others."""
    from ganbench.util import files

    asked = dict.fromkeys(
        (spec.name, json.dumps(spec.options)) for cell in planned.cells for spec in cell.extractors
    )
    for name, options in asked:
        if why := registry.build("feature extractor", name, json.loads(options)).missing(
            files.data()
        ):
            yield f"the columns of {name} will be empty: {why}"


def _selected(planned: Plan, only: Sequence[str]) -> Plan:
    """The cells that every --only admits; values joined by commas are alternatives."""
    cells = planned.cells
    for rule in only:
        axis, equals, values = rule.partition("=")
        axes = dict.fromkeys(name for cell in planned.cells for name in cell.axes)
        if not equals or axis not in axes:
            raise ConfigError(f"--only {rule}: expected AXIS=VALUE; the axes are {', '.join(axes)}")
        wanted = {_bare(value.strip(), axis) for value in values.split(",")}
        cells = tuple(cell for cell in cells if _bare(cell.axes.get(axis, ""), axis) in wanted)
        if not cells:
            known = dict.fromkeys(_bare(cell.axes.get(axis, ""), axis) for cell in planned.cells)
            raise NothingSelected(
                f"--only {rule}: leaves no cell; the values of {axis} are {', '.join(known)}"
            )
    references = tuple(r for r in planned.references if any(r.dataset == c.dataset for c in cells))
    return dataclasses.replace(planned, cells=cells, references=references)


def _bare(value: str, axis: str) -> str:
    """As the file has it: tables call a value of training.g_lr `g_lr=0.002`."""
    return value.removeprefix(f"{axis.rpartition('.')[2]}=")
