"""`pytest --ganbench FILE`: each gated number of each cell is a test, and its verdict the outcome.

pytest loads this module wherever ganbench is installed, so nothing heavy is imported before the
options ask for it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ganbench.util.terminal import terminal_text

if TYPE_CHECKING:
    from ganbench.errors import GanbenchError
    from ganbench.gate.baseline import Baseline
    from ganbench.gate.comparison import Comparison, Verdict
    from ganbench.records.cells import Plan

FAILING = ("failed", "regressed", "missing")
PASSING = ("unchanged", "improved")
STATUS, COMPARISON = "status", "comparison"  # items: how trials ended; whether anything was judged
RAN = (0, 3)  # exit codes of `ganbench run`: done, and done with trials that have no good end
FOLDER = "ganbench_folder"  # of the session, under which workers of xdist find it

_OPTIONS = {
    "--ganbench": ("FILE", "Run this benchmark and make each gated number of each cell a test."),
    "--ganbench-args": ("ARGS", "Options of `ganbench run`, as in '--seeds 0-2 --jobs 2'."),
    "--ganbench-out": ("DIR", "The run's folder, kept; a finished run in it is not run again."),
    "--ganbench-run": ("RUN", "Judge the run in this folder; run nothing."),
    "--ganbench-baseline": ("PATH", "Else results/baselines/NAME.json under the rootdir."),
}


class Unfit(Exception):
    """A verdict that fails its test; the message is all there is to show."""


@dataclass(frozen=True)
class Judge:
    """One benchmark against one baseline, planned when tests are collected, run when one starts."""

    path: Path  # the benchmark file or the run, after which the tests are named
    plan: Plan
    gate: dict[str, Any]  # the benchmark file's own
    baseline: Baseline
    baseline_path: Path
    out: Path  # the run's folder
    arguments: tuple[str, ...] | None  # of `ganbench run`; None: there is nothing to run
    folder: Path  # the session's

    def cells(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield id, label and gated numbers of each cell of either side."""
        from ganbench.cli.gating import policy_of
        from ganbench.gate.compare import strangers

        policy = policy_of(self.gate, (), (), None, [])
        cells = (cell for cell in self.plan.cells if not cell.incompatible)
        planned = {row.id: row for cell in cells for row in cell.by_sampler()}
        banked = self.baseline.measurements.cells
        gone = strangers(self.baseline.measurements, planned)
        for cell in planned.values():
            then = banked.get(cell.id)
            if then is None and gone.get(cell.label):
                then = gone[cell.label].pop(0)
            series = then.series.values() if then else ()
            names = [s.column.name for s in series if s.values and policy.gates(s.column)]
            yield cell.id, cell.label, [*names, STATUS]
        for was in (cell for cells in gone.values() for cell in cells):
            yield was.id, was.label, [STATUS]

    def comparison(self) -> Comparison:
        """Run and compare, the first time. Raises GanbenchError, each time."""
        from ganbench.errors import GanbenchError

        if isinstance(self._answer, GanbenchError):
            raise self._answer
        return self._answer

    def verdict(self, cell: str, metric: str) -> Verdict | None:
        """Return the number's own verdict, or that of its cell.

        None where a cell has nothing to say.
        """
        self.comparison()
        return self._verdicts.get((cell, metric)) or self._verdicts.get((cell, STATUS))

    @cached_property
    def _answer(self) -> Comparison | GanbenchError:
        from ganbench.cli.gating import policy_of, side
        from ganbench.errors import GanbenchError
        from ganbench.gate import compare

        try:
            self._run()
            then = self.baseline.measurements
            now = side(self.out).measurements
            policy = policy_of(self.gate, (), (), None, [then, now])
            names = (str(self.baseline_path), str(self.path))
            return compare.compare(then, now, policy, names)
        except GanbenchError as error:
            return error

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str], Verdict]:
        """Of two on one number, the graver, which comes first."""
        return {(v.cell, v.metric): v for v in reversed(self.comparison().verdicts)}

    def _run(self) -> None:
        """In a process of its own, by whichever worker of xdist comes first."""
        import filelock

        from ganbench.errors import RunError

        if self.arguments is None or self._is_finished():
            return
        done = self.folder / "done"  # holds what went wrong
        with filelock.FileLock(self.folder / "lock"):
            if not done.exists():
                done.write_text(_trained(self.arguments, self.out), "utf-8")
        if problem := done.read_text("utf-8"):
            raise RunError(f"{self.path.name} could not be run: {problem}")

    def _is_finished(self) -> bool:
        from ganbench.errors import RunError
        from ganbench.records.run_folder import Run

        try:
            run = Run.read(self.out)
        except RunError:
            return False
        return run.plan.id == self.plan.id and all(o.status.is_final for o in run.outcomes())


def _trained(arguments: Sequence[str], out: Path) -> str:
    """Run the benchmark; return what went wrong, or nothing."""
    command = [sys.executable, "-m", "ganbench", "run", *arguments, "--quiet", "--out", str(out)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, errors="replace") as child:
        try:
            _, said = child.communicate()
        except BaseException:  # Ctrl-C: let it stop its workers and keep what is finished
            child.terminate()
            child.communicate()
            raise
    if child.returncode in RAN:
        return ""
    return said.strip().removeprefix("error: ") or f"it ended with exit code {child.returncode}"


class BenchmarkFile(pytest.File):
    """A benchmark file, or a run, as pytest collects it."""

    judge: Judge

    def collect(self) -> Iterator[pytest.Collector | pytest.Item]:
        """Yield a collector for each cell, and the item that asks whether anything was judged."""
        for id, label, metrics in self.judge.cells():
            cell = BenchmarkCell.from_parent(self, name=terminal_text(label))
            cell.cell_id, cell.metrics, cell.judge = id, metrics, self.judge
            yield cell
        yield _item(ComparisonItem, self, COMPARISON, self.judge)


class BenchmarkCell(pytest.Collector):
    """One cell of the benchmark."""

    judge: Judge
    cell_id: str
    metrics: list[str]

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each gated number, and one for how the trials ended."""
        for metric in self.metrics:
            item = _item(VerdictItem, self, metric, self.judge)
            item.metric = metric
            yield item


class JudgedItem(pytest.Item):
    """A test that is decided by the comparison, which the first of them makes."""

    judge: Judge

    def runtest(self) -> None:
        """Decide, with warnings as ganbench and not as the project has them."""
        with warnings.catch_warnings():  # the filters of the project's tests are not for us
            warnings.simplefilter("ignore")
            self.decide()

    def decide(self) -> None:
        """Raise Unfit where the test fails; skip where nothing can be said."""
        raise NotImplementedError

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentence of a failure, and a traceback of a bug alone."""
        from ganbench.errors import GanbenchError

        if isinstance(excinfo.value, Unfit | GanbenchError):
            return terminal_text(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the test stands: in the benchmark file, at no line."""
        return self.path, None, self.nodeid.partition("::")[2]


AnyItem = TypeVar("AnyItem", bound=JudgedItem)


class VerdictItem(JudgedItem):
    """One number of one cell."""

    metric: str

    def decide(self) -> None:
        """Pass, fail or skip as the verdict says."""
        assert isinstance(self.parent, BenchmarkCell)
        verdict = self.judge.verdict(self.parent.cell_id, self.metric)
        if verdict is None:
            return
        said = f"{verdict.label} {self.metric}: {verdict.word}: {verdict.evidence}"
        self.user_properties += [("verdict", verdict.word), ("evidence", verdict.evidence)]
        if verdict.word in FAILING:
            raise Unfit(said)
        if verdict.word not in PASSING:
            pytest.skip(terminal_text(said))


class ComparisonItem(JudgedItem):
    """Fails where nothing was measured or compared, when all the others are merely skipped."""

    def decide(self) -> None:
        """Fail where the comparison came to nothing."""
        from ganbench.gate import verdicts

        code, why = verdicts.conclusion(self.judge.comparison(), (), "ok")
        if code:
            raise Unfit(why)


def _item(cls: type[AnyItem], parent: pytest.Collector, name: str, judge: Judge) -> AnyItem:
    item: AnyItem = cls.from_parent(parent, name=terminal_text(name))
    item.judge = judge
    return item


_judge = pytest.StashKey[Judge]()
_folder = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ganbench's options, in a group of their own."""
    group = parser.getgroup("ganbench", "regression gate of GAN benchmarks")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(name, metavar=metavar, help=text)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Plan the benchmark and read its baseline, where the options ask for it."""
    config = session.config
    if not _is_asked(config):
        return
    import click

    from ganbench.errors import GanbenchError

    try:
        config.stash[_folder] = _session_folder(config)
        config.stash[_judge] = _prepared(config)
    except (GanbenchError, click.ClickException) as error:
        raise pytest.UsageError(f"ganbench: {_told(error)}") from error


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return what is compared with what."""
    judge = config.stash.get(_judge, None)
    if judge is None:
        return None
    return terminal_text(f"ganbench: {judge.path} against {judge.baseline_path}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the session's folder is."""
    if _folder in node.config.stash:
        node.workerinput[FOLDER] = str(node.config.stash[_folder])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the benchmark's tests to the session's."""
    judge = session.config.stash.get(_judge, None)
    if judge is None:
        return
    root = session.config.rootpath
    is_inside = judge.path.is_relative_to(root)  # or else it is named as if it were
    path = judge.path if is_inside else root / judge.path.name
    file: BenchmarkFile = BenchmarkFile.from_parent(session, path=path)
    file.judge = judge
    items.extend(session.genitems(file))


def _is_asked(config: pytest.Config) -> bool:
    given = [name for name in _OPTIONS if config.getoption(name)]
    if "--ganbench" in given and "--ganbench-run" in given:
        raise pytest.UsageError(
            "--ganbench and --ganbench-run exclude each other: one runs a benchmark, the other "
            "judges a run that is there"
        )
    for name in ("--ganbench-args", "--ganbench-out"):
        if name in given and "--ganbench" not in given:
            raise pytest.UsageError(f"{name} goes with --ganbench FILE, which runs a benchmark")
    if given == ["--ganbench-baseline"]:
        raise pytest.UsageError("--ganbench-baseline goes with --ganbench FILE or --ganbench-run")
    return bool(given)


def _session_folder(config: pytest.Config) -> Path:
    """Made by the main process, which removes it again, and shared by the workers of xdist."""
    given: dict[str, str] = getattr(config, "workerinput", {})
    if FOLDER in given:
        return Path(given[FOLDER])
    folder = tempfile.TemporaryDirectory(prefix="ganbench-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


def _prepared(config: pytest.Config) -> Judge:
    from ganbench.config import shipped
    from ganbench.gate import baseline

    folder = config.stash[_folder]
    arguments: tuple[str, ...] | None = None
    if run := config.getoption("--ganbench-run"):
        path = out = _absolute(config, run)
        plan, gate = _of_run(path)
    else:
        path = _absolute(config, shipped.named(config.getoption("--ganbench")))
        out = _absolute(config, config.getoption("--ganbench-out") or folder / "run")
        arguments = (str(path), *shlex.split(config.getoption("--ganbench-args") or ""))
        plan, gate = _planned(arguments)
    banked = _baseline_path(config, plan.name)
    found = baseline.read(banked)
    return Judge(path, plan, gate or found.gate, found, banked, out, arguments, folder)


def _absolute(config: pytest.Config, path: str | Path) -> Path:
    return Path(os.path.abspath(config.invocation_params.dir / path))


def _baseline_path(config: pytest.Config, name: str) -> Path:
    """Return the baseline as given, else under the current folder or the rootdir.

    Without a configuration file the rootdir may be any folder.
    """
    from ganbench.gate.baseline import FOLDER

    if given := config.getoption("--ganbench-baseline"):
        return _absolute(config, given)
    default = FOLDER / f"{name}.json"
    here = _absolute(config, default)
    return here if here.exists() else config.rootpath / default


def _of_run(path: Path) -> tuple[Plan, dict[str, Any]]:
    from ganbench.records.run_folder import Run

    run = Run.read(path)
    return run.plan, run.info.gate


def _planned(arguments: Sequence[str]) -> tuple[Plan, dict[str, Any]]:
    """As `ganbench run` would, up to where it writes."""
    from ganbench.cli import options
    from ganbench.cli.commands import run
    from ganbench.cli.output import tell
    from ganbench.runs.benchmark import prepare

    with run.command.make_context("run", list(arguments)) as context:
        prepared = prepare(options.taken({**context.params}), tell)
    return prepared.plan, prepared.config.run.gate.model_dump()


def _told(error: Exception) -> str:
    import click

    said = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return terminal_text(said)
