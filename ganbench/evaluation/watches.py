"""Numbers that metrics want followed while a trial trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.contracts.metrics import Metric, Watch
from ganbench.util.messages import known, suggestion


@dataclass(frozen=True)
class Watched:
    """What all watches of a cell together ask for."""

    columns: frozenset[str]
    metrics: tuple[Metric, ...]  # those that give the columns
    num_samples: int
    points: int

    @classmethod
    def of(cls, metrics: Sequence[Metric]) -> Watched:
        """Return what these metrics' watches ask for; of none, no columns and no points."""
        watches = _watches(metrics)
        columns = frozenset(name for watch in watches for name in watch.columns)
        return cls(
            columns,
            tuple(m for m in metrics if columns & {column.name for column in m.columns}),
            max((watch.num_samples for watch in watches), default=0),
            max((watch.points for watch in watches), default=0),
        )

    def images(self, kimg: float) -> list[int]:
        """Return after how many real images to evaluate, evenly spread over the budget."""
        return [round(1000 * kimg * (i + 1) / self.points) for i in range(self.points)]


def unsupported(metrics: Sequence[Metric]) -> str | None:
    """Return a sentence on a watched column that no metric gives, or None."""
    given = [c.name for metric in metrics if metric.watch is None for c in metric.columns]
    for watch in _watches(metrics):
        for name in watch.columns:
            if name not in given:
                return (
                    f"'{name}' is to be followed, and no metric of this file gives it"
                    f"{suggestion(name, given)}{known(given)}"
                )
    return None


def _watches(metrics: Sequence[Metric]) -> list[Watch]:
    return [metric.watch for metric in metrics if metric.watch is not None]
