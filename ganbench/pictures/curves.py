"""What was logged of a training, over the images shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.records.windows import Probe, Unit, Window, distance_and_quality
from ganbench.util.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, BASE, DPI = 10.0, 2.7, 0.1, 100  # inches: of the page, of a row, below; per inch
LEFT, RIGHT, BELOW = 0.65, 0.12, 0.35  # inches of a panel around its axes: numbers and "kimg"
TITLE, LINE, LEGEND_COLUMNS = 0.28, 0.17, 3  # inches of its legend above them
MOST_POINTS = 1000  # of a curve: as many as the page has pixels
MOST_CURVES = 12  # of a panel; a legend of more hides what it explains
WIDE = 1000  # between a curve's usual and its largest value: such an axis is logarithmic
TICKS = 5  # of an axis, about: each takes as long to draw as a curve
LARGEST = 1e30  # beyond it matplotlib's own arithmetic overflows
FEW_POINTS = 20  # are marked, for a curve of one point would not be seen
STYLES = ("-", "--", ":", "-.")


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
    from matplotlib.figure import Figure  # not pyplot, which would want a display and keep state

    drawn = [(panel, _curves(panel, windows, unit)) for panel in PANELS]
    found = [(panel, curves) for panel, curves in drawn if curves]
    if together := distance_and_quality(windows, probes):
        found.append((TOGETHER, _in_unit(together, windows[-1], unit)))
    rows = max(1, math.ceil(len(found) / 2))
    height = rows * HEIGHT + BASE
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    for place, (panel, curves) in enumerate(found):
        x, y, width, tall = _place(place, rows, len(curves))
        axes = figure.add_axes((x / WIDTH, y / height, width / WIDTH, tall / height))
        _draw(axes, panel, curves, unit)
    if not found:
        figure.text(0.5, 0.5, "no window of training was logged", ha="center")
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png"))


def _place(number: int, rows: int, curves: int) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of a panel's axes in inches, below its legend's lines.

    A layout engine would draw the page several times to find them.
    """
    row, column = divmod(number, 2)
    above = TITLE + LINE * math.ceil(min(curves, MOST_CURVES) / LEGEND_COLUMNS)
    width, height = WIDTH / 2 - LEFT - RIGHT, HEIGHT - BELOW - above
    return column * WIDTH / 2 + LEFT, (rows - 1 - row) * HEIGHT + BASE + BELOW, width, height


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


def _draw(axes: Axes, panel: Panel, curves: Mapping[str, Curve], unit: Unit) -> None:
    shown = dict(list(curves.items())[:MOST_CURVES])
    for (name, (x, values)), look in zip(shown.items(), _looks(), strict=False):
        marker = "." if len(values) < FEW_POINTS else ""
        zero = panel.logarithmic and not any(values)
        label = f"{name} (0 throughout)" if zero else name
        axes.plot(x, values, label=label, marker=marker, linewidth=1.1, **look)
    axes.locator_params(nbins=TICKS)
    _scale(axes, panel, [value for _, values in shown.values() for value in values])
    axes.set_xlabel("epoch" if unit == "epochs" else unit, fontsize=8, loc="right", labelpad=0)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    left_out = len(curves) - len(shown)
    axes.legend(  # above the axes, where it hides nothing
        title=f"{panel.title} ({left_out} more left out)" if left_out else panel.title,
        title_fontproperties={"size": 10, "weight": "bold"},
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.1,
        frameon=False,
        fontsize=8,
        ncols=LEGEND_COLUMNS,
    )


def _looks() -> cycle[dict[str, Any]]:
    return cycle([{"color": f"C{i}", "linestyle": style} for style in STYLES for i in range(10)])


def _scale(axes: Axes, panel: Panel, values: Sequence[float]) -> None:
    sizes = sorted(abs(value) for value in values if value and math.isfinite(value))
    usual = max(1.0, sizes[len(sizes) // 2]) if sizes else 1.0
    if panel.share:
        axes.set_ylim(-0.03, 1.03)
        axes.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    elif panel.logarithmic and sizes:
        axes.set_yscale("log", nonpositive="mask")
        _label(axes, decades=math.log10(sizes[-1] / sizes[0]))
    elif sizes and sizes[-1] > WIDE * usual:
        axes.set_yscale("symlog", linthresh=usual)


def _label(axes: Axes, decades: float) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, and enough of them."""
    from matplotlib import ticker

    if decades < 0.7:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    else:
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
