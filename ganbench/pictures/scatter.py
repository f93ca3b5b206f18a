"""Generated points of the plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from ganbench.contracts.images import Mixture
from ganbench.util.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 5000


def save_scatter(points: Tensor, mixture: Mixture | None, path: Path) -> None:
    """Write a PNG of generated points (N, 2) over the centres of the real ones."""
    figure = _figure(points, mixture)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png"))


def draw_scatter(points: Tensor, mixture: Mixture | None) -> Image.Image:
    """Return what `save_scatter` saves, as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(_figure(points, mixture))
    canvas.draw()
    return Image.frombytes("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")


def _figure(points: Tensor, mixture: Mixture | None) -> Figure:
    from matplotlib.figure import Figure  # not pyplot, which would want a display and keep state

    figure = Figure(figsize=(5, 5), dpi=100)
    axes = figure.subplots()
    x, y = points[:MOST_POINTS].T.numpy()
    axes.scatter(x, y, s=3, alpha=0.3, label="generated")
    if mixture is not None:
        x, y = mixture.centers.T.numpy()
        axes.scatter(x, y, s=40, marker="x", color="black", label="centres")
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    axes.legend(loc="upper right")
    figure.subplots_adjust(0.11, 0.07, 0.98, 0.94)  # tight_layout would draw it twice
    return figure
