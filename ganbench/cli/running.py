"""Run what is left of a run, show its tables, and say how it went."""

from __future__ import annotations

import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ganbench.cli.exit_codes import OK, TRIAL_FAILED
from ganbench.cli.output import print_json
from ganbench.errors import INTERRUPTIONS, ConfigError

if TYPE_CHECKING:
    from ganbench.records.cells import Plan
    from ganbench.records.run_folder import Run, TrialOutcome
    from ganbench.registry.registry import Registry


def executed(
    run: Run,
    registry: Registry,
    *,
    quiet: bool,
    fail_fast: bool = False,
    max_time: float | None = None,
) -> list[TrialOutcome]:
    """Run what is left, for so many seconds at most; whoever interrupts is told how to go on."""
    from ganbench.cli.progress import observer
    from ganbench.runs import runner

    try:
        with ended_after(max_time):
            return runner.execute(run, registry, observer(quiet), fail_fast=fail_fast)
    except INTERRUPTIONS:
        print(f"stopped; to finish: ganbench resume {run.directory}", file=sys.stderr)
        raise


@contextmanager
def ended_after(seconds: float | None) -> Iterator[None]:
    """Have SIGTERM come after so many seconds, as Ctrl-C would; None: never."""
    if seconds is None:
        yield
        return

    def end() -> None:
        print(f"--max-time of {seconds:g} s is over", file=sys.stderr)
        if hasattr(signal, "pthread_kill"):  # which ends a wait of the main thread, too
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            interrupt_main(signal.SIGTERM)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def finish(
    run: Run,
    registry: Registry,
    *,
    fail_fast: bool,
    max_time: float | None = None,
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run what is left, write and print the tables, and say how it went."""
    outcomes = executed(run, registry, quiet=quiet, fail_fast=fail_fast, max_time=max_time)
    show(run, registry, as_json=as_json, columns=columns)
    if not as_json:
        names = ("report.html", "table.md", "table.csv", "table.json", "results.csv")
        written = [name for name in names if (run.directory / name).exists()]
        print(f"\nresults:  {run.directory}/{', '.join(written)}")
        pictured = [o for o in outcomes if (o.directory / "samples.png").exists()]
        if pictured:
            print(f"pictures: {run.directory}/trials/*/samples.png")
        if any(o.result.errors for o in outcomes):
            print(f"metrics raised; to ask them again: ganbench resume {run.directory}")
    return exit_code(outcomes)


def check_columns(plan: Plan, registry: Registry, names: list[str] | None) -> None:
    """Raise ConfigError for a column that no metric of a plan gives, before anything is trained."""
    from ganbench.config.plan import columns_of
    from ganbench.records.report import SIZES_AND_TIME
    from ganbench.records.table import Table

    if not names or "all" in names:
        return
    columns = tuple(dict.fromkeys([*columns_of(plan, registry), *SIZES_AND_TIME]))
    try:
        Table("", (), columns, (), ()).chosen(names)
    except ConfigError as error:
        raise ConfigError(f"--columns: {error}") from error


def show(run: Run, registry: Registry, *, as_json: bool, columns: list[str] | None = None) -> None:
    """Through the run's reporters; with --json, the console's answer is the JSON document."""
    from ganbench.runs import benchmark

    shown = None if columns is None else {"columns": columns}
    report = benchmark.report(run, registry, console=not as_json, console_options=shown)
    if as_json:
        table = report.table.plain()
        print_json({"run": str(run.directory), "id": run.info.id, **table})


def exit_code(outcomes: Sequence[TrialOutcome]) -> int:
    """3 where a trial has no good end, a metric raised, or none was measured at all."""
    statuses = {o.status.value for o in outcomes}
    owed = any(o.status.lacks_result or o.result.errors for o in outcomes)
    return TRIAL_FAILED if owed or "ok" not in statuses else OK
