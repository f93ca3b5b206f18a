"""A run's folder as it begins: the plan, the file that was asked for, and what machine it is on."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ganbench.config.benchmark_file import Config
from ganbench.config.choices import Choice
from ganbench.errors import RunError
from ganbench.records import run_folder
from ganbench.records.cells import Plan
from ganbench.records.run_folder import Run
from ganbench.records.run_info import Execution, PluginChoice, RunInfo
from ganbench.registry.registry import Registry
from ganbench.runs import at_once, provenance
from ganbench.util import files

logger = logging.getLogger(__name__)

BEGINNING = (
    run_folder.TRIALS, run_folder.PLAN, run_folder.SOURCE, run_folder.PARENT, run_folder.RESOLVED,
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """How a run was asked for, beside its plan."""

    config: Config
    config_path: Path
    profile: str | None
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    jobs: at_once.Jobs | None  #: of the command line, or of nobody
    named_device: bool = False  #: whether one GPU was asked for by its number


def create(directory: Path, planned: Plan, order: Order, registry: Registry) -> Run:
    """Make a run's directory, or take the same run's that is there already.

    Raises RunError where the directory holds anything else or cannot be written.
    """
    try:
        if directory.exists() and not directory.is_dir():
            raise RunError(f"{directory}: is a file; --out names a folder")
        if (directory / run_folder.RUN).exists():
            return _same(Run.read(directory), planned, order, registry)
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


def _same(run: Run, planned: Plan, order: Order, registry: Registry) -> Run:
    """Return the run that is gone on with, as it was begun; what else is asked now is warned of."""
    bought = run.info.bought  # seeds, since it was begun with this plan
    if planned.id not in (run.plan.id, bought.plan if bought else ""):
        raise RunError(
            f"{run.directory}: holds another run ('{run.plan.name}', plan {run.plan.id}; this is "
            f"plan {planned.id}); nothing was overwritten: name another folder with --out"
        )
    if not isinstance(order.jobs or order.config.run.execution.jobs, int):
        order = replace(order, jobs=run.info.execution.jobs)  # what was chosen then stays
    asked = replace(run.info, **_as_asked(order, planned, registry))
    then, now = map(_beside_the_plan, (run.info, asked))
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
        if k not in ("plugins", "threads", "own_gpus", "jobs_reason")
    }
    found = {"gate": info.gate, "reporters": list(map(asdict, info.reporters)), **execution}
    return {name: json.dumps(value, sort_keys=True, default=str) for name, value in found.items()}


def execution(order: Order, planned: Plan, registry: Registry) -> Execution:
    """Return how the trials of a plan are run."""
    settings = order.config.run
    shared = at_once.chosen(
        planned, registry, settings.execution, order.jobs, named=order.named_device
    )
    return Execution(
        executor=_choice(settings.execution.executor),
        jobs=shared.jobs,
        threads=shared.threads,
        timeout=settings.execution.timeout,
        checkpoint=settings.execution.checkpoint,
        keep=settings.execution.keep,
        keep_state=settings.execution.keep_state,
        named_device=order.named_device,
        own_gpus=shared.own_gpus,
        jobs_reason=shared.reason,
        plugins=tuple(map(_absolute, order.plugins)),
        callbacks=tuple(map(_choice, settings.callbacks)),
    )


def _as_asked(order: Order, planned: Plan, registry: Registry) -> dict[str, Any]:
    """Return what the file and the command line say of a run beside its plan."""
    settings = order.config.run
    return {
        "execution": execution(order, planned, registry),
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
        **_as_asked(order, planned, registry),
    )


def _choice(choice: Choice[Any]) -> PluginChoice:
    return PluginChoice(choice.name, choice.options)


def _absolute(plugin: str) -> str:
    """Return a plugin's file as every working directory finds it; modules stay as they are."""
    return str(Path(plugin).resolve()) if Path(plugin).is_file() else plugin


def _yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
