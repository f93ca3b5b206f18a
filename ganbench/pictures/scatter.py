"""Generated points of the plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from ganbench.contracts.images import Mixture
from ganbench.util.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist

MOST_POINTS = 5000


def save_scatter(points: Tensor, mixture: Mixture | None, path: Path) -> None:
    """Write a PNG of generated points (N, 2) over the centres of the real ones."""
    ScatterPlot(mixture).save(points, path)


class ScatterPlot:
    """A plot that points are drawn into again and again: its axes are drawn once."""

    def __init__(self, mixture: Mixture | None) -> None:
        """`mixture` has the centres, which are drawn above the points."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure  # not pyplot, which would keep state

        figure = Figure(figsize=(5, 5), dpi=100)
        self._canvas = FigureCanvasAgg(figure)
        self._axes = axes = figure.subplots()
        self._points = axes.scatter([], [], s=3, alpha=0.3, label="generated")
        self._above: list[Artist] = []
        if mixture is not None:
            x, y = mixture.centers.T.numpy()
            drawn = axes.scatter(x, y, s=40, marker="x", color="black", label="centres")
            self._above.append(drawn)
        self._above.append(axes.legend(loc="upper right"))
        axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
        figure.subplots_adjust(0.11, 0.07, 0.98, 0.94)  # tight_layout would draw it twice
        artists = [self._points, *self._above]
        for artist in artists:
            artist.set_visible(False)
        self._canvas.draw()
        for artist in artists:
            artist.set_visible(True)
        self._empty = self._canvas.copy_from_bbox(figure.bbox)

    def drawn(self, points: Tensor) -> Image.Image:
        """Return the plot with these points (N, 2) in it, of which the first 5000 are drawn."""
        canvas = self._canvas
        canvas.restore_region(self._empty)
        self._points.set_offsets(points[:MOST_POINTS].numpy())
        for artist in (self._points, *self._above):
            self._axes.draw_artist(artist)
        size = canvas.get_width_height()
        return Image.frombytes("RGBA", size, canvas.buffer_rgba()).convert("RGB")

    def save(self, points: Tensor, path: Path) -> None:
        """Write a PNG of the plot with these points (N, 2) in it."""
        picture = self.drawn(points)
        write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
