"""A run's trials see the same data: what the first saw is written down, and others are refused.

`data.json` in the run's folder has a line for each data set and split; checkpoints know theirs too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import pydantic

from ganbench.errors import DataChanged
from ganbench.records import cells, stored
from ganbench.records.run_folder import RUN, TrialOutcome
from ganbench.util import files

FILE, LOCK = "data.json", ".data.lock"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """The images of one split, as the run knows them."""

    dataset: str
    options: dict[str, Any]
    split: str  # as protocols call it
    sha256: str
    num_images: int

    @classmethod
    def of(cls, dataset: cells.Spec, split: str, sha256: str, num_images: int) -> Held:
        """Return what is known of a data set's split."""
        return cls(dataset.name, dataset.options, split, sha256, num_images)

    def is_of(self, other: Held) -> bool:
        """Whether both are the same split of the same data set, whatever the images."""
        mine, theirs = ((h.dataset, h.options, h.split) for h in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class _Split:
    """What a protocol says of a split."""

    num_images: int
    sha256: str


def hold(trial: Path, found: Held) -> None:
    """Write down what a trial's folder has found, the first time. Raises DataChanged for others."""
    run = trial.parent.parent
    if not (run / RUN).is_file():
        return  # a trial on its own
    with filelock.FileLock(run / LOCK):
        known = _read(run)
        for one in known:
            if one.is_of(found):
                check(one, found)
                return
        _write(run, [*known, found])


def hold_all(trial: Path, dataset: cells.Spec, seen: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold splits of a data set, as protocols name and describe them. Raises DataChanged."""
    for split, found in seen.items():
        hold(trial, Held.of(dataset, split, found["sha256"], found["num_images"]))


def check(known: Held, found: Held) -> None:
    """Raise DataChanged where the images are others."""
    if found.sha256 != known.sha256:
        raise DataChanged(
            f"data set '{known.dataset}': its data changed after the run began: "
            f"{known.num_images:,} images ({known.split}) with SHA-256 {known.sha256[:12]}…, and "
            f"now {found.num_images:,} with {found.sha256[:12]}…; put the former data back and "
            "`ganbench resume` goes on, or begin a new run of these with another --out"
        )


def note(run: Path, outcomes: Iterable[TrialOutcome]) -> None:
    """Write down what finished trials saw, where the run was begun before runs did so."""
    known = _read(run)
    before = len(known)
    for outcome in outcomes:
        for found in seen(outcome) if outcome.status.is_final else ():
            if not any(one.is_of(found) for one in known):
                known.append(found)
    if len(known) > before:
        _write(run, known)


def seen(outcome: TrialOutcome) -> Iterator[Held]:
    """Yield the splits that a trial's result tells of."""
    dataset, data = outcome.trial.subject.dataset, outcome.result.data
    if data and outcome.trial.cell:
        yield Held.of(dataset, "train", data.sha256, data.num_images)
    for protocol in outcome.result.protocols.values():
        try:
            real = stored.typed(dict[str, _Split], protocol["real"])
        except (KeyError, pydantic.ValidationError):  # of a metric of before, or damaged
            continue
        for name, split in real.items():
            yield Held.of(dataset, name, split.sha256, split.num_images)


def _read(run: Path) -> list[Held]:
    path = run / FILE
    if not path.exists():
        return []
    try:
        return stored.typed(list[Held], files.read_json(path))
    except pydantic.ValidationError:
        _log.warning("%s: damaged; what data the run began with is noted anew", path)
        return []


def _write(run: Path, known: Iterable[Held]) -> None:
    files.write_json(run / FILE, [asdict(one) for one in known])
