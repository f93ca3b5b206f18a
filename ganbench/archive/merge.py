"""Several runs as one: the union of their trials, by equal ids of cells and seeds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ganbench.archive import agreement, naming
from ganbench.archive.agreement import Found, Key
from ganbench.archive.long_form import write_records
from ganbench.errors import RunError
from ganbench.records import platforms, run_folder
from ganbench.records.cells import Cell, Plan, Reference, slug
from ganbench.records.run_folder import TRIALS, Run, Trial
from ganbench.records.run_info import Execution, Machine, Part, Provenance, RunInfo
from ganbench.records.status import Status
from ganbench.util import files

PARTS = "parts"
OF_A_RUN = (run_folder.SOURCE, run_folder.PARENT, run_folder.RESOLVED)
BEST_FIRST = (Status.OK, Status.DIVERGED, Status.FAILED, Status.TIMEOUT)
NOT_COPIED = (
    run_folder.JOB, run_folder.OPEN_WINDOW, run_folder.FORESEEN, "checkpoint.pt",
)  # fmt: skip


def read(places: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Return the runs that these folders are or hold, each once, and what is damaged, told.

    Raises RunError for what is no folder or holds no run, and where no run is whole.
    """
    runs: dict[Path, Run] = {}
    damaged: dict[str, None] = {}
    for place in places:
        found = folders(place)
        if not found:
            Run.read(place)  # which says what it is instead
        for directory in found:
            try:
                runs.setdefault(directory.resolve(), Run.read(directory))
            except RunError as error:
                damaged[str(error)] = None
    if not runs:
        raise RunError("; ".join(damaged))
    return list(runs.values()), list(damaged)


def folders(place: Path) -> list[Path]:
    """Return the folder, where it is a run's, whole or not, or those of the runs below it."""
    if any((place / name).exists() for name in (run_folder.RUN, run_folder.PLAN, TRIALS)):
        return [place]
    return run_folder.below(place)


def merged(runs: Sequence[Run], damaged: Sequence[str] = (), *, first_wins: bool = False) -> Run:
    """Return runs as one, whose trials stay where they are; a single one is returned as it is.

    Raises RunError where they cannot stand in one table: data or protocols differ, or trials of one
    cell and seed do, unless of these the first is to win.
    """
    if len(runs) == 1:
        return replace(
            runs[0], info=replace(runs[0].info, left_out=(*runs[0].info.left_out, *damaged))
        )
    cells, references = naming.together(
        (cell for run in runs for cell in run.plan.cells),
        (reference for run in runs for reference in run.plan.references),
    )
    subjects: dict[str, Cell | Reference] = {cell.id: cell for cell in cells}
    subjects |= {reference.id: reference for reference in references}
    found = _found(runs, subjects)
    agreement.check(found, first_wins=first_wins)
    chosen = {key: _best(same) for key, same in found.items()}
    ended = {key: one for key, one in chosen.items() if one.outcome.status is not Status.UNFINISHED}
    if not ended:
        raise RunError(
            f"{', '.join(str(run.directory) for run in runs)}: no trial of them has a result"
        )
    open_ones = [one for key, one in chosen.items() if key not in ended]
    plan = _plan(runs, cells, references, ended)
    return _as_one(runs, plan, ended, [*damaged, *_unfinished(open_ones)])


def _found(runs: Sequence[Run], subjects: Mapping[str, Cell | Reference]) -> dict[Key, list[Found]]:
    found: dict[Key, list[Found]] = {}
    for run in runs:
        parts = {
            trial: bare
            for part in run.info.parts
            for bare in [replace(part, trials=(), platform="")]
            for trial in part.trials
        }
        whole = _part(run.info)
        for outcome in run.outcomes():
            trial = outcome.trial
            dataset = subjects[trial.subject.id].axes.get("dataset", "")
            one = Found(run, parts.get(trial.id, whole), outcome, dataset)
            found.setdefault((trial.subject.id, trial.seed), []).append(one)
    return found


def _part(info: RunInfo) -> Part:
    return Part(
        id=info.id,
        name=info.name,
        created=info.created,
        config_sha256=info.config_sha256,
        profile=info.profile,
        overrides=info.overrides,
        threads=info.execution.threads,
        jobs=info.execution.jobs,
        own_gpus=info.execution.own_gpus,
        jobs_reason=info.execution.jobs_reason,
        machine=info.machine,
        provenance=info.provenance,
    )


def _best(same: Sequence[Found]) -> Found:
    """Return the first that is ok, or else came to the best end that any did."""
    for status in BEST_FIRST:
        for one in same:
            if one.outcome.status is status:
                return one
    return same[0]


def _unfinished(found: Sequence[Found]) -> Iterator[str]:
    for one in found:
        if why := one.outcome.reason:
            yield f"{one.name}: {why}"
    names: dict[Path, list[str]] = {}
    for one in found:
        if not one.outcome.reason:
            names.setdefault(one.run.directory, []).append(one.name)
    for directory, those in names.items():
        yield f"{directory}: without a result: {', '.join(those)}"


def _plan(
    runs: Sequence[Run],
    cells: Sequence[Cell],
    references: Sequence[Reference],
    ended: Mapping[Key, Found],
) -> Plan:
    seeds_of: dict[str, list[int]] = {}
    for subject, seed in sorted(ended):
        seeds_of.setdefault(subject, []).append(seed)
    kept = tuple(cell for cell in cells if cell.id in seeds_of)
    seeds = tuple(sorted({seed for cell in kept for seed in seeds_of[cell.id]}))
    return Plan(
        name=platforms.SEVERAL.join(dict.fromkeys(run.plan.name for run in runs)),
        cells=kept,
        references=tuple(one for one in references if one.id in seeds_of),
        seeds=seeds or (0,),
        device=platforms.SEVERAL.join(dict.fromkeys(run.plan.device for run in runs)),
        seeds_of={cell.id: tuple(seeds_of[cell.id]) for cell in kept},
    )


def _as_one(
    runs: Sequence[Run], plan: Plan, ended: Mapping[Key, Found], left_out: Sequence[str]
) -> Run:
    first = runs[0].info
    trials = Run(Path(), RunInfo(execution=_execution(runs)), plan).trials
    order: list[tuple[Part, list[str]]] = []
    for trial in trials:
        part = ended[trial.subject.id, trial.seed].part
        mine = next((ids for known, ids in order if known == part), None)
        if mine is None:
            order.append((part, mine := []))
        mine.append(trial.id)
    named = {
        trial.id: replace(ended[trial.subject.id, trial.seed].outcome, trial=trial)
        for trial in trials
    }
    parts = platforms.named([replace(part, trials=tuple(ids)) for part, ids in order])
    return Run(
        _directory(runs),
        RunInfo(
            id=f"{plan.name}-{plan.id}-merged",
            name=plan.name,
            plan=plan.id,
            created=max(run.info.created for run in runs),
            cwd=first.cwd,
            config=first.config if _one_source(runs) else "",
            config_sha256=first.config_sha256 if _one_source(runs) else "",
            profile=first.profile if _one_source(runs) else None,
            execution=_execution(runs),
            gate=first.gate if all(run.info.gate == first.gate for run in runs) else {},
            reporters=first.reporters,
            machine=_machine(parts),
            provenance=_provenance(parts),
            data={k: data for run in reversed(runs) for k, data in run.info.data.items()},
            parts=parts,
            reused=dict(_reused(trials, ended)),
            left_out=tuple(
                dict.fromkeys([*(t for run in runs for t in run.info.left_out), *left_out])
            ),
        ),
        plan,
        {
            trial: replace(named[trial], run=part.id, platform=part.platform)
            for part in parts
            for trial in part.trials
        },
    )


def _reused(trials: Sequence[Trial], ended: Mapping[Key, Found]) -> Iterator[tuple[str, str]]:
    for trial in trials:
        found = ended[trial.subject.id, trial.seed]
        if source := found.run.info.reused.get(found.outcome.trial.id):
            yield trial.id, source


def _one_source(runs: Sequence[Run]) -> bool:
    """Whether all are of one benchmark file, as it is known by its content."""
    return len({(run.info.config_sha256, run.info.profile) for run in runs}) == 1


def _directory(runs: Sequence[Run]) -> Path:
    """Return where the file that all were asked by lies, or a name that leads nowhere."""
    return (
        runs[0].directory if _one_source(runs) else Path(", ".join(str(r.directory) for r in runs))
    )


def _execution(runs: Sequence[Run]) -> Execution:
    """Return how trials were run, without what only whoever trains needs.

    Why so many at a time is kept where all had the same reason; parts have each its own.
    """
    found = [run.info.execution for run in runs]
    reasons = {one.jobs_reason for one in found}
    return Execution(
        jobs=max(one.jobs for one in found),
        threads=found[0].threads,
        plugins=tuple(dict.fromkeys(p for one in found for p in one.plugins)),
        keep=found[0].keep,
        own_gpus=all(one.alone for one in found) and any(one.own_gpus for one in found),
        jobs_reason=reasons.pop() if len(reasons) == 1 else "",
    )


def _machine(parts: Sequence[Part]) -> Machine:
    first = parts[0].machine
    same = {name: value for name, value in vars(first).items()
            if all(getattr(part.machine, name) == value for part in parts)}  # fmt: skip
    texts = {
        name: platforms.SEVERAL.join(dict.fromkeys(getattr(p.machine, name) for p in parts))
        for name in ("platform", "cpu", "device", "device_name")
    }
    return Machine(**{**same, **texts})


def _provenance(parts: Sequence[Part]) -> Provenance:
    made = [part.provenance for part in parts]
    packages = dict.fromkeys(name for one in made for name in one.packages)
    return Provenance(
        ganbench=platforms.SEVERAL.join(dict.fromkeys(one.ganbench for one in made)),
        python=platforms.SEVERAL.join(dict.fromkeys(one.python for one in made)),
        packages={
            name: platforms.SEVERAL.join(
                dict.fromkeys(v for one in made if (v := one.packages.get(name)))
            )
            or None
            for name in packages
        },
        plugins=tuple(dict.fromkeys(plugin for one in made for plugin in one.plugins)),
        weights={name: text for one in made for name, text in one.weights.items()},
    )


def write(run: Run, runs: Sequence[Run], out: Path) -> Run:
    """Write a merged run, and return it as its folder has it.

    Files of trials are linked where the file system can, so that they take no room twice; removing
    the runs that they are of takes nothing away. Raises RunError where there is anything already.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise RunError(f"{out}: is there already; --out names a new or empty folder")
    try:
        for trial in run.trials:
            take(run.outcome(trial).directory, out / TRIALS / trial.id)
        for one in runs:
            _take_sources(one, out)
        if _one_source(runs):
            _copy_sources(runs[0].directory, out)
        run_folder.write_plan(out / run_folder.PLAN, run.plan)
        files.write_json(out / run_folder.RUN, asdict(run.info))  # last: now it is a run
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}") from error
    written = Run.read(out)
    write_records(written)
    return written


def take(source: Path, target: Path) -> None:
    """Bring a trial's folder, but for what only its own run goes on with."""
    if source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        ignore = shutil.ignore_patterns(*NOT_COPIED, ".*")
        shutil.copytree(source, target, copy_function=_link, ignore=ignore, dirs_exist_ok=True)


def _link(source: str, target: str) -> Any:
    """Give a file a second name, or copy it where that is not possible."""
    try:
        if not os.path.islink(source):
            os.link(source, target)
            return target
    except OSError:  # on another file system, say
        pass
    return shutil.copy2(source, target)


def _take_sources(run: Run, out: Path) -> None:
    """Keep what each part was asked by."""
    if run.info.parts:
        if (run.directory / PARTS).is_dir():
            shutil.copytree(run.directory / PARTS, out / PARTS, dirs_exist_ok=True)
        return
    _copy_sources(run.directory, out / PARTS / (slug(run.info.id) or "run"))


def _copy_sources(directory: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in OF_A_RUN:
        if (directory / name).is_file():
            shutil.copyfile(directory / name, target / name)


def check_not_merged(run: Run, what: str) -> None:
    """Raise RunError for a merged run, of which `what` cannot be done."""
    if run.info.parts:
        parts = ", ".join(part.id for part in run.info.parts)
        raise RunError(f"{run.directory}: merged of {parts}, and {what}; go to those runs")
