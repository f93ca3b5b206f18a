"""`ganbench bisect`."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import exit_codes, gating, options
from ganbench.cli.other_versions import first_seeds, gate_of, of_run, places
from ganbench.cli.output import print_json
from ganbench.cli.searches import plain, show
from ganbench.errors import ConfigError, MeasurementError, NothingSelected, RunError
from ganbench.util import files

if TYPE_CHECKING:
    from ganbench.config.yaml_document import Document
    from ganbench.gate.bisection import Found
    from ganbench.gate.comparison import Policy
    from ganbench.gate.jobs import Job
    from ganbench.gate.measurements import Measurements
    from ganbench.gate.repository import Commit
    from ganbench.gate.revisions import Revisions
    from ganbench.runs.at_once import Jobs
    from ganbench.runs.benchmark import BenchmarkArguments


SEARCH = "bisect.json"  # in the folder of a search


@click.command("bisect")
@options.benchmark
@click.option("--good", required=True, metavar="REV", help="A revision before it became worse.")
@click.option("--bad", default="HEAD", show_default=True, metavar="REV", help="One after it.")
@click.option(
    "--skip", multiple=True, metavar="REV", help="Do not train this revision; may be repeated."
)
@click.option(
    "--repo",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The repository; else the one around FILE or the current folder.",
)
@click.option("--python", metavar="PATH", help="The interpreter of another environment.")
@click.option("--metric", metavar="COLUMN", help="The number to follow; else the clearest gated.")
@click.option(
    "--max-seeds",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Of each revision; as many as FILE or --seeds name are bought at a time.",
)
@gating.tolerance
@gating.alpha
@options.jobs
@options.offline
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the trainings here."
)
@options.as_json
@options.quiet
def command(
    arguments: BenchmarkArguments,
    good: str,
    bad: str,
    skip: tuple[str, ...],
    repo: Path | None,
    python: str | None,
    metric: str | None,
    max_seeds: int,
    tolerances: tuple[str, ...],
    alpha: float | None,
    jobs: Jobs | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the commit between --good and --bad that made the benchmark FILE worse.

    Commits are those of --bad's first parents since --good. Each that is tried is checked out
    beside the repository, put first on PYTHONPATH (nothing is installed) and trained with FILE as
    it is now, a batch of seeds at a time, until an exact test says that it is worse than the good
    revision or better than the bad one; commits with which FILE does not run are skipped. The
    chance of any false step is kept below alpha. Trainings are kept, in the cache or in --out: the
    same command goes on where an interrupted one has ended.
    """
    from ganbench.config import benchmark_file
    from ganbench.gate.bisection import Rules, search
    from ganbench.gate.jobs import Job
    from ganbench.gate.revisions import Revisions
    from ganbench.registry.discovery import is_file
    from ganbench.runs.benchmark import config_plugins
    from ganbench.runs.holding import held
    from ganbench.runs.selection import rules_of

    def tell(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    file = arguments.file
    document = benchmark_file.read(file, profile=arguments.profile, overrides=arguments.overrides)
    asked = config_plugins(document, arguments)
    line = _line(good, bad, skip, [repo] if repo else places(file))
    first, seeds = _seeds(arguments, document, max_seeds)
    wish = _Wish(gate_of(document), metric, tolerances, alpha)
    wish.policy([])  # before hours are spent
    job = Job(
        file.resolve(),
        of_run(arguments, document),
        (*arguments.plugins, *asked),
        ("--jobs", str(jobs)) if jobs else (),
    )
    for name in job.plugins:
        is_file(name)  # or it says so
    python = python or sys.executable
    key = _key(document, job, line.repository, python)
    folder = out.resolve() if out else files.cache() / "bisect" / f"{file.stem}-{key}"
    trained = Revisions(
        job,
        line.repository,
        folder,
        seeds,
        python,
        {line.ids[0]: "good", line.ids[-1]: "bad"},
        rules_of,
        tell,
    )
    tell(f"{line.told}; trainings are kept in {folder}, and the same command goes on with them")
    _claim(folder, key)
    with held(folder):
        rules = Rules(wish.policy_for(trained, line.ids, first), seeds, first, metric)
        found = search(line.ids, rules, trained.measure, skip=line.skipped, tell=tell)
        changed = _changed_settings(trained, found, first)
    code = _code(found)
    if as_json:
        print_json({**plain(found, line.commits, changed), "exit_code": code})
    else:
        show(found, line.commits, changed)
    return code


@dataclass(frozen=True)
class _Line:
    """The commits of a search, from the good one to the bad one."""

    repository: Path
    commits: tuple[Commit, ...]
    skipped: tuple[str, ...]
    dirty: bool

    @property
    def ids(self) -> list[str]:
        return [commit.id for commit in self.commits]

    @property
    def told(self) -> str:
        from ganbench.gate.bisection import depth
        from ganbench.util.messages import counted

        between = len(self.commits) - 2
        dirty = "; uncommitted changes are in none of them" if self.dirty else ""
        steps = f", {counted(depth(between), 'step')} or a few more" if between else ""
        return f"{self.repository}: {counted(between, 'commit')} between good and bad{steps}{dirty}"


def _line(good: str, bad: str, skip: Sequence[str], folders: Sequence[Path]) -> _Line:
    """Return the commits between two revisions. Raises ConfigError where there is no such line."""
    from ganbench.gate import repository as git

    top = git.repository_around(folders)
    if top is None:
        where = " nor ".join(dict.fromkeys(map(str, folders)))
        raise ConfigError(
            f"--good {good}: {'neither ' if len(folders) > 1 else ''}{where} is "
            f"{'' if len(folders) > 1 else 'not '}in a git repository; name one with --repo"
        )
    older = git.commit_of(top, good, f"--good {good}")
    newer = git.commit_of(top, bad, f"--bad {bad}")
    if older == newer:
        raise ConfigError(
            f"--good {good} and --bad {bad} are one commit, {newer[:10]}; name two, the good one "
            "in the history of the bad one"
        )
    if not git.is_ancestor(top, older, newer):
        raise ConfigError(_no_line(top, good, bad, older, newer))
    skipped = tuple(git.commit_of(top, one, f"--skip {one}") for one in skip)
    for one, id in zip(skip, skipped, strict=True):
        if id in (older, newer):
            raise ConfigError(f"--skip {one}: that is an end of the search; name other ends")
    dirty = bool(git.git(top, "status", "--porcelain", "-uno").stdout.strip())
    commits = (git.commit(top, older), *git.commits_after(top, older, newer))
    return _Line(top, commits, skipped, dirty)


def _no_line(top: Path, good: str, bad: str, older: str, newer: str) -> str:
    from ganbench.gate import repository as git

    if git.is_ancestor(top, newer, older):
        return (
            f"--good {good} is newer than --bad {bad}; the search is for what made it worse: name "
            "the older revision as --good"
        )
    base = git.git(top, "merge-base", older, newer).stdout.strip()
    hint = f"their last common commit is {base[:10]}" if base else "they have no common commit"
    return (
        f"--good {good} is not in the history of --bad {bad}; {hint} (a shallow clone knows few: "
        "`git fetch --unshallow`)"
    )


def _seeds(
    arguments: BenchmarkArguments, document: Document, most: int
) -> tuple[int, tuple[int, ...]]:
    """Return how many seeds are bought at a time, and all that may be, those named first."""
    from ganbench.runs.selection import parse_seeds

    named = parse_seeds(arguments.seeds or ",".join(map(str, first_seeds(document))))
    if most < len(named):
        raise ConfigError(
            f"--max-seeds {most}: {len(named)} are trained at a time, as the file or --seeds says; "
            "name fewer with --seeds"
        )
    return len(named), (*named, *range(max(named) + 1, max(named) + 1 + most - len(named)))


@dataclass(frozen=True)
class _Wish:
    """What the file and the command line say of verdicts."""

    gate: dict[str, object]
    metric: str | None
    tolerances: tuple[str, ...]
    alpha: float | None

    def policy(self, sides: list[Measurements]) -> Policy:
        metrics = (self.metric,) if self.metric else ()
        return gating.policy_of(
            self.gate, metrics, self.tolerances, self.alpha, sides, option="--metric"
        )

    def policy_for(self, trained: Revisions, ids: Sequence[str], first: int) -> Policy:
        """Return the policy, checked by what the ends have. Raises NothingSelected."""
        try:
            sides = [trained.measure(ids[i], first, None).measurements for i in (0, -1)]
        except MeasurementError as error:
            if error.code == exit_codes.NOTHING_SELECTED:
                raise NothingSelected(str(error)) from error
            raise
        for side in sides:
            for cell in side.cells.values():
                series = cell.series.get(self.metric or "")
                if series and series.column.kind == "timing":
                    raise ConfigError(
                        f"--metric {self.metric}: timings of two runs cannot be told from the "
                        "machine's mood; `ganbench ab` compares two revisions in turns"
                    )
        return self.policy(sides)


def _key(document: Document, job: Job, repository: Path, python: str) -> str:
    """Return what tells trainings of this benchmark, by these versions, from others."""
    import ganbench
    from ganbench.runs.provenance import PACKAGES, version

    strangers = [
        Path(name).resolve()
        for name in job.plugins
        if name.endswith(".py") and not Path(name).resolve().is_relative_to(repository)
    ]
    what = [
        document.data(),
        job.arguments,
        job.plugins,
        str(repository),
        python,
        ganbench.__version__,
        [version(name) for name in PACKAGES],
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in strangers],
    ]
    return hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()[:12]


def _claim(folder: Path, key: str) -> None:
    """Make the folder of a search, or check that it is one of the same benchmark."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in folder.iterdir())
        if not there:
            files.write_json(folder / SEARCH, {"key": key})
    except OSError as error:
        raise RunError(f"{folder}: cannot be used: {error.strerror}; name another --out") from error
    about = files.read_json(folder / SEARCH)
    if not isinstance(about, dict) or about.get("key") != key:
        what = "of another benchmark, other options or versions" if about else "not of a search"
        raise RunError(
            f"{folder}: {what} ({', '.join(there[:3])}); name a new or empty --out, or none"
        )


def _changed_settings(trained: Revisions, found: Found, first: int) -> list[str]:
    """Return which settings of the followed cell became others with the first bad commit."""
    from ganbench.gate.ab import without_versions
    from ganbench.gate.differences import sentences

    sides = [found.commits[i] for i in (found.last_good, found.first_bad)]
    cells = [trained.measure(one, first, found.number).measurements.cells for one in sides]
    then, now = (without_versions(cell[found.number.label].settings) for cell in cells)
    return sentences(then, now)


def _code(found: Found) -> int:
    if found.undecided:
        return exit_codes.NOT_COMPARABLE
    return exit_codes.OK if len(found.suspects) == 1 else exit_codes.TRIAL_FAILED
