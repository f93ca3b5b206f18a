"""Numbers that metrics want followed while a trial trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.contracts.feature_extractors import FeatureExtractor
from ganbench.contracts.metrics import Metric, Watch
from ganbench.registry import extractor_labels
from ganbench.registry.registry import Registry
from ganbench.util.messages import known, suggestion

FEW_SAMPLES = 2000  # that numbers on the way are taken of, where a benchmark judges more


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


def cheap(metrics: Sequence[Metric], registry: Registry) -> tuple[Metric, ...]:
    """Return those that `evaluation.every` measures on the way.

    They say that they are cheap, and so does the extractor of their features, if they have any.
    """
    return tuple(m for m in metrics if m.cheap and not _is_slow(m, registry))


def _is_slow(metric: Metric, registry: Registry) -> bool:
    """Whether its features come of a network that takes its time."""
    features = getattr(metric, "features", None)
    if not isinstance(features, str):
        return False
    name, _ = extractor_labels.parse(features)
    extractor: type[FeatureExtractor] = registry.lookup("feature extractor", name).cls
    return extractor.slow


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
