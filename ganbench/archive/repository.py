"""A repository of results, held to what `submit` writes: layout, schema, hashes; no code is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from ganbench.archive import merge, submission
from ganbench.errors import RunError
from ganbench.records import additions, run_folder
from ganbench.records.cells import Cell, Reference, as_written
from ganbench.records.results import protocol_id
from ganbench.records.run_folder import Run, Trial, TrialOutcome
from ganbench.records.status import Status
from ganbench.util import files, sealed

OF_A_RUN = {run_folder.RUN, run_folder.PLAN, *merge.OF_A_RUN}
OF_A_TRIAL = {run_folder.TRIAL, run_folder.RESULT, additions.ADDED, submission.PICTURE}
SEALED = (run_folder.RESULT, additions.ADDED)


def check(repository: Path) -> tuple[list[Path], list[str]]:
    """Return the submissions in a repository, and a sentence on each thing that is wrong.

    Raises RunError for what is no folder.
    """
    if not repository.is_dir():
        raise RunError(f"{repository}: there is no such folder; name a repository of results")
    problems = [f"{path}: is a link, and a repository has none" for path in _links(repository)]
    found = run_folder.below(repository)
    for directory in found:
        problems += [f"{directory}: {why}" for why in _problems(repository, directory)]
    return found, problems


def _links(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):  # which follows none
        yield from (p for name in [*folders, *names] if (p := Path(place, name)).is_symlink())


def _problems(repository: Path, directory: Path) -> Iterator[str]:
    try:
        run = Run.read(directory)
    except RunError as error:
        yield str(error).removeprefix(f"{directory}: ")
        return
    place = directory.relative_to(repository)
    if place != submission.place_of(run):
        yield f"lies elsewhere than its name and id say, which is {submission.place_of(run)}"
    if not _is_sealed(directory / run_folder.PLAN):
        yield f"{run_folder.PLAN} has no SHA-256, or not its own"
    yield from _strangers(run)
    yield from _told_of_machines(run)
    yield from submission.private_cells(run, folders_alone=True)
    yield from _outside(run)
    yield from _plugins(run)
    outcomes = run.outcomes()
    yield from submission.unfinished(outcomes)
    yield from submission.unsound(outcomes)
    for outcome in outcomes:
        if outcome.status is not Status.INCOMPATIBLE:
            yield from (f"{outcome.trial.id}: {why}" for why in _trial(outcome))


def _strangers(run: Run) -> Iterator[str]:
    """Say of each file that `submit` would not have written."""
    trials = {trial.id for trial in run.trials}
    for path in sorted(run.directory.rglob("*")):
        if path.is_dir():
            continue
        match path.relative_to(run.directory).parts:
            case (name,) if name in OF_A_RUN:
                known = True
            case (run_folder.TRIALS, trial, name) if trial in trials and name in OF_A_TRIAL:
                known = name != submission.PICTURE or submission.is_picture(path)
            case (submission.PLUGINS, name) if submission.A_FILE.fullmatch(name):
                known = path.stat().st_size <= submission.MOST_SOURCE
            case (merge.PARTS, _, name) if run.info.parts and name in merge.OF_A_RUN:
                known = True
            case _:
                known = False
        if not known:
            yield f"{path.relative_to(run.directory)} is none of the files of a submission"


def _told_of_machines(run: Run) -> Iterator[str]:
    """Say which files tell of folders of somebody's machine."""
    paths = [run.directory / name for name in OF_A_RUN]
    for path in [*paths, *run.directory.glob(f"{run_folder.TRIALS}/*/*.json")]:
        if path.is_file() and not path.is_symlink() and path.name != run_folder.PLAN:
            document = files.read_json(path) if path.suffix == ".json" else files.read_text(path)
            if found := submission.unclean(document, folders_alone=True):
                yield f"{path.relative_to(run.directory)} tells of folders: {', '.join(found[:3])}"


def _outside(run: Run) -> Iterator[str]:
    """Say which cells name files outside of the folder that they are trained in."""
    rows: tuple[Cell | Reference, ...] = (*run.plan.cells, *run.plan.references)
    for one in rows:
        for text in _texts(as_written(one)):
            if ".." in PurePath(text.replace("\\", "/")).parts:
                yield f"{one.label} names what lies outside: {text}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _plugins(run: Run) -> Iterator[str]:
    """Say which sources are not those that cells were made of, and which names lead to code."""
    named = run.info.execution.plugins
    if loose := [name for name in named if not name.startswith(f"{submission.HIDDEN}/")]:
        yield f"{run_folder.RUN} names code to import: {', '.join(loose)}"
    wanted = submission.sources_of(run.plan)
    for path in sorted((run.directory / submission.PLUGINS).glob("*.py")):
        is_read = path.is_file() and path.stat().st_size <= submission.MOST_SOURCE
        if is_read and (identity := submission.identity_of(path)) not in wanted:
            yield f"{submission.PLUGINS}: {identity} is no source of its cells"


def _trial(outcome: TrialOutcome) -> Iterator[str]:
    try:
        told = Trial.read(outcome.directory / run_folder.TRIAL)
    except RunError as error:
        yield str(error)
        return
    if (told.subject.id, told.seed) != (outcome.trial.subject.id, outcome.trial.seed):
        yield f"{run_folder.TRIAL} is of another cell or seed than the plan's"
    for name in SEALED:
        path = outcome.directory / name
        if path.exists() and not _is_sealed(path):
            yield f"{name} has no SHA-256, or not its own"
    for id, protocol in outcome.result.protocols.items():
        if id != protocol_id(protocol):
            yield f"protocol {id} is not what is spelled out, which is {protocol_id(protocol)}"


def _is_sealed(path: Path) -> bool:
    found = files.read_json(path)
    return isinstance(found, dict) and bool(found.get("sha256")) and sealed.is_as_written(found)
