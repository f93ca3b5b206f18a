"""From a plan to finished tables: one directory and one process per trial."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ganbench.config.benchmark_file import Config
from ganbench.config.choices import Choice
from ganbench.contracts.clusters import ClusterExecutor
from ganbench.contracts.executors import Executor, Resources, TrialRef
from ganbench.contracts.reporters import Reporter, own_copy, spreadsheet_cell, with_sections
from ganbench.errors import INTERRUPTIONS, GanbenchError, PluginError, RunError, place, told
from ganbench.pictures import progress
from ganbench.records import results, run_folder
from ganbench.records.cells import Plan
from ganbench.records.report import Report
from ganbench.records.run_folder import Run, Trial, TrialOutcome
from ganbench.records.run_info import Execution, PluginChoice, RunInfo
from ganbench.records.status import Status
from ganbench.registry.registry import Registry
from ganbench.runs import held_data, holding, leaving, provenance
from ganbench.runs.costs import Costs
from ganbench.training import checkpoints
from ganbench.util import files, machine
from ganbench.util.process_settings import put_back

logger = logging.getLogger(__name__)

BEGINNING = (
    run_folder.TRIALS, run_folder.PLAN, run_folder.SOURCE, run_folder.PARENT, run_folder.RESOLVED,
)  # fmt: skip
LEFTOVERS = (
    run_folder.RESULT, run_folder.END, run_folder.FORESEEN, run_folder.WINDOWS,
    run_folder.OPEN_WINDOW, run_folder.PROBES, run_folder.LOG, run_folder.JOB,
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """How a run was asked for, beside its plan."""

    config: Config
    config_path: Path
    profile: str | None
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    jobs: int
    named_device: bool = False  #: whether one GPU was asked for by its number


class Observer:
    """Told of a run's progress. This one keeps silent."""

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Hear which trials will be run, and how many are done already."""

    def finished(self, outcome: TrialOutcome) -> None:
        """Hear what came of a trial."""

    def ended(self) -> None:
        """Hear that no trial is left, or that the run was interrupted."""


def create(directory: Path, planned: Plan, order: Order, registry: Registry) -> Run:
    """Make a run's directory, or take the same run's that is there already.

    Raises RunError where the directory holds anything else or cannot be written.
    """
    try:
        if directory.exists() and not directory.is_dir():
            raise RunError(f"{directory}: is a file; --out names a folder")
        if (directory / run_folder.RUN).exists():
            return _same(Run.read(directory), planned, order)
        there = [path.name for path in directory.iterdir()] if directory.exists() else []
    except OSError as error:
        raise RunError(f"{directory}: cannot be used: {error.strerror}") from error
    # A run that was killed at its very beginning left some of its own files, and nothing of worth.
    strangers = [name for name in there if name not in BEGINNING and not name.startswith(".")]
    if strangers:
        raise RunError(
            f"{directory}: not empty ({', '.join(sorted(strangers)[:3])}…) and no run of ganbench; "
            "name a new or empty folder with --out"
        )
    info = _info(planned, order, registry)
    try:
        (directory / run_folder.TRIALS).mkdir(parents=True, exist_ok=True)
        document = order.config.document
        files.write_text(directory / run_folder.SOURCE, document.text)
        if document.parent:
            files.write_text(directory / run_folder.PARENT, document.parent.text)
        files.write_text(directory / run_folder.RESOLVED, _yaml(document.data()))
        run_folder.write_plan(directory / run_folder.PLAN, planned)
        files.write_json(directory / run_folder.RUN, asdict(info))  # last: now it is a run
    except OSError as error:
        raise RunError(
            f"{directory}: cannot be written: {error.strerror}; name another folder with --out"
        ) from error
    return Run.read(directory)


def default_directory(name: str) -> Path:
    """results/NAME/DATE-TIME, made now, and counted on where that is taken."""
    stamp = provenance.now()[:19].replace(":", "").replace("T", "-")
    base = Path("results") / name / stamp
    for i in itertools.count(1):
        path = base if i == 1 else base.with_name(f"{stamp}-{i}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if not path.is_dir():  # a file stands in the way
                raise RunError(f"{path}: is a file; name a folder with --out") from None
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written: {error.strerror}; name another folder with --out"
            ) from error
        else:
            return path
    raise AssertionError("counting never ends")


def execute(
    run: Run, registry: Registry, observer: Observer | None = None, *, fail_fast: bool = False
) -> list[TrialOutcome]:
    """Run every trial that has no final result, keep results.csv true, and return all outcomes.

    When an exception passes through, a KeyboardInterrupt for one, workers are stopped and what is
    finished stays.
    """
    observer = observer or Observer()
    with locked(run):
        outcomes = run.outcomes()
        asked = run.info.execution.executor
        executor: Executor = registry.build("executor", asked.name, asked.options)
        at_work = _still_at_work(executor, outcomes)
        _clean(run, [o for o in outcomes if o.trial.id not in at_work])
        held_data.note(run.directory, outcomes)
        waiting = [o for o in outcomes if _is_to_run(o)]
        if waiting and not isinstance(executor, ClusterExecutor):
            _require_device(run)
        observer.began(run, [o.trial for o in waiting], len(run.trials) - len(waiting))
        costs, began = Costs(), time.monotonic()
        try:
            for number, outcome in enumerate(_run_trials(run, executor, waiting, at_work)):
                if number == 0 and (took := outcome.result.seconds.get("total")):
                    costs.learn_opening(asked.name, time.monotonic() - began - took)
                costs.learn(outcome)
                if not _is_to_run(outcome):
                    leaving.remove(outcome.directory, run.info.execution.keep)
                observer.finished(outcome)
                if fail_fast and not outcome.is_whole:
                    break
        finally:
            observer.ended()
            costs.keep()
            write_records(run)
    return run.outcomes()


def report(run: Run, registry: Registry, reporters: Sequence[Reporter]) -> Report:
    """Hand the run's results to the reporters, and what each adds to report.html to all.

    One that raises keeps no other from its work; then PluginError is raised, or RunError where the
    folder cannot be written.
    """
    problems: list[tuple[Reporter, BaseException]] = []
    costs, began = Costs(), time.monotonic()
    with put_back():
        found = with_sections(Report.of(run), reporters, lambda *problem: problems.append(problem))
    for reporter in reporters:
        try:
            with put_back():
                reporter.write(own_copy(found), run.directory)
        except (BrokenPipeError, *INTERRUPTIONS):  # whoever reads standard output has seen enough
            raise
        except BaseException as error:
            problems.append((reporter, error))
    if problems:
        raise _unreported(run, problems) from problems[0][1]
    costs.learn_closing(len(run.trials), time.monotonic() - began)
    costs.keep()
    return found


def _clean(run: Run, outcomes: Sequence[TrialOutcome]) -> None:
    """Remove what killed processes left: half-written files, and checkpoints of what is final."""
    files.remove_temporaries(run.directory)
    for outcome in outcomes:
        for folder in (outcome.directory, outcome.directory / progress.FOLDER):
            files.remove_temporaries(folder)
        if not _is_to_run(outcome):
            (outcome.directory / checkpoints.NAME).unlink(missing_ok=True)
            leaving.remove(outcome.directory, run.info.execution.keep)


def _is_to_run(outcome: TrialOutcome) -> bool:
    """Whether a trial has no result, or metrics that raised and are cheap to ask again.

    What was trained is in the checkpoint then; and a worker that died in a metric left its numbers.
    """
    kept = (outcome.directory / name for name in (checkpoints.NAME, run_folder.END))
    is_cheap = outcome.trial.cell is None or any(path.exists() for path in kept)
    return not outcome.status.is_final or (bool(outcome.result.errors) and is_cheap)


def _still_at_work(executor: Executor, outcomes: Sequence[TrialOutcome]) -> set[str]:
    """Return the ids of the trials that a command which has died left at work on a cluster."""
    unfinished = [_reference(o) for o in outcomes if _is_to_run(o)]
    with files.folder_put_back():
        found = {trial.id for trial in executor.still_at_work(unfinished)}
    if found:
        logger.warning("trials that are still at work and now waited for: %d", len(found))
    return found


def _run_trials(
    run: Run, executor: Executor, waiting: Sequence[TrialOutcome], at_work: Collection[str]
) -> Iterator[TrialOutcome]:
    execution = run.info.execution
    cwd = Path(run.info.cwd)
    if not cwd.is_dir():
        raise RunError(
            f"{run.directory}: it was begun in {cwd}, where its relative paths begin, and that "
            "folder is gone; make it again, or start a new run"
        )
    for outcome in waiting:
        if outcome.trial.id in at_work or _has_ended_since(outcome):
            continue
        outcome.directory.mkdir(parents=True, exist_ok=True)
        for name in LEFTOVERS:
            (outcome.directory / name).unlink(missing_ok=True)
        outcome.trial.write(outcome.directory / run_folder.TRIAL)
    trials = {outcome.trial.id: outcome.trial for outcome in waiting}
    references = [_reference(outcome) for outcome in waiting]
    resources = Resources(
        jobs=execution.jobs,
        threads=execution.threads,
        devices=_gpus(
            run.plan.device, execution.jobs, run.plan.processes, named=execution.named_device
        ),
        timeout_seconds=execution.timeout,
        cwd=cwd,
    )
    with files.folder_put_back():
        finished = executor.run(references, resources)
    try:
        for trial in _each(finished):
            yield _with_foreseen(run.outcome(trials[trial.id]))
    finally:
        close: Callable[[], None] | None = getattr(finished, "close", None)
        if close:
            close()


def _has_ended_since(outcome: TrialOutcome) -> bool:
    """Whether what a dead command left at work has ended after it was looked at."""
    is_open = outcome.status is Status.UNFINISHED
    return is_open and (outcome.directory / run_folder.RESULT).is_file()


def _reference(outcome: TrialOutcome) -> TrialRef:
    return TrialRef(outcome.directory.absolute(), outcome.trial.subject.label)


def _require_device(run: Run) -> None:
    """Raise RunError where the run's device is not here, before the first trial fails for it."""
    device, here = run.plan.device, machine.devices()
    if device not in here:
        name = run.info.machine.device_name
        raise RunError(
            f"{run.directory}: it was begun on {device} ({name}), and this machine has "
            f"{', '.join(here)}; go on with it where there is such a device, or begin a new run "
            "with another --out"
        )


def _with_foreseen(outcome: TrialOutcome) -> TrialOutcome:
    """Give a trial whose worker died in a metric the numbers that it had before."""
    found = results.read(outcome.directory / run_folder.FORESEEN)
    if outcome.status is not Status.FAILED or found.status is not Status.OK:
        return outcome
    *others, last = found.errors
    found = replace(found, errors=(*others, f"{last}: {outcome.reason}"))
    results.write(outcome.directory / run_folder.RESULT, found)
    return replace(outcome, result=found)


def _each(finished: Iterable[TrialRef]) -> Iterator[TrialRef]:
    """Yield what an executor yields; wherever it goes, this run's folder is found."""
    iterator = iter(finished)
    while True:
        with files.folder_put_back():
            trial = next(iterator, None)
        if trial is None:
            return
        yield trial


def _gpus(device: str, jobs: int, each: int = 1, *, named: bool = False) -> tuple[str, ...]:
    """Return the GPUs to deal out, where trials run side by side and there are several.

    `each`: how many a trial takes, which are dealt out as one. `named`: whether the device was
    asked for by its number, which then has all trials. Raises RunError where there are not as many.
    """
    if not device.startswith("cuda"):
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    here = [d.removeprefix("cuda:") for d in machine.devices() if d.startswith("cuda:")]
    names = visible.split(",") if visible else here
    if len(names) > len(here):
        raise RunError(
            f"CUDA_VISIBLE_DEVICES={visible}: names {len(names)} GPUs, and torch finds "
            f"{len(here)} of them; leave out those that are not there"
        )
    first = int(device.partition(":")[2] or 0)
    if each > 1 and first + each > len(names):
        raise RunError(
            f"execution.processes: {each} asks for GPUs {first} to {first + each - 1}, and there "
            f"are {len(names)}; lower it, or add --device cpu"
        )
    sets = [",".join(names[i : i + each]) for i in range(0, len(names) - each + 1, each)]
    return tuple(sets) if jobs > 1 and len(sets) > 1 and not (named or first) else ()


def _own_gpus(planned: Plan, order: Order) -> bool:
    """Return whether each of the trials at a time has GPUs to itself, of several."""
    dealt = _gpus(planned.device, order.jobs, planned.processes, named=order.named_device)
    return order.jobs <= len(dealt)


def _same(run: Run, planned: Plan, order: Order) -> Run:
    """Return the run that is gone on with, as it was begun; what else is asked now is warned of."""
    if run.plan.id != planned.id:
        raise RunError(
            f"{run.directory}: holds another run ('{run.plan.name}', plan {run.plan.id}; this is "
            f"plan {planned.id}); nothing was overwritten: name another folder with --out"
        )
    then, now = map(_beside_the_plan, (run.info, replace(run.info, **_as_asked(order, planned))))
    if others := [name for name, value in now.items() if then[name] != value]:
        logger.warning(
            "%s: goes on with %s as it was begun, which is not what is asked for now; name another "
            "folder with --out for that",
            run.directory,
            " and ".join(f"its {name}" for name in others),
        )
    return run


def _beside_the_plan(info: RunInfo) -> dict[str, str]:
    """Return what a run is begun with beside what decides its cells, as texts that compare."""
    execution = {
        k: v
        for k, v in asdict(info.execution).items()
        if k not in ("plugins", "threads", "own_gpus")
    }
    found = {"gate": info.gate, "reporters": list(map(asdict, info.reporters)), **execution}
    return {name: json.dumps(value, sort_keys=True, default=str) for name, value in found.items()}


def _as_asked(order: Order, planned: Plan) -> dict[str, Any]:
    """Return what the file and the command line say of a run beside its plan."""
    settings = order.config.run
    share = max(1, machine.cores() // order.jobs)
    return {
        "execution": Execution(
            executor=_choice(settings.execution.executor),
            jobs=order.jobs,
            threads=settings.execution.threads or share,
            timeout=settings.execution.timeout,
            checkpoint=settings.execution.checkpoint,
            keep=settings.execution.keep,
            keep_state=settings.execution.keep_state,
            named_device=order.named_device,
            own_gpus=_own_gpus(planned, order),
            plugins=tuple(map(_absolute, order.plugins)),
            callbacks=tuple(map(_choice, settings.callbacks)),
        ),
        "gate": settings.gate.model_dump(),
        "reporters": tuple(map(_choice, settings.reporters)),
    }


def _info(planned: Plan, order: Order, registry: Registry) -> RunInfo:
    created = provenance.now()
    return RunInfo(
        id=f"{planned.name}-{planned.id}-{created}",
        name=planned.name,
        plan=planned.id,
        created=created,
        cwd=os.getcwd(),
        config=str(order.config_path),
        config_sha256=hashlib.sha256(order.config.document.text.encode()).hexdigest(),
        extends=parent.name if (parent := order.config.document.parent) else None,
        profile=order.profile,
        overrides=order.overrides,
        machine=provenance.hardware(planned.device),
        provenance=provenance.describe(registry, order.config_path),
        **_as_asked(order, planned),
    )


def _choice(choice: Choice[Any]) -> PluginChoice:
    return PluginChoice(choice.name, choice.options)


def _absolute(plugin: str) -> str:
    """Return a plugin's file as every working directory finds it; modules stay as they are."""
    return str(Path(plugin).resolve()) if Path(plugin).is_file() else plugin


def write_records(run: Run) -> None:
    """results.csv, and in run.json the hashes of the data that trials have seen."""
    frame = run.frame()
    for name in frame.select_dtypes(exclude="number"):
        frame[name] = frame[name].map(spreadsheet_cell)
    files.write_atomically(
        run.directory / "results.csv",
        lambda path: frame.to_csv(path, index=False, lineterminator="\n"),
    )
    seen = {o.trial.subject.axes["dataset"]: o.result.data for o in run.outcomes()}
    run.remember_data({name: found for name, found in seen.items() if found})


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Be the only ganbench at work in a run's folder. Raises RunError where another one is."""
    try:
        with holding.held(run.directory):
            yield
    except OSError as error:
        raise _unwritable(run, error) from error


def _unreported(run: Run, problems: Sequence[tuple[Reporter, BaseException]]) -> GanbenchError:
    """Return what to raise once all other reporters have written theirs."""
    first = problems[0][1]
    if isinstance(first, OSError):
        return _unwritable(run, first)
    said = (f"reporter '{one.name}': {told(error)}{place(error)}" for one, error in problems)
    return PluginError("\n".join(said) + f"\n  (all else of {run.directory} is written)")


def _unwritable(run: Run, error: OSError) -> RunError:
    return RunError(
        f"{run.directory}: cannot be written: {(error.strerror or str(error)).lower()}; what is "
        f"finished is kept: once there is room, `ganbench resume {run.directory}` does the rest"
    )


def _yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
