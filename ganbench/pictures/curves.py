"""What was logged of a training, over the images shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from ganbench.pictures import lettering
from ganbench.pictures.paper import MEDIUM, SMALL, Box, Dashes, Paper, Scale
from ganbench.records.windows import Probe, Unit, Window, distance_and_quality
from ganbench.util.files import write_atomically

WIDTH, HEIGHT, BASE = 1000, 270, 10  # pixels: of the page, of a row, below
LEFT, RIGHT, BELOW = 65, 12, 35  # pixels of a panel around its axes: numbers and "kimg"
TITLE, LINE, LEGEND_COLUMNS = 28, 17, 3  # pixels of its legend above them
HANDLE, GAP = 22, 5  # pixels of a legend's piece of line, and between things
ACROSS, UPWARD = 8, 6  # ticks, at most
MOST_POINTS = 1000  # of a curve: as many as the page has pixels
MOST_CURVES = 12  # of a panel; a legend of more hides what it explains
WIDE = 1000  # between a curve's usual and its largest value: such an axis is logarithmic
LARGEST = 1e30  # beyond it arithmetic of places overflows
FEW_POINTS = 20  # are marked, for a curve of one point would not be seen
STYLES: tuple[Dashes, ...] = ((), (3.7, 1.6), (1.0, 1.65), (6.4, 1.6, 1.0, 1.6))


@dataclass(frozen=True)
class Panel:
    """A plot of the page: which numbers of the windows it shows, and on what axis."""

    title: str
    part: Callable[[Window], Mapping[str, float]]  # of a window: the curves' values
    keys: Mapping[str, str] | None = None  # of the part, with the curves' names; None: all
    share: bool = False  # values are between 0 and 1
    logarithmic: bool = False


PANELS = (
    Panel("terms of the discriminator's loss", lambda window: window.d_terms),
    Panel("terms of the generator's loss", lambda window: window.g_terms),
    Panel(
        "D's mean output",
        lambda window: window.signals,
        {"d_real": "on real images", "d_fake": "on fakes"},
    ),
    Panel(
        "gradient norms",
        lambda window: window.signals,
        {"d_gradient_norm": "discriminator", "g_gradient_norm": "generator"},
        logarithmic=True,
    ),
    Panel(
        "D's accuracy",
        lambda window: window.signals,
        {
            "d_real_accuracy": "real images",
            "d_fake_accuracy": "fakes",
            "g_accuracy": "fakes taken for real in G's steps",
        },
        share=True,
    ),
)

TOGETHER = Panel("distance and quality, each by its largest value", lambda window: {})

Curve = tuple[Sequence[float], Sequence[float]]  # kimg or epochs, value; None of them but finite


def save_curves(
    windows: Sequence[Window], path: Path, unit: Unit = "kimg", probes: Sequence[Probe] = ()
) -> None:
    """Write a PNG of each player's terms, D's outputs and accuracies, and gradient norms.

    Of a critic that was followed by a metric, its estimate and the metric's values stand in one
    panel. Panels of which nothing was logged are left out; values that are not finite are gaps.
    """
    drawn = [(panel, _curves(panel, windows, unit)) for panel in PANELS]
    found = [(panel, curves) for panel, curves in drawn if curves]
    if together := distance_and_quality(windows, probes):
        found.append((TOGETHER, _in_unit(together, windows[-1], unit)))
    height = max(1, math.ceil(len(found) / 2)) * HEIGHT + BASE
    paper = Paper(WIDTH, height)
    for place, (panel, curves) in enumerate(found):
        _draw(paper, _place(place, len(curves)), panel, curves, unit)
    if not found:
        paper.text(WIDTH / 2, height / 2, "no window of training was logged", MEDIUM, "mm")
    picture = paper.picture().convert("RGB")
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))


def _place(number: int, curves: int) -> Box:
    """Return a panel's axes, below its legend's lines."""
    row, column = divmod(number, 2)
    left, top = column * WIDTH / 2, row * HEIGHT
    above = TITLE + LINE * math.ceil(min(curves, MOST_CURVES) / LEGEND_COLUMNS)
    return Box(left + LEFT, top + above, left + WIDTH / 2 - RIGHT, top + HEIGHT - BELOW)


def _curves(panel: Panel, windows: Sequence[Window], unit: Unit = "kimg") -> dict[str, Curve]:
    """By name, in the order in which they first appear; those without any finite value left out."""
    parts = [
        (window.epoch if unit == "epochs" else window.kimg, panel.part(window))
        for window in windows
    ]
    names = panel.keys or {name: name for _, part in parts for name in part}
    found: dict[str, Curve] = {}
    for key, name in names.items():
        curve = _thinned([(x, part[key]) for x, part in parts if key in part])
        if any(math.isfinite(value) for value in curve[1]):
            found[name] = curve
    return found


def _in_unit(
    curves: Mapping[str, Sequence[tuple[float, float]]], last: Window, unit: Unit
) -> dict[str, Curve]:
    """Return curves by kimg in the unit of the page."""
    each = last.epoch / last.kimg if unit == "epochs" else 1.0
    return {name: _thinned([(kimg * each, v) for kimg, v in seen]) for name, seen in curves.items()}


def _thinned(seen: Sequence[tuple[float, float]]) -> Curve:
    """Of each stretch its lowest and its highest value, so that no spike is lost."""
    kept = [(x, _drawable(value)) for x, value in seen]
    if len(kept) > MOST_POINTS:
        size = math.ceil(len(kept) / (MOST_POINTS / 2))
        stretches = [kept[at : at + size] for at in range(0, len(kept), size)]
        ends = [(min(s, key=_value), max(s, key=_value)) for s in stretches]
        kept = [point for pair in ends for point in sorted(pair)]
    return [x for x, _ in kept], [value for _, value in kept]


def _value(point: tuple[float, float]) -> float:
    return point[1]


def _drawable(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST) if math.isfinite(value) else math.nan


def _draw(paper: Paper, box: Box, panel: Panel, curves: Mapping[str, Curve], unit: Unit) -> None:
    shown = dict(list(curves.items())[:MOST_CURVES])
    xs = [x for kimgs, _ in shown.values() for x in kimgs]
    values = [v for _, found in shown.values() for v in found if math.isfinite(v)]
    across = Scale.linear(min(xs), max(xs), ACROSS)
    upward = _scale(panel, values)
    paper.axes(box, across, upward)
    if panel.share:
        half = box.bottom + float(upward.at([0.5])[0]) * (box.top - box.bottom)
        paper.line((box.left, box.right), (half, half), "black", 0.8, dashes=STYLES[2])
    names = []
    for (name, (kimgs, found)), (colour, dashes) in zip(shown.items(), _looks(), strict=False):
        x = box.left + across.at(kimgs) * (box.right - box.left)
        y = box.bottom + upward.at(found) * (box.top - box.bottom)
        paper.line(x, y, colour, dashes=dashes, within=box)
        if len(found) < FEW_POINTS:
            paper.marks(x, y, colour, within=box)
        zero = panel.logarithmic and not any(found)
        names.append((f"{name} (0 throughout)" if zero else name, colour, dashes))
    left_out = len(curves) - len(shown)
    title = f"{panel.title} ({left_out} more left out)" if left_out else panel.title
    _legend(paper, box, title, names)
    below = box.bottom + BELOW - 1
    paper.text(box.right, below, "epoch" if unit == "epochs" else unit, anchor="rd")


def _legend(paper: Paper, box: Box, title: str, names: Sequence[tuple[str, str, Dashes]]) -> None:
    """Write the title and the curves' names above the axes, where they hide nothing."""
    lines = math.ceil(len(names) / LEGEND_COLUMNS)
    left = box.left
    paper.text(left, box.top - lines * LINE - GAP, title, MEDIUM, "ld", bold=True)
    for first in range(0, len(names), lines):
        column = names[first : first + lines]
        for line, (name, colour, dashes) in enumerate(column):
            middle = box.top - GAP + (line - lines + 0.5) * LINE
            paper.line((left, left + HANDLE), (middle, middle), colour, dashes=dashes)
            paper.text(left + HANDLE + GAP, middle, name, anchor="lm")
        left += HANDLE + 4 * GAP + max(lettering.width(name, SMALL) for name, *_ in column)


def _looks() -> Iterator[tuple[str, Dashes]]:
    return cycle([(f"C{i}", style) for style in STYLES for i in range(10)])


def _scale(panel: Panel, values: Sequence[float]) -> Scale:
    sizes = sorted(abs(value) for value in values if value)
    usual = max(1.0, sizes[len(sizes) // 2]) if sizes else 1.0
    if panel.share:
        return Scale.linear(0.0, 1.0, UPWARD, margin=0.03)
    if panel.logarithmic and sizes:
        return Scale.log(sizes[0], sizes[-1])
    if sizes and sizes[-1] > WIDE * usual:
        return Scale.symlog(min(values), max(values), usual)
    return Scale.linear(min(values), max(values), UPWARD)
