"""`ganbench ab`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import exit_codes, options
from ganbench.cli.gating import conclude, gate_options, github_summary, parse_fail_on, policy_of
from ganbench.cli.other_versions import first_seeds, gate_of, of_run, places
from ganbench.errors import ConfigError, MeasurementError, NothingSelected, RunError

if TYPE_CHECKING:
    from ganbench.gate.ab import Sides
    from ganbench.gate.jobs import Job
    from ganbench.gate.versions import Version
    from ganbench.runs.benchmark import BenchmarkArguments


@click.command("ab")
@options.benchmark
@click.option("--base", metavar="REV", help="The version to compare with; . is the working tree.")
@click.option("--head", metavar="REV", help="The version to judge; else the working tree.")
@click.option("--base-python", metavar="PATH", help="The interpreter of the base's environment.")
@click.option("--head-python", metavar="PATH", help="The interpreter of the head's environment.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--warm-up",
    type=click.IntRange(0, 1),
    default=0,
    show_default=True,
    help="A round before the first that does not count.",
)
@gate_options
@github_summary
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the runs here.")
@click.option("--all", "everything", is_flag=True, help="Show the numbers that are not gated too.")
@options.as_json
@options.quiet
def command(
    arguments: BenchmarkArguments,
    base: str | None,
    head: str | None,
    base_python: str | None,
    head_python: str | None,
    rounds: int,
    warm_up: int,
    fail_on: str,
    inconclusive: str,
    metrics: tuple[str, ...],
    tolerances: tuple[str, ...],
    alpha: float | None,
    github_summary: bool,
    out: Path | None,
    everything: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run the benchmark FILE with two versions of the code in turns, and compare their timings.

    The versions are git revisions of the repository around FILE or the current folder, each put
    first on PYTHONPATH (nothing is installed), or two environments. Every round runs both, the
    order changes each time, and all train the same seed: the file's first, or those of --seeds.
    """
    from ganbench.config import benchmark_file
    from ganbench.reports import github
    from ganbench.runs.benchmark import config_plugins

    wanted = parse_fail_on(fail_on)
    page = github.place() if github_summary else None
    policy_of({}, metrics, tolerances, alpha, [])  # before hours are spent
    versions = _wanted(base, head, base_python, head_python)
    file = arguments.file
    document = benchmark_file.read(file, profile=arguments.profile, overrides=arguments.overrides)
    asked = config_plugins(document, arguments)
    first = arguments.seeds or str(first_seeds(document)[0])
    of_both = (*of_run(arguments, document), "--seeds", first)

    from ganbench.gate.ab import reconciled
    from ganbench.gate.compare import compare
    from ganbench.gate.jobs import Job
    from ganbench.gate.versions import checked_out

    job = Job(file, of_both, (*arguments.plugins, *asked))
    with _folder(out) as folder, checked_out(versions, places(file)) as found:
        notes = _notes(job, found, rounds)
        sides = _measured(job, found, folder, rounds, warm_up, quiet=quiet)
    if not quiet and out:
        print(f"the runs are in {out}", file=sys.stderr)
    both = reconciled(sides)
    gate = gate_of(document)
    policy = policy_of(gate, metrics, tolerances, alpha, [both.base, both.head], interleaved=True)
    names = (f"base {found[0]}", f"head {found[1]}")
    verdicts = compare(both.base, both.head, policy, names)
    verdicts = replace(verdicts, notes=(*verdicts.notes, *both.notes, *notes))
    return conclude(
        verdicts, wanted, inconclusive, everything=everything, as_json=as_json, page=page
    )


def _wanted(
    base: str | None, head: str | None, base_python: str | None, head_python: str | None
) -> list[Version]:
    from ganbench.gate.versions import WORKING_TREE, Version

    if base is None and base_python is None:
        raise ConfigError(
            "which version to compare with? --base takes a git revision, such as origin/main, and "
            "--base-python the interpreter of another environment"
        )
    if head is None and head_python is None:
        if base is None:
            raise ConfigError("--base-python needs its counterpart: --head-python, or --head")
        head = WORKING_TREE
    return [
        Version("base", base, base_python or sys.executable),
        Version("head", head, head_python or sys.executable),
    ]


def _notes(job: Job, versions: Sequence[Version], rounds: int) -> list[str]:
    """Return what a reader must know; raise where a version cannot even begin."""
    base, head = versions
    packages = [version.package() for version in versions]
    plugins = [[version.plugin(name) for name in job.plugins] for version in versions]
    notes = [f"rounds of base and head in turns: {rounds}"]
    if base.commit and (base.commit, base.dirty) == (head.commit, head.dirty):
        notes.append(f"both are {base.commit[:10]}: whatever differs is noise")
    elif packages[0] == packages[1] and plugins[0] == plugins[1]:
        notes.append(f"both import ganbench from {packages[0]}, and the same --plugin files")
    return notes


def _measured(
    job: Job, versions: Sequence[Version], folder: Path, rounds: int, warm_up: int, *, quiet: bool
) -> Sides:
    from ganbench.gate.ab import measure

    def tell(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    for version in versions:
        tell(f"{version.side}: {version}")
    try:
        return measure(job, versions, folder, rounds, warm_up=warm_up, tell=tell)
    except MeasurementError as error:
        if error.code == exit_codes.NOTHING_SELECTED:
            raise NothingSelected(str(error)) from error
        raise


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """--out, new or empty, or a temporary folder."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="ganbench-rounds-") as name:
            yield Path(name)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in out.iterdir())
    except OSError as error:
        raise RunError(f"{out}: cannot be used: {error.strerror}; name another --out") from error
    if there:
        raise RunError(f"{out}: not empty ({', '.join(there[:3])}…); name a new or empty --out")
    yield out.resolve()
