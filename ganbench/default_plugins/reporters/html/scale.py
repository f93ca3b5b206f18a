"""From values to places on an axis, in percent, so that charts fit any width."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MARGIN = 4.0  # percent at each end
SPAN = 30.0  # positive values that differ by such a factor are shown by their logarithms
MOST_TICKS = 5
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """An axis from its low to its high end, linear or logarithmic."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Collection[float], span: float = SPAN) -> Scale:
        """Return a scale that holds all values, logarithmic where they span more than `span`."""
        low, high = min(values), max(values)
        if low > 0 and high / low > span:
            return cls(low, high, True)
        if low == high or not math.isfinite(high - low):
            pad = abs(low) * 0.1 or 1.0
            return cls(low - pad, high + pad)
        return cls(low, high)

    def at(self, value: float) -> float:
        """Return the place in percent from the low end; what is beyond an end stands at it."""
        value = min(max(value, self.low), self.high)
        low, high, value = (self._place(v) for v in (self.low, self.high, value))
        part = (value - low) / (high - low)
        return round(MARGIN + part * (100 - 2 * MARGIN), 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Return round values, and as what they are shown."""
        return [(v, compact(v)) for v in (self._decades() if self.is_log else self._steps())]

    def _place(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def _steps(self) -> Iterator[float]:
        rough = (self.high - self.low) / MOST_TICKS
        if not (0 < rough < math.inf):
            return
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((m * power for m in (1, 2, 5) if m * power >= rough), 10 * power)
        first = math.ceil(self.low / step - 1e-9)
        for i in range(first, math.floor(self.high / step + 1e-9) + 1):
            yield float(f"{i * step:.10g}")

    def _decades(self) -> Iterator[float]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        every = max(1, math.ceil((last - first + 1) / MOST_TICKS))
        for power in range(first, last + 1, every):
            yield float(f"1e{power}")


def compact(value: float, digits: int = 4) -> str:
    """Return a number in short: `0.25`, `1.5k`, `2M`, `1e-07`."""
    for size, prefix in _PREFIXES:
        if size <= abs(value) < 1e12:
            return f"{value / size:.{digits}g}{prefix}".replace("-", "\N{MINUS SIGN}", 1)
    text = f"{value:.{digits}g}"
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text


def told_apart(low: float, high: float) -> tuple[str, str]:
    """Return both ends of an axis in short, with three digits or as many as tell them apart."""
    for digits in range(3, 9):
        found = compact(low, digits), compact(high, digits)
        if low == high or found[0] != found[1]:
            break
    return found
