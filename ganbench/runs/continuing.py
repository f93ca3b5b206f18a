"""Finished models trained on: cells that begin where the trials of another run ended.

Such a trial kept the state of its training (`execution.keep_state`), and the cell that goes on from
it is the same but for its budget. What goes by the budget would have gone otherwise from the first
step on, and is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any

import torch

import ganbench
from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.losses import Loss
from ganbench.errors import ConfigError, DataChanged, RunError
from ganbench.models.parts import Parts
from ganbench.records.cells import CONTINUED, JUDGING, NAMES, Cell, Plan, canonical_json, fields_of
from ganbench.records.results import Environment
from ganbench.records.run_folder import STATE, TRIAL, Run, Trial, TrialOutcome
from ganbench.records.schedules import Schedule
from ganbench.records.status import Status
from ganbench.records.training_settings import Continued
from ganbench.registry.registry import Registry
from ganbench.runs.held_data import Held, check
from ganbench.training.changes import PROGRESS, has_progress, progress_buffers
from ganbench.training.checkpoints import DAMAGED, NAME, Checkpoints
from ganbench.training.state import PlainState, TrainerState
from ganbench.util import files

BUDGET = ("kimg", "continues")  # of the settings, what may differ
SHOWN = 5  # settings that differ


def planned(plan: Plan, directory: Path, registry: Registry) -> Plan:
    """Return the plan with each cell going on from where a run has trained the same one.

    Raises ConfigError for a cell that cannot, and RunError where the run did not keep its states.
    """
    run = Run.read(directory)
    if run.plan.device != plan.device:
        raise ConfigError(
            f"--continue {directory}: it was trained on {run.plan.device}, and this is planned for "
            f"{plan.device}; add --device {run.plan.device}"
        )
    cells = [
        cell if cell.incompatible else _continued(cell, run, plan.seeds, registry)
        for cell in plan.cells
    ]
    return replace(plan, cells=tuple(cells))


def kept(trial: Trial, directory: Path, held: Held) -> Checkpoints:
    """Return what keeps a trial's training from time to time, and goes on from there.

    A checkpoint of other data than `held` is refused.
    """
    return Checkpoints(
        directory / NAME,
        (directory / TRIAL).read_text("utf-8"),
        trial.checkpoint,
        asdict(held),
        lambda known: check(Held(**known), held),
    )


def state_of(continued: Continued, seed: int, held: Held) -> tuple[TrainerState, PlainState]:
    """Return the state that a trial of this seed ended in, and what was kept beside it.

    Raises DataChanged where `held` is not what it was trained on, and RunError where the state is
    not to be read, or of other versions.
    """

    def check(known: PlainState) -> None:
        if known["sha256"] != held.sha256:
            raise DataChanged(
                f"data set '{held.dataset}': not the data that {continued.run} was trained on: "
                f"{known['num_images']:,} images with SHA-256 {known['sha256'][:12]}…, and now "
                f"{held.num_images:,} with {held.sha256[:12]}…; put the former data back and "
                "`ganbench resume` goes on"
            )

    outcome = _outcome(Run.read(Path(continued.run)), continued.cell, seed)
    path = outcome.directory / STATE
    try:
        trial = files.read_text(outcome.directory / TRIAL)
        return Checkpoints(path, trial, check_data=check).read()
    except DAMAGED as error:
        raise RunError(f"{path}: not to be gone on from: {error}") from error


def going_by_the_budget(cell: Cell, registry: Registry) -> Iterator[str]:
    """Yield what of a training knows how long it is going to be."""
    for name, value in fields_of(cell.schedule).items():
        if any(schedule.goes_by_budget for schedule in _schedules(value)):
            yield f"training.{name}"
    parts = Parts.of(cell, registry)
    for one in parts.scheduled:
        if one.schedule.goes_by_budget:
            yield f"option {one.name} of '{getattr(one.plugin, 'name', '?')}'"
    for transform in filter(has_progress, parts.transforms):
        yield f"transform '{transform.name}'"
    with torch.device("meta"):
        generator, discriminator = parts.networks(cell)
        owned = parts.owned(discriminator)
    if any(map(progress_buffers, (generator, discriminator, *owned))):
        yield f"a buffer `{PROGRESS}` of its networks"
    asked: tuple[Loss | Conditioning, ...] = (*parts.losses, parts.d_conditioning)
    for plugin in asked:
        if _names_progress(type(plugin)):
            yield f"'{plugin.name}', which reads `step.{PROGRESS}`,"


def _continued(cell: Cell, run: Run, seeds: Sequence[int], registry: Registry) -> Cell:
    where = f"--continue {run.directory}: cell {cell.label}"
    mine = _but_for_budget(cell)
    same = [one for one in run.plan.cells if not one.incompatible and _but_for_budget(one) == mine]
    if not same:
        raise ConfigError(f"{where}: {_difference(cell, run.plan.cells)}")
    shorter = [one for one in same if one.schedule.images < cell.schedule.images]
    if not shorter:
        raise ConfigError(
            f"{where}: its budget of {cell.schedule.kimg:g} kimg is not larger than what it was "
            f"trained for there, {same[0].schedule.kimg:g} kimg; raise training.budget"
        )
    if found := next(going_by_the_budget(cell, registry), None):
        raise ConfigError(
            f"{where}: {found} goes by the budget: with a larger one the training would have been "
            "another from its first step on; train it anew"
        )
    before = max(shorter, key=lambda one: one.schedule.images)
    for seed in seeds:
        _check_kept(_outcome(run, before.id, seed))
    kimg = before.schedule.images / 1000
    continues = Continued(
        training=before.training_id,
        kimg=kimg,
        cell=before.id,
        label=before.label,
        run=str(run.directory.resolve()),
    )
    return replace(
        cell,
        label=f"{cell.label}/{continues.short}",
        axes={**cell.axes, CONTINUED: continues.short},
        schedule=replace(cell.schedule, continues=continues),
    )


def _but_for_budget(cell: Cell) -> str:
    return replace(cell, schedule=replace(cell.schedule, kimg=0.0, continues=None)).training_id


def _difference(cell: Cell, others: Iterable[Cell]) -> str:
    """Say in what a run's cell that is most like this one differs from it."""
    mine = _settings(cell)
    differing = {
        other.label: [name for name, value in _settings(other).items() if mine[name] != value]
        for other in others
    }
    label, names = min(differing.items(), key=lambda found: len(found[1]))
    listed = ", ".join(names[:SHOWN]) + ("…" if len(names) > SHOWN else "")
    return (
        "there is none in that run which differs in its budget alone; the one most like it, "
        f"{label}, differs in {listed}"
    )


def _settings(cell: Cell) -> dict[str, str]:
    """Return what decides a cell's training, as texts that compare."""
    found = {k: v for k, v in fields_of(cell).items() if k not in (*NAMES, *JUDGING)}
    training = fields_of(found.pop("schedule"))
    found |= {f"training.{k}": v for k, v in training.items() if k not in BUDGET}
    return {name: canonical_json(value, cell.label) for name, value in found.items()}


def _schedules(value: Any) -> Iterator[Schedule]:
    if isinstance(value, Schedule):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _schedules(part)
    elif is_dataclass(value):
        yield from _schedules(tuple(fields_of(value).values()))


def _names_progress(cls: type) -> bool:
    """Whether the code of any method of a class has an attribute of that name."""
    methods = (value for base in cls.__mro__ for value in vars(base).values())
    return any(PROGRESS in _names(m.__code__) for m in methods if inspect.isfunction(m))


def _names(code: CodeType) -> Iterator[str]:
    """Yield the attributes that some code names, and the functions and comprehensions in it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part)


def _outcome(run: Run, cell: str, seed: int) -> TrialOutcome:
    trials = {trial.seed: trial for trial in run.trials if trial.cell and trial.cell.id == cell}
    if seed not in trials:
        raise RunError(
            f"{run.directory}: it has no seed {seed}, only {', '.join(map(str, trials))}; name "
            "those with --seeds"
        )
    return run.outcome(trials[seed])


def _check_kept(outcome: TrialOutcome) -> None:
    """Raise RunError where a trial has not what another could go on from."""
    if outcome.status is not Status.OK:
        raise RunError(
            f"{outcome.directory}: it is {outcome.status.value}, and what is gone on from has to "
            "be ok"
        )
    if not (outcome.directory / STATE).is_file():
        raise RunError(
            f"{outcome.directory}: no {STATE}: the state of a training is kept where the file has "
            "execution.keep_state: true, as with --set execution.keep_state=true; run it so, and "
            "it can be gone on from"
        )
    made = outcome.result.environment or Environment()
    then, now = (made.ganbench, made.torch), (ganbench.__version__, str(torch.__version__))
    if then != now:
        raise RunError(
            f"{outcome.directory}: trained by ganbench {then[0]} with torch {then[1]}, and these "
            f"are {now[0]} and {now[1]}; a training goes on with the versions that it began with"
        )
