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
from ganbench.records.windows import DISTURBED, Probe, Unit, Window
from ganbench.runs.costs import AtWork, Forecast
from ganbench.runs.runner import Observer
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ganbench.records.run_folder import Run, Trial, TrialOutcome

HEARTBEAT_SECONDS = 60.0
TICK_SECONDS = 1.0  # between two looks for the end of an epoch
REFRESH_SECONDS = 0.5
MOST_NUMBERS = 2  # on the way, in a trial's line
FORESEE_SECONDS = 2.0  # of ten thousand trials it takes some hundredths of one


def observer(quiet: bool) -> Observer:
    """Return the display that fits: none, plain lines, or a live one."""
    if quiet:
        return Observer()
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    return Live() if interactive else Lines()


@dataclass(frozen=True)
class Running:
    """A trial that is being trained, by the last line of its log or the window that is open."""

    trial: Trial
    label: str
    budget: float  # kimg
    unit: Unit  # what its budget is told in
    window: Window | None  # None: none yet
    since: float  # seconds since that was written, or since its log where there is none
    probe: Probe | None = None  # the last numbers that were taken on the way

    @property
    def share(self) -> float:
        """How much of the budget is spent."""
        return self.window.kimg / self.budget if self.window and self.budget else 0.0

    def describe(self) -> str:
        """Return one line: how far it is, how fast, its losses, and how long it will take."""
        if not self.window:
            return f"{self.label}: starting"
        d_loss = sum(self.window.d_terms.values())
        g_loss = sum(self.window.g_terms.values())
        rate = self.window.images_per_second
        left = (self.budget - self.window.kimg) * 1000 / rate
        end = f"{_clock(left)} left" if left > 0 else "judging"
        return (
            f"{self.label}: {self._place(self.window)}, {rate / 1000:.2f} kimg/s, "
            f"D {d_loss:.3f}, G {g_loss:.3f}, {end}{self._company()}{self._numbers()}"
        )

    def _numbers(self) -> str:
        """Say the first of the newest numbers."""
        values = self.probe.values.items() if self.probe else ()
        known = [(name, value) for name, value in values if value is not None]
        shown = ", ".join(f"{name} {value:.4g}" for name, value in known[:MOST_NUMBERS])
        return f"; {shown} at {self.probe.kimg:g} kimg" if self.probe and shown else ""

    def _place(self, window: Window) -> str:
        if self.unit == "epochs" and window.epoch and window.progress:
            return f"epoch {window.epoch:.2f} of {window.epoch / window.progress:.4g}"
        return f"{window.kimg:.1f} of {self.budget:g} kimg"

    def _company(self) -> str:
        disturbed = self.window is not None and (self.window.kept_waiting or 0.0) > DISTURBED
        return ", kept waiting for its cores" if disturbed else ""


class Epochs:
    """The losses of each epoch of the trials whose log has a line for each, as they come."""

    def __init__(self, run: Run) -> None:
        """Begin with what is in the logs already."""
        self.run = run
        self._places: dict[str, int] = {}

    def lines(self, trials: Sequence[Trial]) -> list[str]:
        """Return a line for each epoch that has ended since the last call."""
        found = []
        for trial in trials:
            if trial.cell is None or trial.cell.schedule.log_every != "epoch":
                continue
            path = self.run.directory / run_folder.TRIALS / trial.id / run_folder.WINDOWS
            new, self._places[trial.id] = windows.after(path, self._places.get(trial.id, 0))
            alone = sum(one.cell is not None for one in self.run.trials) == 1
            name = "" if alone else f"{trial.subject.label} seed {trial.seed}: "
            found += [name + of_epoch(window) for window in new]
        return found


def of_epoch(window: Window) -> str:
    """Return a line of an epoch's mean losses: `Epoch 001 | G/D 4.4991/0.2348`."""
    whole, rest = divmod(window.epoch + 1e-6, 1)
    broken = window.progress >= 1 and rest > 0.02  # the budget ended within one
    number = f"{window.epoch:06.2f}" if broken else f"{whole:03.0f}"
    g_loss, d_loss = sum(window.g_terms.values()), sum(window.d_terms.values())
    return f"Epoch {number} | G/D {g_loss:.4f}/{d_loss:.4f}"


class Lines(Observer):
    """A line per finished trial, one per epoch where the log is of epochs, and a heartbeat."""

    opened = False  # whether its workers were there before this began to tell of it

    def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
        """Say how many trials are left, and begin the heartbeat."""
        self._say(self._begin(run, waiting, done))
        self._follow()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended."""
        self._tell_epochs([outcome.trial])
        self._take(outcome)
        self._say(f"[{self.total - len(self.waiting)}/{self.total}] {summary(outcome)}")

    def ended(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()
        self._thread.join()

    def _begin(self, run: Run, waiting: Sequence[Trial], done: int) -> str:
        self.run, self.waiting, self.total = run, list(waiting), len(waiting)
        self.started = time.monotonic()
        self.forecast = Forecast(run.info.execution, len(run.trials), opened=self.opened)
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

    def _follow(self) -> None:
        self._epochs, self._telling = Epochs(self.run), threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(TICK_SECONDS):
            self._tell_epochs(self.waiting)
            if time.monotonic() - last >= HEARTBEAT_SECONDS:
                last = time.monotonic()
                self._beat()

    def _beat(self) -> None:
        active = running(self.run, self.waiting)
        self._say(self._line(active))
        for one in active:
            self._say(f"  {one.describe()}")

    def _tell_epochs(self, trials: Sequence[Trial]) -> None:
        with self._telling:
            for line in self._epochs.lines(trials):
                self._say(line)

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


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
        self._follow()

    def finished(self, outcome: TrialOutcome) -> None:
        """Say how one trial ended, above the display."""
        self._tell_epochs([outcome.trial])
        self._take(outcome)
        self.console.print(summary(outcome))

    def ended(self) -> None:
        """Take the display away."""
        super().ended()
        self.display.stop()

    def _beat(self) -> None:
        """Leave it to the display."""

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        active = running(self.run, self.waiting)
        done = self.total - len(self.waiting) + sum(one.share for one in active)
        overall = Table.grid(padding=(0, 2))
        bar = (
            []
            if self.console.no_color
            else [ProgressBar(total=self.total, completed=done, width=30)]
        )
        overall.add_row(*bar, Text(self._line(active)))
        return Group(overall, *(Text(f"  {one.describe()}") for one in active))


def state(run: Run, waiting: Sequence[Trial], done: int) -> list[str]:
    """Return how far a run is: a line for all of it, and one for each trial at work."""
    lines, active = Lines(), running(run, waiting)
    lines.opened = True
    lines._begin(run, waiting, done)
    lines._foreseen = (0.0, None)
    told = f"{run.directory}: {done} of {len(run.trials)} trials have ended"
    told += lines._left(active) if waiting else ""
    return [told, *(f"  {one.describe()}" for one in active)]


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
    if result.too_short_to_diagnose and not titles:
        titles.append("too short to diagnose")
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
        log, path, unfinished = (
            directory / name
            for name in (run_folder.LOG, run_folder.WINDOWS, run_folder.OPEN_WINDOW)
        )
        window = windows.newest(path, unfinished)
        told = [one for one in (path, unfinished) if one.exists()] if window else [log]
        if not any(one.exists() for one in told):
            continue
        with suppress(FileNotFoundError, ValueError):  # it began anew
            since = time.time() - max(one.stat().st_mtime for one in told)
            budget = trial.cell.schedule.kimg if trial.cell else 0.0
            unit = trial.cell.followed.unit if trial.cell else "kimg"
            label = trial.subject.label + (f" seed {trial.seed}" if trial.cell and several else "")
            probe = windows.last_probe(directory / run_folder.PROBES)
            found.append(Running(trial, label, budget, unit, window, since, probe))
    return found


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
