"""How fast a trial trained and sampled, and what it needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from ganbench import Column, Evaluation, Metric, Probe, Unavailable, Watch, hookimpl


@dataclass(kw_only=True)
class Throughput(Metric):
    """Medians over windows of training, the first left out as warm-up; sampling; peak memory."""

    name = "throughput"

    @property
    def columns(self) -> tuple[Column, ...]:
        timing: dict[str, Any] = {"kind": "timing", "rel_tol": 0.05}
        return (
            Column("train-images-per-s", "1/s", "max", 0, "train img/s", gated=True, **timing),
            Column("g-steps-per-s", "1/s", "max", 1, "G steps/s", **timing),
            Column("sample-images-per-s", "1/s", "max", 0, "sample img/s", **timing),
            Column("peak-memory-mb", "MB", "min", 0, "peak MB", **timing),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        timings = evaluation.timings
        if timings is None:
            raise Unavailable("nothing was trained")
        values = {
            "train-images-per-s": _median(timings.images_per_second),
            "g-steps-per-s": _median(timings.g_steps_per_second),
            "sample-images-per-s": timings.samples_per_second,
            "peak-memory-mb": timings.peak_memory_bytes and timings.peak_memory_bytes / 1e6,
        }
        return {name: value for name, value in values.items() if value is not None}


def _median(windows: tuple[float, ...]) -> float | None:
    """Return the median of all windows but the first; of a run of one window, that one."""
    return median(windows[1:] or windows) if windows else None


@dataclass(kw_only=True)
class TimeTo(Metric):
    """Seconds of training, and thousands of images, until a number first reaches a target.

    The number is taken at `points` times through the budget, each from `num_samples` samples, with
    the clock stopped: it is that of the first such time, so both columns are rounded up to a step.
    """

    name = "time-to"
    targets: dict[str, float]  # columns of other metrics of the file, such as fid@mnist-cnn-v1: 20
    num_samples: int = 5000
    points: int = 20

    def __post_init__(self) -> None:
        for name, value in (("num_samples", self.num_samples), ("points", self.points)):
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")
        if not self.targets:
            raise ValueError("targets is empty; name a column and its target, as in {modes: 8}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(
                f"{what}-to-{name}={target:g}",
                unit,
                "min",
                digits,
                title=f"{unit} to {name} {target:g}",
            )
            for name, target in self.targets.items()
            for what, unit, digits in (("time", "s", 1), ("kimg", "kimg", 1))
        )

    @property
    def watch(self) -> Watch:
        return Watch(tuple(self.targets), self.num_samples, self.points)

    def compute(self, evaluation: Evaluation) -> dict[str, float | Unavailable]:
        if not evaluation.probes:
            raise Unavailable("nothing was trained")
        values: dict[str, float | Unavailable] = {}
        for name, target in self.targets.items():
            first = next((p for p in evaluation.probes if _reached(p, name, target)), None)
            why = Unavailable(f"{name} did not reach {target:g}")
            values[f"time-to-{name}={target:g}"] = first.seconds if first else why
            values[f"kimg-to-{name}={target:g}"] = first.kimg if first else why
        return values


def _reached(probe: Probe, name: str, target: float) -> bool:
    value = probe.values.get(name)
    if value is None:
        return False
    return value >= target if probe.directions[name] == "max" else value <= target


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(Throughput)
    register(TimeTo)
