"""Progress on stderr: a live display in a terminal, plain lines in a pipe or a CI log."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.cli import streams
from ganbench.records import run_folder, windows
from ganbench.records.windows import DISTURBED, Window
from ganbench.runs.runner import Observer
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganbench.records.run_folder import Run, Trial, TrialOutcome

HEARTBEAT_SECONDS = 60.0
REFRESH_SECONDS = 0.5


def observer(quiet: bool) -> Observer:
    """Return the display that fits: none, plain lines, or a live one."""
    if quiet:
        return Observer()
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    return Live() if interactive else Lines()


@dataclass(frozen=True)
class Running:
    """A trial that is being trained, by the last line of its log."""

    label: str
    kimg: float
    budget: float
    window: Window | None  # None: none yet

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
        self.run, self.waiting, self.total = run, list(waiting), len(waiting)
        self.started = time.monotonic()
        skipped = f", {done} done before" if done else ""
        _say(f"{run.directory}: {counted(len(waiting), 'trial')} to run{skipped}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended."""
        self.waiting = [t for t in self.waiting if t.id != outcome.trial.id]
        _say(f"[{self.total - len(self.waiting)}/{self.total}] {summary(outcome)}")

    def ended(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            for one in running(self.run, self.waiting):
                _say(f"  {one.describe()}")


class Live(Lines):
    """A bar for the whole run and a line for each trial at work."""

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Say how many trials are left, and begin the display."""
        from rich.live import Live as Display

        self.console = streams.console(stderr=True)
        self.run, self.waiting, self.total = run, list(waiting), len(waiting)
        self.started = time.monotonic()
        skipped = f", {done} done before" if done else ""
        message = f"{run.directory}: {counted(len(waiting), 'trial')} to run{skipped}"
        self.console.print(message)
        self.display = Display(
            console=self.console,
            get_renderable=self._render,
            refresh_per_second=1 / REFRESH_SECONDS,
            transient=True,
        )
        self.display.start()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended, above the display."""
        self.waiting = [t for t in self.waiting if t.id != outcome.trial.id]
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
        elapsed = time.monotonic() - self.started
        left = elapsed / done * (self.total - done) if done > 0.05 else None
        line = f"{self.total - len(self.waiting)} of {self.total} trials, {_clock(elapsed)}"
        line += f", about {_clock(left)} left" if left is not None else ""
        overall = Table.grid(padding=(0, 2))
        overall.add_row(ProgressBar(total=self.total, completed=done, width=30), Text(line))
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
    found = []
    for trial in waiting:
        directory = run.directory / "trials" / trial.id
        if (directory / "worker.log").exists():
            window = windows.last(directory / run_folder.WINDOWS)
            budget = trial.cell.schedule.kimg if trial.cell else 0.0
            found.append(
                Running(trial.subject.label, window.kimg if window else 0.0, budget, window)
            )
    return found


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
