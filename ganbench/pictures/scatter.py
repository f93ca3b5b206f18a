"""Generated points of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ganbench.contracts.images import Mixture
from ganbench.pictures import lettering
from ganbench.pictures.paper import MEDIUM, Box, Mark, Paper, Scale
from ganbench.util.files import write_atomically

MOST_POINTS = 5000
SIDE = 500  # pixels
PLOT = Box(55, 30, 490, 465)
SIDES = Scale.linear(-1.0, 1.0, 9)


@dataclass(frozen=True)
class Look:
    """How a kind of points is drawn and called."""

    name: str
    colour: str
    mark: Mark
    pixels: float
    alpha: float = 1.0  # of one; in the legend they are not seen through

    def draw(self, paper: Paper, points: Sequence[tuple[float, float]] | np.ndarray) -> None:
        """Mark points of the plane, as far as they lie in the plot."""
        x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        across = PLOT.left + SIDES.at(x) * (PLOT.right - PLOT.left)
        upward = PLOT.bottom + SIDES.at(y) * (PLOT.top - PLOT.bottom)
        paper.marks(
            across, upward, self.colour, self.mark, self.pixels, alpha=self.alpha, within=PLOT
        )


GENERATED = Look("generated", "C0", "dot", 4.0, alpha=0.3)
CENTRES = Look("centres", "black", "cross", 9.0)


def save_scatter(points: Tensor, mixture: Mixture | None, path: Path) -> None:
    """Write a PNG of generated points (N, 2) over the centres of the real ones."""
    ScatterPlot(mixture).save(points, path)


class ScatterPlot:
    """A plot that points are drawn into again and again: its axes are drawn once."""

    def __init__(self, mixture: Mixture | None) -> None:
        """`mixture` has the centres, which are drawn above the points."""
        below = Paper(SIDE, SIDE)
        below.axes(PLOT, SIDES, SIDES, grid=False)
        self._below = below.picture()
        above = Paper(SIDE, SIDE, transparent=True)
        if mixture is not None:
            CENTRES.draw(above, mixture.centers.numpy())
        _legend(above, [GENERATED] if mixture is None else [GENERATED, CENTRES])
        self._above = above.picture()

    def drawn(self, points: Tensor) -> Image.Image:
        """Return the plot with these points (N, 2) in it, of which the first 5000 are drawn."""
        paper = Paper(SIDE, SIDE, transparent=True)
        GENERATED.draw(paper, points[:MOST_POINTS].numpy())
        shown = Image.alpha_composite(self._below, paper.picture())
        return Image.alpha_composite(shown, self._above).convert("RGB")

    def save(self, points: Tensor, path: Path) -> None:
        """Write a PNG of the plot with these points (N, 2) in it."""
        picture = self.drawn(points)
        write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))


def _legend(paper: Paper, looks: Sequence[Look]) -> None:
    """Name what is drawn, in the plot's upper right corner."""
    width = 40 + max(lettering.width(look.name, MEDIUM) for look in looks)
    box = Box(PLOT.right - 6 - width, PLOT.top + 6, PLOT.right - 6, PLOT.top + 12 + 21 * len(looks))
    paper.rectangle(box, fill="white", edge="#cccccc", alpha=0.8)
    for line, look in enumerate(looks):
        middle = box.top + 13.5 + 21 * line
        paper.marks([box.left + 18], [middle], look.colour, look.mark, look.pixels)
        paper.text(box.left + 34, middle, look.name, MEDIUM, "lm")
