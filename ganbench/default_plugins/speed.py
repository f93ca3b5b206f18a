"""How fast a trial trained and sampled, and what it needed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl


@dataclass(kw_only=True)
class Throughput(Metric):
    """Medians over windows of training, the first left out as warm-up; sampling; peak memory."""

    name = "throughput"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column("train-images-per-s", "1/s", "max", digits=0, title="train img/s"),
            Column("g-steps-per-s", "1/s", "max", digits=1, title="G steps/s"),
            Column("sample-images-per-s", "1/s", "max", digits=0, title="sample img/s"),
            Column("peak-memory-mb", "MB", "min", digits=0, title="peak MB"),
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
    """Of all windows but the first; of a run of one window, that one."""
    return median(windows[1:] or windows) if windows else None


@hookimpl
def register_metrics(register) -> None:
    register(Throughput)
