"""From a plan to finished tables: one directory and one process per trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ganbench.archive.long_form import write_records
from ganbench.archive.merge import check_not_merged
from ganbench.contracts.clusters import ClusterExecutor
from ganbench.contracts.executors import Executor, Resources, TrialRef
from ganbench.contracts.reporters import Reporter, own_copy, with_sections
from ganbench.errors import INTERRUPTIONS, GanbenchError, PluginError, RunError, place, told
from ganbench.pictures import progress
from ganbench.records import results, run_folder
from ganbench.records.report import Report
from ganbench.records.run_folder import Run, Trial, TrialOutcome
from ganbench.records.status import Status
from ganbench.registry.registry import Registry
from ganbench.runs import dealing, held_data, holding, leaving, ordering
from ganbench.runs.costs import Costs
from ganbench.training import checkpoints
from ganbench.util import files
from ganbench.util.process_settings import put_back

logger = logging.getLogger(__name__)

LEFTOVERS = (
    run_folder.RESULT, run_folder.END, run_folder.FORESEEN, run_folder.WINDOWS,
    run_folder.OPEN_WINDOW, run_folder.PROBES, run_folder.LOG, run_folder.JOB,
)  # fmt: skip


class Observer:
    """Told of a run's progress. This one keeps silent."""

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Hear which trials will be run, and how many are done already."""

    def finished(self, outcome: TrialOutcome) -> None:
        """Hear what came of a trial."""

    def ended(self) -> None:
        """Hear that no trial is left, or that the run was interrupted."""


def execute(
    run: Run, registry: Registry, observer: Observer | None = None, *, fail_fast: bool = False
) -> list[TrialOutcome]:
    """Run every trial that has no final result, keep results.csv true, and return all outcomes.

    When an exception passes through, a KeyboardInterrupt for one, workers are stopped and what is
    finished stays.
    """
    observer = observer or Observer()
    check_not_merged(run, "nothing is trained in it")
    with locked(run):
        outcomes = run.outcomes()
        asked = run.info.execution.executor
        executor: Executor = registry.build("executor", asked.name, asked.options)
        at_work = _still_at_work(executor, outcomes)
        _clean(run, [o for o in outcomes if o.trial.id not in at_work])
        held_data.note(run.directory, outcomes)
        costs, jobs = Costs.kept(), run.info.execution.jobs
        to_run = [o for o in outcomes if _is_to_run(o)]
        waiting = ordering.soonest_done(to_run, costs, jobs)
        if waiting and not isinstance(executor, ClusterExecutor):
            dealing.require_device(run)
        observer.began(run, [o.trial for o in waiting], len(run.trials) - len(waiting))
        began = time.monotonic()
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
        devices=dealing.gpus(
            run.plan.device,
            execution.jobs,
            run.plan.processes,
            named=execution.named_device,
            chosen=bool(execution.jobs_reason),
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
