"""What is measured along a trial: windows of training, probes, timings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from ganbench.records import stored
from ganbench.util import files, sealed

T = TypeVar("T")
MOST_WINDOWS = 3000

DISTURBED = 0.05  # of a core: timings of a trial that was kept waiting for more are marked


Unit = Literal["kimg", "epochs"]
"""What a training is told in."""


@dataclass(frozen=True)
class Window:
    """A stretch of training between two reads of the clock, with the mean of every term."""

    kimg: float
    iteration: int
    seconds: float
    images_per_second: float
    g_steps_per_second: float
    d_terms: dict[str, float]
    g_terms: dict[str, float]
    signals: dict[str, float] = field(default_factory=dict)
    """Means of a few looks: d_real and d_fake (D's output in its own steps), d_gradient_norm and
    g_gradient_norm; where the loss has a boundary, the shares that D takes for what they are
    (d_real_accuracy, d_fake_accuracy) and the share of G's images that it takes for real
    (g_accuracy)."""
    kept_waiting: float | None = None
    """Share of a core for which other programs kept its threads waiting; None: not known."""
    epoch: float = 0.0  #: at its end: times that D was shown all of the data, in whole batches
    progress: float = 0.0  #: at its end: share of the budget that is spent


@dataclass(frozen=True)
class Probe:
    """Numbers of a generator on its way; the seconds are of training alone."""

    kimg: float
    seconds: float
    values: dict[str, float | None]  #: by column
    directions: dict[str, str] = field(default_factory=dict)  #: of the columns: min, max or none


@dataclass(frozen=True)
class Timings:
    """What one trial took. Windows are stretches of training between two reads of the clock."""

    train_seconds: float = 0.0
    images_per_second: tuple[float, ...] = ()  #: real images shown to D, one value a window
    g_steps_per_second: tuple[float, ...] = ()
    samples_per_second: float | None = None
    peak_memory_bytes: int | None = None  #: of a GPU's tensors, else of the process
    peak_reserved_bytes: int | None = None  #: that torch took of a GPU's memory for them
    peak_host_bytes: int | None = None  #: of the process, beside a GPU too
    alone: bool = True  #: no other trial shared the machine, and no program its cores
    kept_waiting: float | None = None  #: share of a core, by other programs; None: not known
    without_graph: str = ""
    """Why iterations were not captured as a graph, where `training.compile` asked for that."""


def distance_and_quality(
    windows: Sequence[Window], probes: Sequence[Probe]
) -> dict[str, list[tuple[float, float]]]:
    """Return a critic's estimate of the distance and what was followed beside it, by kimg.

    Each is divided by the largest of its absolute values, so that one axis takes all: they should
    go down together (Arjovsky et al., 2017). Without a critic, or without anything followed that
    is to be small or large, there is nothing.
    """
    estimate = [(w.kimg, -w.d_terms["wasserstein"]) for w in windows if "wasserstein" in w.d_terms]
    followed: dict[str, list[tuple[float, float]]] = {}
    for probe in probes:
        for name, value in probe.values.items():
            if value is not None and probe.directions.get(name) in ("min", "max"):
                followed.setdefault(name, []).append((probe.kimg, value))
    if not estimate or not followed:
        return {}
    return {
        name: [(kimg, value / largest) for kimg, value in places]
        for name, places in {"Wasserstein estimate": estimate, **followed}.items()
        if (largest := max((abs(v) for _, v in places if math.isfinite(v)), default=0.0))
    }


def append(path: Path, window: Window) -> None:
    """Add a window to a trial's log, in a line that carries its SHA-256."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(sealed.with_seal(asdict(window))) + "\n")


def append_probe(path: Path, probe: Probe) -> None:
    """Add a probe to a trial's file of them, in a line that carries its SHA-256."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(sealed.with_seal(asdict(probe))) + "\n")


def last_probe(path: Path) -> Probe | None:
    """Return the last whole probe of a trial's file of them."""
    return next(iter(_parsed(reversed(_content(path).splitlines()), Probe)), None)


def write_open(path: Path, window: Window) -> None:
    """Write how far the window that is open has come, with the means so far.

    Not with one that is not finite, of which the window's end will tell.
    """
    means = (*window.d_terms.values(), *window.g_terms.values(), *window.signals.values())
    if all(map(math.isfinite, means)):
        sealed.write_json(path, asdict(window))


def newest(log: Path, unfinished: Path) -> Window | None:
    """Return the last of a trial's log and the one that is open, whichever is further."""
    found = [last(log), *_parsed([line] if (line := _content(unfinished)) else [])]
    return max((w for w in found if w), key=lambda window: window.iteration, default=None)


def after(path: Path, place: int) -> tuple[list[Window], int]:
    """Return the whole windows of a log beyond a place in its bytes, and the place behind them.

    A log that has become shorter began anew, and is read from its beginning.
    """
    content = _content(path)
    place = place if place <= len(content) else 0
    end = content.rfind(b"\n") + 1
    return list(_parsed(content[place:end].splitlines())), max(end, place)


def read(path: Path) -> tuple[Window, ...]:
    """Return the windows of a trial's log, of a long one evenly spread ones.

    What is not as it was written, or not whole as a line that is being written, is left out.
    """
    lines = _content(path).splitlines()
    return tuple(_parsed(lines[:: -(-len(lines) // MOST_WINDOWS) or 1]))


def last(path: Path) -> Window | None:
    """Return the last whole window of a trial's log."""
    return next(iter(_parsed(reversed(_content(path).splitlines()))), None)


def _content(path: Path) -> bytes:
    try:
        return files.read_bytes(path)
    except OSError:
        return b""


def _parsed(lines: Iterable[bytes], kind: type[T] = Window) -> Iterator[T]:  # type: ignore[assignment]
    for line in lines:
        try:
            found = files.parse_json(line)
            one = stored.typed(kind, found)
        except ValueError:  # pydantic's is one
            continue
        if sealed.is_as_written(found):
            yield one
