"""Pictures of samples and of their training."""

from ganbench.pictures.curves import save_curves
from ganbench.pictures.grids import (
    GAP,
    MARGIN,
    draw_grid,
    grid_classes,
    grid_labels,
    save_grid,
)
from ganbench.pictures.neighbours import save_neighbours
from ganbench.pictures.progress import ProgressFrames, points
from ganbench.pictures.scatter import save_scatter

__all__ = [
    "GAP",
    "MARGIN",
    "ProgressFrames",
    "draw_grid",
    "grid_classes",
    "grid_labels",
    "points",
    "save_curves",
    "save_grid",
    "save_neighbours",
    "save_scatter",
]
