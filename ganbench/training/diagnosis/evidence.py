"""What a training leaves behind, and how it is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from statistics import median

from ganbench.records.windows import Window
from ganbench.training.diagnosis.setup import Setup

Series = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a training; whatever is missing is not looked at."""

    windows: Sequence[Window] = ()
    diversity: Sequence[tuple[float, float]] = ()  # by kimg, of the same latents
    real_diversity: float | None = None  # of as many real images, of the same labels
    values: Mapping[str, float | None] = field(default_factory=dict)  # of metrics, by column
    num_modes: int = 0  # or classes; 0: none are known
    num_samples: int = 0  # that the metrics saw
    failure: str = ""  # what Diverged said
    checkerboard: tuple[float, float] | None = None  # of the last samples, as `checkerboard` gives
    real_checkerboard: tuple[float, float] | None = None  # of as many real images
    setup: Setup | None = None  # what was trained; None: nothing is known of it

    @property
    def iterations(self) -> int:
        """The iterations that the log has."""
        return self.windows[-1].iteration if self.windows else 0

    def signal(self, name: str) -> Series:
        """Return a signal, such as d_real, of each window that has it."""
        return [w.signals[name] for w in self.windows if name in w.signals]

    def terms(self) -> Iterator[tuple[str, Series]]:
        """Yield each term of either player, by a name that says whose it is."""
        for player, part in PLAYERS.items():
            names = dict.fromkeys(name for window in self.windows for name in part(window))
            for name in names:
                yield (
                    f"the {player}'s term '{name}'",
                    [part(window)[name] for window in self.windows if name in part(window)],
                )

    @cached_property
    def distance(self) -> Series:
        """How much higher D's output is on real images than on fakes, window by window."""
        both = [w.signals for w in self.windows if {"d_real", "d_fake"} <= w.signals.keys()]
        return [signals["d_real"] - signals["d_fake"] for signals in both]

    @property
    def is_critic(self) -> bool:
        """Whether D estimates a Wasserstein distance, which shrinks as samples improve."""
        return any("wasserstein" in window.d_terms for window in self.windows)

    @property
    def spread(self) -> float | None:
        """The last samples' diversity as a part of the real images'."""
        if not self.diversity or not self.real_diversity:
            return None
        ratio = self.diversity[-1][1] / self.real_diversity
        return ratio if math.isfinite(ratio) else None

    def value(self, name: str) -> float | None:
        """Return the first column of that name, whatever definition or features it adds."""
        for column, value in self.values.items():
            if column == name or column.startswith((f"{name}[", f"{name}@")):
                return value
        return None


PLAYERS: Mapping[str, Callable[[Window], Mapping[str, float]]] = {
    "discriminator": lambda window: window.d_terms,
    "generator": lambda window: window.g_terms,
}


def early(series: Series) -> float:
    """Return the median of the first half."""
    return median(series[: max(1, len(series) // 2)])


def late(series: Series) -> float:
    """Return the median of the last half: what lasted."""
    return median(series[len(series) // 2 :])


def quarters(series: Series) -> list[float]:
    """Return the medians of four stretches of a series of at least four values."""
    ends = [round(len(series) * i / 4) for i in range(5)]
    return [median(series[start:end]) for start, end in pairwise(ends)]
