"""Columns that were measured after a trial had ended, in a file beside its result.json."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic

from ganbench.records import results, stored
from ganbench.records.results import SCHEMA_VERSION, Environment, TrialResult
from ganbench.records.status import Status
from ganbench.util import files, sealed

ADDED = "added.json"

Redrawn = Literal["identical", "other", "unknown"]
"""Whether samples that were drawn again are the trial's own; unknown where it kept no SHA-256."""

_REDRAWN: dict[Redrawn, str] = {
    "identical": "identical to those that were judged before",
    "other": "not to the bit those that were judged before, as on another platform",
    "unknown": "of which nothing tells whether they are those that were judged before",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """Who added columns, and when."""

    when: str  #: as ISO 8601 has it, UTC
    argv: tuple[str, ...]
    redrawn: Redrawn
    to: str  #: SHA-256 of the samples that the trial was judged by, as it kept it


@dataclass(frozen=True)
class Addition:
    """Columns that were added at one time, with the versions and the device in `result`."""

    about: About
    result: TrialResult  #: no more than what was measured

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that have a value."""
        rows = (self.result.metrics, *(one.metrics for one in self.result.samplers.values()))
        found = (one.column.name for row in rows for one in row if one.value is not None)
        return tuple(dict.fromkeys(found))


def read(directory: Path, result: TrialResult) -> tuple[Addition, ...]:
    """Return what was added to a trial's result; nothing where it has another one by now.

    A damaged file costs what was added, and a warning says so.
    """
    path = directory / ADDED
    if result.status is not Status.OK or not path.is_file():
        return ()
    found = files.read_json(path)
    try:
        if not isinstance(found, dict) or not sealed.is_as_written(found):
            raise ValueError("no whole document, or its SHA-256 is another")
        added = tuple(map(_parsed, found["additions"]))
    except (KeyError, TypeError, ValueError, pydantic.ValidationError) as error:
        why = str(error).splitlines()[0]
        _log.warning("%s: damaged, and what was added to the trial is left out: %s", path, why)
        return ()
    return tuple(one for one in added if one.about.to == result.drawn)


def write(directory: Path, added: Sequence[Addition]) -> None:
    """Write all that was added to a trial."""
    plain = [{"about": vars(one.about), "result": one.result.plain()} for one in added]
    sealed.write_json(directory / ADDED, {"schema_version": SCHEMA_VERSION, "additions": plain})


def sentences(added: Iterable[Addition]) -> Iterator[str]:
    """Yield which columns were measured later, when, by which versions and of which samples."""
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for one in added:
        if not one.columns:
            continue
        ran_on = one.result.environment or Environment()
        key = (one.about.when[:10], ran_on.ganbench, ran_on.torch, _REDRAWN[one.about.redrawn])
        found.setdefault(key, {}).update(dict.fromkeys(one.columns))
    for (day, version, torch, redrawn), columns in found.items():
        yield (
            f"{', '.join(columns)}: added on {day} with ganbench {version} and torch {torch}, of "
            f"samples drawn again, {redrawn}."
        )


def _parsed(found: dict[str, Any]) -> Addition:
    about = stored.typed(About, found["about"])
    return Addition(about, results.parsed(found["result"]))
