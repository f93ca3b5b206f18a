"""Progress on stderr: a live display in a terminal, plain lines in a pipe or a CI log."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.cli import streams
from ganbench.records import run_folder, windows
from ganbench.records.windows import DISTURBED, Window
from ganbench.runs.costs import AtWork, Forecast
from ganbench.runs.runner import Observer
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganbench.records.run_folder import Run, Trial, TrialOutcome

HEARTBEAT_SECONDS = 60.0
REFRESH_SECONDS = 0.5
FORESEE_SECONDS = 2.0  # of ten thousand trials it takes some hundredths of one


def observer(quiet: bool) -> Observer:
    """Return the display that fits: none, plain lines, or a live one."""
    if quiet:
        return Observer()
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    return Live() if interactive else Lines()


@dataclass(frozen=True)
class Running:
    """A trial that is being trained, by the last line of its log."""

    trial: Trial
    label: str
    kimg: float
    budget: float
    window: Window | None  # None: none yet
    since: float  # seconds since that was written, or since its log where there is none

    def describe(self) -> str:
        """Return one line: how far it is, how fast, its losses, and how long it will take."""
        if not self.window:
            return f"{self.label}: starting"
        d_loss = sum(self.window.d_terms.values())
        g_loss = sum(self.window.g_terms.values())
        rate = self.window.images_per_second
        left = (self.budget - self.kimg) * 1000 / rate
        end = f"{_clock(left)} left" if left > 0 else "judging"
        return (
            f"{self.label}: {self.kimg:.1f} of {self.budget:g} kimg, {rate / 1000:.2f} kimg/s, "
            f"D {d_loss:.3f}, G {g_loss:.3f}, {end}{self._company()}"
        )

    def _company(self) -> str:
        disturbed = self.window is not None and (self.window.kept_waiting or 0.0) > DISTURBED
        return ", kept waiting for its cores" if disturbed else ""


class Lines(Observer):
    """A line per finished trial, and a heartbeat each minute."""

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Say how many trials are left, and begin the heartbeat."""
        _say(self._begin(run, waiting, done))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended."""
        self._take(outcome)
        _say(f"[{self.total - len(self.waiting)}/{self.total}] {summary(outcome)}")

    def ended(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()
        self._thread.join()

    def _begin(self, run: Run, waiting: Sequence[Trial], done: int) -> str:
        self.run, self.waiting, self.total = run, list(waiting), len(waiting)
        self.started = time.monotonic()
        self.forecast = Forecast(run.info.execution.jobs)
        self._foreseen: tuple[float, float | None] = (0.0, None)  # until when, and what
        skipped = f", {done} done before" if done else ""
        return f"{run.directory}: {counted(len(waiting), 'trial')} to run{skipped}{self._left([])}"

    def _take(self, outcome: TrialOutcome) -> None:
        self.waiting = [t for t in self.waiting if t.id != outcome.trial.id]
        self.forecast.ended(outcome)
        self._foreseen = (0.0, None)

    def _left(self, active: Sequence[Running]) -> str:
        now = time.monotonic()
        if now > self._foreseen[0]:
            at_work = {one.trial.id: AtWork(one.window, one.since) for one in active}
            left = self.forecast.left(self.waiting, at_work)
            self._foreseen = (now + FORESEE_SECONDS, left)
        left = self._foreseen[1]
        return "" if left is None else f", about {_clock(left)} left"

    def _line(self, active: Sequence[Running]) -> str:
        """Return how far the run is, and how long it will take."""
        elapsed = _clock(time.monotonic() - self.started)
        done = self.total - len(self.waiting)
        return f"{done} of {self.total} trials, {elapsed}{self._left(active)}"

    def _watch(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            active = running(self.run, self.waiting)
            _say(self._line(active))
            for one in active:
                _say(f"  {one.describe()}")


class Live(Lines):
    """A bar for the whole run and a line for each trial at work."""

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Say how many trials are left, and begin the display."""
        from rich.live import Live as Display

        self.console = streams.console(stderr=True)
        self.console.print(self._begin(run, waiting, done))
        self.display = Display(
            console=self.console,
            get_renderable=self._render,
            refresh_per_second=1 / REFRESH_SECONDS,
            transient=True,
        )
        self.display.start()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended, above the display."""
        self._take(outcome)
        self.console.print(summary(outcome))

    def ended(self) -> None:
        """Take the display away."""
        self.display.stop()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        active = running(self.run, self.waiting)
        done = (
            self.total
            - len(self.waiting)
            + sum(one.kimg / one.budget for one in active if one.budget)
        )
        overall = Table.grid(padding=(0, 2))
        bar = (
            []
            if self.console.no_color
            else [ProgressBar(total=self.total, completed=done, width=30)]
        )
        overall.add_row(*bar, Text(self._line(active)))
        return Group(overall, *(Text(f"  {one.describe()}") for one in active))


def summary(outcome: TrialOutcome) -> str:
    """Return a line on one finished trial: its status, its first number, and how long it took."""
    trial = outcome.trial
    name = f"{trial.subject.label} seed {trial.seed}" if trial.cell else trial.subject.label
    if outcome.status != "ok":
        return f"{name}: {outcome.status}: {outcome.reason}"
    result = outcome.result
    known = [(m.column.name, m.value) for m in result.metrics if m.value is not None]
    first = f", {known[0][0]} {known[0][1]:.3f}" if known else ""
    titles = [finding.title for finding in result.diagnosis]
    troubles = "".join(f"; {trouble}" for trouble in (*result.errors, *titles))
    disturbed = trial.alone and result.timings and not result.timings.alone
    company = "; other programs took its cores" if disturbed else ""
    return f"{name}: ok{first}, {_clock(result.seconds.get('total', 0.0))}{company}{troubles}"


def running(run: Run, waiting: Sequence[Trial]) -> list[Running]:
    """Return the trials whose workers have begun to write."""
    several = len({trial.seed for trial in waiting if trial.cell}) > 1
    found = []
    for trial in waiting:
        directory = run.directory / "trials" / trial.id
        log, path = directory / "worker.log", directory / run_folder.WINDOWS
        if not log.exists():
            continue
        window = windows.last(path)
        with suppress(FileNotFoundError):  # it began anew
            since = time.time() - (path if window else log).stat().st_mtime
            budget = trial.cell.schedule.kimg if trial.cell else 0.0
            kimg = window.kimg if window else 0.0
            label = trial.subject.label + (f" seed {trial.seed}" if trial.cell and several else "")
            found.append(Running(trial, label, kimg, budget, window, since))
    return found


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
