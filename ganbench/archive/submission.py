"""A run as others may have it: checked, and without what tells of a person or a machine's folders.

Code is none of it: of plugins their sources' SHA-256, as cells name them, and no log, no weights.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganbench.archive import merge
from ganbench.errors import GanbenchError, RunError
from ganbench.records import additions, results, run_folder
from ganbench.records.cells import Cell, Reference, as_written, slug
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status
from ganbench.util import files, sealed
from ganbench.util.messages import counted
from ganbench.util.picture_files import open_picture

PICTURE = "samples.png"
MOST_PICTURE = 2_000_000  # bytes
OWN = "ganbench "
HIDDEN = "…"
NOBODYS = {"root", "user", "admin", "ubuntu", "runner", "nobody", "localhost"}
"""Names of users and machines that tell of nobody."""
_PATH = re.compile(
    r"(?:file://|(?<![\w./:…-]))(?:[A-Za-z]:)?(?P<path>[\\/](?:[^\\/\s'\",:;()\[\]{}<>|]+[\\/])+)"
    r"(?=[^\\/\s'\",:;()\[\]{}<>|])"
)
"""Folders before a file's name; of an address on the web, which has // before it, nothing."""


@dataclass(frozen=True)
class Submission:
    """What would leave: files by their place, and what was taken out of them."""

    place: Path  #: below the repository
    texts: dict[str, str]
    pictures: dict[str, Path]
    removed: tuple[str, ...]
    notes: tuple[str, ...]  #: what whoever submits should know

    @property
    def names(self) -> list[str]:
        """The files, in order."""
        return sorted([*self.texts, *self.pictures])


class _Cleaner:
    """Takes folders, and the names of this user and machine, out of texts, and remembers which."""

    def __init__(self) -> None:
        names = [self._known(getpass.getuser), self._known(platform.node)]
        self._names = [name for name in names if len(name) > 2 and name not in NOBODYS]
        self.removed: dict[str, None] = {}

    @staticmethod
    def _known(find: Callable[[], str]) -> str:
        try:
            return find()
        except (OSError, KeyError, ImportError):  # a user without a name, as in containers
            return ""

    def text(self, text: str) -> str:
        """Return a text without folders and names."""
        found = _PATH.sub(self._noted, text)
        for name in self._names:
            word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            found = word.sub(self._noted, found)
        return found

    def _noted(self, found: re.Match[str]) -> str:
        self.removed[found[0]] = None
        return f"{HIDDEN}/" if "path" in found.re.groupindex else HIDDEN

    def plain(self, value: Any) -> Any:
        """Return a value of JSON, each text of it cleaned, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.plain(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(part) for part in value]
        return value


def prepared(run: Run) -> Submission:
    """Return what a run would leave in a repository.

    Raises RunError where it is no result yet, where files are not as they were written, or where a
    cell is decided by something that nobody else has.
    """
    outcomes = run.outcomes()
    problems = [*_unfinished(outcomes), *_unsound(outcomes), *_private_cells(run)]
    if problems:
        listed = "".join(f"\n  {text}" for text in problems[: merge.agreement.LISTED])
        raise RunError(f"{run.directory}: cannot be submitted:{listed}")
    clean = _Cleaner()
    texts = dict(_run_files(run, clean))
    pictures = {}
    for outcome in outcomes:
        if outcome.status is Status.INCOMPATIBLE:
            continue
        folder = f"{run_folder.TRIALS}/{outcome.trial.id}"
        for name, content in _trial_files(outcome, clean):
            texts[f"{folder}/{name}"] = content
        if _is_picture(outcome.directory / PICTURE):
            pictures[f"{folder}/{PICTURE}"] = outcome.directory / PICTURE
    place = Path(slug(run.info.name) or "run") / (slug(run.info.id) or "run")
    return Submission(place, texts, pictures, tuple(clean.removed), tuple(_notes(run, outcomes)))


def _unfinished(outcomes: Sequence[TrialOutcome]) -> Iterator[str]:
    left = [o for o in outcomes if o.status is Status.UNFINISHED]
    for outcome in left:
        why = f": {outcome.reason}" if outcome.reason else ""
        yield f"{outcome.trial.id} has no result{why}; `ganbench resume` finishes the run"
    if not left and not any(o.status is Status.OK for o in outcomes):
        yield "no trial is ok, so that it shows nothing"


def _unsound(outcomes: Sequence[TrialOutcome]) -> Iterator[str]:
    """Say what of results is not as ganbench writes it, though it can be read."""
    for outcome in outcomes:
        result = outcome.result
        if outcome.status is Status.OK and result.reason:
            yield f"{outcome.trial.id}: {result.reason}"
        lacking = {m.protocol for m in result.metrics if m.value is not None and m.protocol}
        for id in sorted(lacking - result.protocols.keys()):
            yield f"{outcome.trial.id}: protocol {id} of its numbers is not spelled out"


def _private_cells(run: Run) -> Iterator[str]:
    """Say which cells are made of folders of this machine, whose ids would not be theirs."""
    rows: tuple[Cell | Reference, ...] = (*run.plan.cells, *run.plan.references)
    for one in rows:
        clean = _Cleaner()
        written = {k: v for k, v in as_written(one).items() if k != "incompatible"}
        if json.dumps(clean.plain(written)) != json.dumps(written):
            yield (
                f"{one.label} is made of what only this machine has ({', '.join(clean.removed)}); "
                "run it from a folder in which relative paths lead there"
            )


def _run_files(run: Run, clean: _Cleaner) -> Iterator[tuple[str, str]]:
    info = {**asdict(run.info), "cwd": "."}
    yield run_folder.RUN, _json(clean.plain(info))
    yield run_folder.PLAN, _json(sealed.with_seal(as_written(run.plan)))
    for name in merge.OF_A_RUN:
        path = run.directory / name
        if path.is_file() and not path.is_symlink():
            yield name, clean.text(files.read_text(path))


def _trial_files(outcome: TrialOutcome, clean: _Cleaner) -> Iterator[tuple[str, str]]:
    yield run_folder.TRIAL, _json(clean.plain(as_written(outcome.trial)))
    found = results.read(
        outcome.directory / run_folder.RESULT, outcome.directory / run_folder.END
    ).plain()
    yield run_folder.RESULT, _json(sealed.with_seal(clean.plain(found)))
    if outcome.additions:
        plain = [
            {"about": vars(one.about), "result": one.result.plain()} for one in outcome.additions
        ]
        document = {"schema_version": results.SCHEMA_VERSION, "additions": clean.plain(plain)}
        yield additions.ADDED, _json(sealed.with_seal(document))


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _is_picture(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_PICTURE:
        return False
    try:
        with open_picture(path) as picture:
            picture.verify()
    except (GanbenchError, OSError, ValueError, SyntaxError):
        return False
    return True


def _notes(run: Run, outcomes: Sequence[TrialOutcome]) -> Iterator[str]:
    dirty = [name for name, state in run.info.provenance.git.items() if state and state.dirty]
    if dirty:
        yield f"made by code with changes that no commit has: {', '.join(dirty)}"
    sources = {spec.source for cell in run.plan.cells for spec in cell.specs()}
    foreign = sorted(source for source in sources if source and not source.startswith(OWN))
    if foreign:
        yield f"needs plugins, which are named and do not come along: {', '.join(foreign)}"
    bad = [o for o in outcomes if o.status.ended_badly]
    if bad:
        yield f"{counted(len(bad), 'trial')} ended badly, which the table will say"


def write(found: Submission, repository: Path) -> Path:
    """Write a submission into a repository, and return its folder.

    Raises RunError where it is there already, or where it cannot be written.
    """
    target = repository / found.place
    if target.exists():
        raise RunError(f"{target}: is there already; a run is submitted once")
    try:
        for name, text in found.texts.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            files.write_text(target / name, text)
        for name, source in found.pictures.items():
            (target / name).write_bytes(source.read_bytes())
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target
