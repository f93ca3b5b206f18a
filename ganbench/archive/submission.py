"""A run as others may have it: checked, and without what tells of a person or a machine's folders.

No log is in it and no weights; of code only what cells are made of and is one file of --plugin,
which is text to everybody but `ganbench results retrain --run-plugins`.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ganbench.archive import merge
from ganbench.errors import GanbenchError, RunError
from ganbench.records import additions, results, run_folder
from ganbench.records.cells import Cell, Plan, Reference, as_written, slug
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status
from ganbench.registry.discovery import lone_file_identity
from ganbench.util import files, sealed
from ganbench.util.messages import counted
from ganbench.util.picture_files import open_picture

PICTURE = "samples.png"
MOST_PICTURE = 2_000_000  # bytes
PLUGINS = "plugins"
"""The folder of a submission with the sources of plugins that its cells are made of."""
MOST_SOURCE = 1_000_000  # bytes
A_FILE = re.compile(r"[A-Za-z0-9_-]{1,80}\.py")
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

    def __init__(self, *, folders_alone: bool = False) -> None:
        known = (self._known(getpass.getuser), self._known(platform.node))
        names = () if folders_alone else known
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
    problems = [*unfinished(outcomes), *unsound(outcomes), *private_cells(run)]
    if problems:
        listed = "".join(f"\n  {text}" for text in problems[: merge.agreement.LISTED])
        raise RunError(f"{run.directory}: cannot be submitted:{listed}")
    clean = _Cleaner()
    texts = dict(_run_files(run, clean))
    sources = _sources(run)
    texts |= {f"{PLUGINS}/{name}": text for name, text in sources.items()}
    pictures = {}
    for outcome in outcomes:
        if outcome.status is Status.INCOMPATIBLE:
            continue
        folder = f"{run_folder.TRIALS}/{outcome.trial.id}"
        for name, content in _trial_files(outcome, clean):
            texts[f"{folder}/{name}"] = content
        if is_picture(outcome.directory / PICTURE):
            pictures[f"{folder}/{PICTURE}"] = outcome.directory / PICTURE
    notes = tuple(_notes(run, outcomes, sources))
    return Submission(place_of(run), texts, pictures, tuple(clean.removed), notes)


def place_of(run: Run) -> Path:
    """Return where a run lies below a repository: BENCHMARK/RUN."""
    return Path(slug(run.info.name) or "run", slug(run.info.id) or "run")


def unclean(value: Any, *, folders_alone: bool = False) -> list[str]:
    """Return what of a text, or of a value of JSON, is to be taken out of it."""
    clean = _Cleaner(folders_alone=folders_alone)
    clean.plain(value)
    return [*clean.removed]


def unfinished(outcomes: Sequence[TrialOutcome]) -> Iterator[str]:
    """Say which trials have no result yet."""
    left = [o for o in outcomes if o.status is Status.UNFINISHED]
    for outcome in left:
        why = f": {outcome.reason}" if outcome.reason else ""
        yield f"{outcome.trial.id} has no result{why}; `ganbench resume` finishes the run"
    if not left and not any(o.status is Status.OK for o in outcomes):
        yield "no trial is ok, so that it shows nothing"


def unsound(outcomes: Sequence[TrialOutcome]) -> Iterator[str]:
    """Say what of results is not as ganbench writes it, though it can be read."""
    for outcome in outcomes:
        result = outcome.result
        if outcome.status is Status.OK and result.reason:
            yield f"{outcome.trial.id}: {result.reason}"
        lacking = {m.protocol for m in result.metrics if m.value is not None and m.protocol}
        for id in sorted(lacking - result.protocols.keys()):
            yield f"{outcome.trial.id}: protocol {id} of its numbers is not spelled out"


def private_cells(run: Run, *, folders_alone: bool = False) -> Iterator[str]:
    """Say which cells are made of folders of this machine, whose ids would not be theirs."""
    rows: tuple[Cell | Reference, ...] = (*run.plan.cells, *run.plan.references)
    for one in rows:
        written = {k: v for k, v in as_written(one).items() if k != "incompatible"}
        if found := unclean(written, folders_alone=folders_alone):
            yield (
                f"{one.label} is made of what only this machine has ({', '.join(found)}); "
                "run it from a folder in which relative paths lead there"
            )


def _run_files(run: Run, clean: _Cleaner) -> Iterator[tuple[str, str]]:
    plugins = _named(run.info.execution.plugins)
    execution = {**asdict(run.info.execution), "plugins": plugins}
    info = {**asdict(run.info), "cwd": ".", "execution": execution}
    yield run_folder.RUN, _json(clean.plain(info))
    yield run_folder.PLAN, _json(sealed.with_seal(as_written(run.plan)))
    for name in merge.OF_A_RUN:
        path = run.directory / name
        if path.is_file() and not path.is_symlink():
            yield name, clean.text(files.read_text(path))


def _trial_files(outcome: TrialOutcome, clean: _Cleaner) -> Iterator[tuple[str, str]]:
    trial = replace(outcome.trial, plugins=_named(outcome.trial.plugins))
    yield run_folder.TRIAL, _json(clean.plain(as_written(trial)))
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


def _named(plugins: Sequence[str]) -> tuple[str, ...]:
    """Return what a submission says of --plugin: names that lead to no file and no module."""
    return tuple(f"{HIDDEN}/{PurePath(plugin).name}" for plugin in plugins)


def sources_of(plan: Plan) -> set[str]:
    """Return the plugins that cells are made of, as cells name them, but for ganbench's own."""
    found = {spec.source for cell in plan.cells for spec in cell.specs()}
    return {source for source in found if source and not source.startswith(OWN)}


def identity_of(path: Path) -> str:
    """Return what cells call a plugin of this one file."""
    return lone_file_identity(path.name, files.read_bytes(path, MOST_SOURCE))


def _sources(run: Run) -> dict[str, str]:
    """Return the sources of plugins of one file that are as cells were made of them, by name."""
    wanted = sources_of(run.plan)
    found = {}
    for path in map(Path, run.info.execution.plugins):
        named_so = A_FILE.fullmatch(path.name) and path.is_file()
        if not named_so or path.stat().st_size > MOST_SOURCE:
            continue
        content = files.read_bytes(path, MOST_SOURCE)
        if lone_file_identity(path.name, content) in wanted:
            text = content.decode("utf-8", "replace")
            if text.encode() == content and _Cleaner().text(text) == text:
                found[path.name] = text
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def is_picture(path: Path) -> bool:
    """Whether a file is a picture of bearable size."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_PICTURE:
        return False
    try:
        with open_picture(path) as picture:
            picture.verify()
    except (GanbenchError, OSError, ValueError, SyntaxError):
        return False
    return True


def _notes(run: Run, outcomes: Sequence[TrialOutcome], sources: Mapping[str, str]) -> Iterator[str]:
    dirty = [name for name, state in run.info.provenance.git.items() if state and state.dirty]
    if dirty:
        yield f"made by code with changes that no commit has: {', '.join(dirty)}"
    foreign = sources_of(run.plan)
    brought = {lone_file_identity(name, text.encode()) for name, text in sources.items()}
    if own := sorted(foreign & brought):
        yield f"plugins whose source comes along, for all to see: {', '.join(own)}"
    if others := sorted(foreign - brought):
        yield f"needs plugins, which are named and do not come along: {', '.join(others)}"
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
