"""A trial of a submitted run, trained again here: from its plan, and nothing else of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import ganbench
from ganbench.archive import retrained, submission
from ganbench.archive.retrained import Compared
from ganbench.errors import ConfigError, GanbenchError, RunError
from ganbench.models.parts import check_sources
from ganbench.records import platforms, run_folder
from ganbench.records.cells import Cell, Plan
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.run_info import Execution, PluginChoice, Provenance, RunInfo
from ganbench.records.status import Status
from ganbench.registry import registry
from ganbench.runs import provenance, runner
from ganbench.util import files, machine

EXECUTOR = PluginChoice("local")


@dataclass(frozen=True)
class How:
    """How trials are trained again."""

    device: str = "auto"
    run_plugins: bool = False  #: whether the plugins of submissions may be imported
    plugins: tuple[str, ...] = ()  #: of --plugin
    tolerance: float = retrained.TOLERANCE


@dataclass(frozen=True)
class Retrained:
    """What training a trial again came to."""

    trial: str
    seed: int
    to_the_bit: bool  #: on the platform that it was submitted from
    numbers: tuple[Compared, ...]

    @property
    def unconfirmed(self) -> list[Compared]:
        """The numbers that are not confirmed."""
        return retrained.unconfirmed(self.numbers)


def retrain(run: Run, submitted: TrialOutcome, how: How, folder: Path) -> Retrained:
    """Train a trial of a submitted run again, in a new folder, and compare.

    Raises GanbenchError where it cannot be trained here, which says nothing of its numbers.
    """
    cell = submitted.trial.cell
    assert cell is not None
    plugins = (*how.plugins, *_brought(run, cell, how))
    found = registry.load(plugins)
    try:
        check_sources(cell.specs(), found)
    except GanbenchError as error:
        raise RunError(f"{run.directory}: {submitted.trial.id}: {error}") from error
    begun = _begun(run, submitted, how, folder, plugins)
    (again,) = runner.execute(begun, found)
    if again.status not in (Status.OK, Status.DIVERGED):
        raise RunError(
            f"{run.directory}: {submitted.trial.id} could not be trained here: {again.status}: "
            f"{again.reason or 'it has no result'}"
        )
    here = platforms.of_run(begun.info)
    same = here == retrained.platform_of(run, submitted)
    numbers = retrained.compared(
        run, submitted, again.result, to_the_bit=same, tolerance=how.tolerance
    )
    return Retrained(submitted.trial.id, submitted.trial.seed, same, tuple(numbers))


def _brought(run: Run, cell: Cell, how: How) -> list[str]:
    """Return the plugins of one file that a submission brings and its cell is made of."""
    sources = {spec.source for spec in cell.specs()}
    brought = [
        path
        for path in sorted((run.directory / submission.PLUGINS).glob("*.py"))
        if submission.identity_of(path) in sources
    ]
    if brought and not how.run_plugins:
        names = ", ".join(str(path) for path in brought)
        raise ConfigError(
            f"{run.directory}: {cell.label} is made of code that came with it ({names}), which "
            "runs with your rights: read it, and add --run-plugins where you trust it"
        )
    return [str(path.resolve()) for path in brought]


def _begun(
    run: Run, submitted: TrialOutcome, how: How, folder: Path, plugins: Sequence[str]
) -> Run:
    """Write the folder of a run that has this one trial."""
    trial = submitted.trial
    assert trial.cell is not None
    device = machine.resolve_device(how.device)
    plan = Plan(run.plan.name, (trial.cell,), (), (trial.seed,), device)
    part = next((part for part in run.info.parts if trial.id in part.trials), None)
    info = RunInfo(
        id=f"{run.info.id}-again",
        name=run.info.name,
        plan=plan.id,
        created=provenance.now(),
        cwd=os.getcwd(),
        execution=Execution(
            EXECUTOR,
            threads=part.threads if part else run.info.execution.threads,
            plugins=tuple(plugins),
            keep="numbers",
        ),
        machine=provenance.hardware(device),
        provenance=Provenance(
            ganbench=ganbench.__version__,
            python=platform.python_version(),
            packages={name: provenance.version(name) for name in provenance.PACKAGES},
        ),
    )
    try:
        (folder / run_folder.TRIALS).mkdir(parents=True, exist_ok=True)
        run_folder.write_plan(folder / run_folder.PLAN, plan)
        files.write_json(folder / run_folder.RUN, asdict(info))
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return Run.read(folder)
