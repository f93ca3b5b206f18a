"""Axes, lines, marks and letters, drawn at once on a page of pixels.

Lines are matplotlib's Agg renderer's and letters Pillow's. Of a figure of matplotlib, with its
hundreds of artists, a page of curves takes about a second of a slow core, as long as all else of a
short trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageDraw

from ganbench.pictures import lettering

if TYPE_CHECKING:
    from matplotlib.backend_bases import GraphicsContextBase
    from matplotlib.path import Path as Vertices

DPI = 100  # pixels of an inch, of which a point is 1/72
SMALL, MEDIUM = 11, 14  # pixels of letters: 8 and 10 points
TICK, PAD = 5, 3  # pixels of a tick, and between it and its number
EPS = 1e-6  # of a side
MARGIN = 0.05  # of the values' range, around them
GREY = "#b0b0b0"

Colour = str | tuple[float, float, float]
Dashes = tuple[float, ...]  # lengths on and off, as multiples of the line's width; none: solid
Mark = Literal["dot", "cross"]


@dataclass(frozen=True)
class Box:
    """A part of the page, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Scale:
    """Values along one side of a box, from `low` to `high` with some room around, and its ticks.

    `threshold`: values are linear up to it, and logarithmic beyond it, of either sign. Of a
    logarithmic scale both ends are positive.
    """

    low: float
    high: float
    ticks: tuple[float, ...] = ()
    logarithmic: bool = False
    threshold: float | None = None

    @classmethod
    def linear(cls, low: float, high: float, most_ticks: int, margin: float = MARGIN) -> Scale:
        """Return a scale whose ticks, at most so many and one, are round numbers."""
        from matplotlib.ticker import MaxNLocator

        around = margin * (high - low) or margin * abs(high) or margin
        low, high = low - around, high + around
        ticks = MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        return cls(low, high)._with(ticks)

    @classmethod
    def log(cls, low: float, high: float) -> Scale:
        """Return a scale of powers of ten, and with few of them of their double and fivefold."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        decades = math.log10(high) - math.log10(low)
        around = 10 ** (MARGIN * decades or MARGIN / 2)
        low, high = low / around, high * around
        if decades < 0.7:
            ticks = MaxNLocator(5).tick_values(low, high)
        else:
            ticks = LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)).tick_values(low, high)
        return cls(low, high, logarithmic=True)._with(ticks)

    @classmethod
    def symlog(cls, low: float, high: float, threshold: float) -> Scale:
        """Return a scale that is linear around zero, and logarithmic beyond the threshold."""
        from matplotlib.ticker import SymmetricalLogLocator

        ticks = SymmetricalLogLocator(base=10, linthresh=threshold).tick_values(low, high)
        bare = cls(low, high, threshold=threshold)
        from_, to = bare._along(low), bare._along(high)
        around = MARGIN * (to - from_)
        low, high = (float(bare._back(x)) for x in (from_ - around, to + around))
        return replace(bare, low=low, high=high)._with(ticks)

    def at(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return where values lie, as shares of the side; NaN where they cannot."""
        low, high = self._along(self.low), self._along(self.high)
        return (self._along(values) - low) / (high - low)

    def _with(self, ticks: Sequence[float]) -> Scale:
        """Return the scale with those ticks that lie on it."""
        places = self.at(ticks)
        return replace(
            self,
            ticks=tuple(float(t) for t, x in zip(ticks, places, strict=True) if -EPS < x < 1 + EPS),
        )

    def _along(self, values: Sequence[float] | np.ndarray | float) -> np.ndarray:
        found = np.asarray(values, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.logarithmic:
                return np.log10(np.where(found > 0, found, np.nan))
            if self.threshold is None:
                return found
            size = np.abs(found) / self.threshold
            return np.sign(found) * np.where(size <= 1, size, 1 + np.log10(np.maximum(size, 1)))

    def _back(self, place: np.ndarray) -> np.ndarray:
        assert self.threshold is not None
        size = np.abs(place)
        beyond = np.power(10.0, np.maximum(size - 1, 0))
        return np.sign(place) * self.threshold * np.where(size <= 1, size, beyond)

    def numbers(self) -> list[str]:
        """Return what stands beside the ticks: as few digits as tell neighbours apart."""
        gaps = [b - a for a, b in zip(self.ticks, self.ticks[1:], strict=False)]
        digits = 6
        if gaps and not self.logarithmic and self.threshold is None:
            largest = max(map(abs, self.ticks))
            digits = max(digits, 2 + math.floor(math.log10(largest) - math.log10(min(gaps))))
        return [f"{tick:.{digits}g}".replace("-", "−") for tick in self.ticks]


class Paper:
    """A white page of pixels. Letters stand above all lines."""

    def __init__(self, width: int, height: int, *, transparent: bool = False) -> None:
        from matplotlib.backends.backend_agg import RendererAgg

        self._width, self._height = width, height
        self._agg = RendererAgg(width, height, DPI)
        self._letters: list[Callable[[ImageDraw.ImageDraw], None]] = []
        if not transparent:
            self.rectangle(Box(0, 0, width, height), fill="white", edge=None)

    def picture(self) -> Image.Image:
        """Return the page as it is now, RGBA."""
        found = Image.fromarray(np.array(self._agg.buffer_rgba()))
        draw = ImageDraw.Draw(found)
        for write in self._letters:
            write(draw)
        return found

    def line(
        self,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        colour: Colour,
        points: float = 1.1,
        *,
        dashes: Dashes = (),
        alpha: float = 1.0,
        within: Box | None = None,
        crisp: bool = False,
    ) -> None:
        """Draw a line through pixels, with gaps at NaN. `crisp`: it runs along the pixels."""
        from matplotlib.transforms import IdentityTransform

        gc = self._pen(colour, points, alpha, within)
        gc.set_snap(crisp)
        if dashes:
            gc.set_dashes(0, [points * length for length in dashes])
        self._agg.draw_path(gc, self._path(x, y), IdentityTransform())

    def marks(
        self,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        colour: Colour,
        mark: Mark = "dot",
        pixels: float = 4,
        *,
        alpha: float = 1.0,
        within: Box | None = None,
    ) -> None:
        """Draw a mark of so many pixels at each place; none at NaN."""
        from matplotlib.colors import to_rgb
        from matplotlib.path import Path
        from matplotlib.transforms import Affine2D, IdentityTransform

        cross = Path([(-1, -1), (1, 1), (-1, 1), (1, -1)], [1, 2, 1, 2])
        gc = self._pen(colour, 1.5 if mark == "cross" else 0, alpha, within)
        shape, face = (cross, None) if mark == "cross" else (Path.unit_circle(), to_rgb(colour))
        size = Affine2D().scale(pixels / 2)
        self._agg.draw_markers(gc, shape, size, self._path(x, y), IdentityTransform(), face)

    def rectangle(
        self,
        box: Box,
        *,
        fill: Colour | None = None,
        edge: Colour | None = "black",
        alpha: float = 1.0,
    ) -> None:
        """Fill a box, and draw its edge."""
        from matplotlib.colors import to_rgb
        from matplotlib.transforms import IdentityTransform

        gc = self._pen(edge or "white", 0.8 if edge else 0, alpha, None)
        gc.set_snap(True)
        x = (box.left, box.right, box.right, box.left, box.left)
        y = (box.top, box.top, box.bottom, box.bottom, box.top)
        face = None if fill is None else to_rgb(fill)
        self._agg.draw_path(gc, self._path(x, y, closed=True), IdentityTransform(), face)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = SMALL,
        anchor: str = "ls",
        *,
        bold: bool = False,
    ) -> None:
        """Write a line; `anchor` is Pillow's: l, m or r and a, m, s or b for where x and y are."""
        font = lettering.font(size, bold=bold)
        self._letters.append(
            lambda draw: draw.text((x, y), text, fill="black", font=font, anchor=anchor)
        )

    def axes(self, box: Box, across: Scale, upward: Scale, *, grid: bool = True) -> None:
        """Draw the frame of a plot, with ticks and numbers below it and to its left."""
        for place, number in _apart(across, box.left, box.right, _half_widths):
            if grid:
                self.line((place, place), (box.top, box.bottom), GREY, 0.8, alpha=0.3, crisp=True)
            below = box.bottom + TICK
            self.line((place, place), (box.bottom, below), "black", 0.8, crisp=True)
            self.text(place, below + PAD, number, anchor="ma")
        for place, number in _apart(upward, box.bottom, box.top, _half_heights):
            if grid:
                self.line((box.left, box.right), (place, place), GREY, 0.8, alpha=0.3, crisp=True)
            self.line((box.left - TICK, box.left), (place, place), "black", 0.8, crisp=True)
            self.text(box.left - TICK - PAD, place, number, anchor="rm")
        self.rectangle(box)

    def _pen(
        self, colour: Colour, points: float, alpha: float, within: Box | None
    ) -> GraphicsContextBase:
        from matplotlib.transforms import Bbox

        gc = self._agg.new_gc()
        gc.set_foreground(colour)
        gc.set_linewidth(points)
        gc.set_alpha(alpha)
        gc.set_joinstyle("round")
        if within is not None:
            low, high = self._height - within.bottom, self._height - within.top
            gc.set_clip_rectangle(Bbox([(within.left, low), (within.right, high)]))
        return gc

    def _path(
        self,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        *,
        closed: bool = False,
    ) -> Vertices:
        from matplotlib.path import Path

        upwards = self._height - np.asarray(y, dtype=np.float64)
        return Path(np.column_stack([np.asarray(x, dtype=np.float64), upwards]), closed=closed)


def _apart(
    scale: Scale, start: float, end: float, half: Callable[[str], float]
) -> list[tuple[float, str]]:
    """Return the ticks' places and numbers, without those that would touch the one before."""
    found: list[tuple[float, str]] = []
    for share, number in zip(scale.at(scale.ticks), scale.numbers(), strict=True):
        place = start + share * (end - start)
        if not found or abs(place - found[-1][0]) >= half(number) + half(found[-1][1]):
            found.append((place, number))
    return found


def _half_widths(number: str) -> float:
    return lettering.width(number, SMALL) / 2 + PAD


def _half_heights(number: str) -> float:
    return SMALL / 2
