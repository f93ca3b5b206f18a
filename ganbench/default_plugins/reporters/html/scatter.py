"""Quality against the throughput that it was had at.

Drawn here: in matplotlib's SVG, twice the size, labels cover each other and points say nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ganbench import Column
from ganbench.default_plugins.reporters.html.bars import BETTER
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import ReportRow, ReportView
from ganbench.default_plugins.reporters.html.scale import Scale

MOST_CHARTS, MOST_POINTS = 8, 400
MOST_BYTES = 800_000
THROUGHPUT = "train-images-per-s"
COLOURS = 6
LEFT = 8  # percent
TOP, HEIGHT = 8, 260  # pixels; widths are in percent
CHARACTER, LINE_HEIGHT, DOT = 6.4, 14, 7
WIDE, NARROW = 500, 280  # for which labels are placed: the page shows the one that fits


@dataclass(frozen=True)
class Point:
    """A row's place in the chart."""

    row: ReportRow
    x: float  # percent
    y: float  # pixels


@dataclass(frozen=True)
class Box:
    """What a label or a dot covers, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Return whether the two have more than an edge in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def section(view: ReportView) -> list[Markup]:
    """Return a chart for each metric's first column and data set."""
    speed = throughput(view)
    if speed is None:
        return []
    datasets = list(dict.fromkeys(row.dataset for row in view.cells))
    colours = Colours.of(view)
    charts = []
    for column in view.headlines:
        for dataset in datasets:
            own = [row for row in view.cells if row.dataset == dataset]
            where = dataset if len(datasets) > 1 else ""
            charts += _chart(view, own, speed, column, where, colours)
    if not charts:
        return []
    shared = any(not row.in_table.alone for row in view.cells)
    caution = " Some trials shared their cores, so speeds are not all alike." if shared else ""
    has_front = any('class="front"' in chart for chart in charts)
    line = " The line joins what nothing else beats in both quality and speed." if has_front else ""
    explained = f"Right is faster.{line}{caution}"
    return [
        element("p", explained, class_="lead"),
        *colours.legend(),
        element("div", ByteBudget(MOST_BYTES).fitting(charts[:MOST_CHARTS])[0], class_="charts"),
    ]


def throughput(view: ReportView) -> Column | None:
    """Return the column of the training's speed, or any other speed."""
    found = [c for c in view.cost if c.unit == "1/s"]
    return next((c for c in found if c.name == THROUGHPUT), found[0] if found else None)


@dataclass(frozen=True)
class Colours:
    """Colours by an axis of no more values than there are colours; labels are the names left."""

    axis: int | None
    values: tuple[str, ...]
    datasets: int | None  # the place of an axis that charts tell apart already

    @classmethod
    def of(cls, view: ReportView) -> Colours:
        """Return the colours of the first axis that has few enough values."""
        datasets = view.dataset_place
        for place in range(len(view.axes)):
            values = tuple(dict.fromkeys(row.names[place] for row in view.cells))
            others = [p for p in range(len(view.axes)) if p not in (place, datasets)]
            if place != datasets and 1 < len(values) <= COLOURS and others:
                return cls(place, values, datasets)
        return cls(None, (), datasets)

    def class_of(self, row: ReportRow) -> str:
        """Return the class in the style sheet, c1 to c6."""
        return f"c{self.values.index(row.names[self.axis]) + 1}" if self.axis is not None else "c1"

    def label(self, row: ReportRow) -> str:
        """Return the names that neither colour nor chart says."""
        left = [n for i, n in enumerate(row.names) if i not in (self.axis, self.datasets)]
        return " · ".join(_short(name) for name in left if name) or row.brief

    def legend(self) -> list[Markup]:
        """Return what each colour stands for; nothing, where all is of one."""
        if self.axis is None:
            return []
        keys = [
            element("li", element("i", class_=f"c{number}"), value)
            for number, value in enumerate(self.values, 1)
        ]
        return [element("ul", keys, class_="keys", role="list")]


def _short(name: str) -> str:
    head, bracket, _ = name.partition("(")
    return f"{head}(…)" if bracket else head


def _chart(
    view: ReportView,
    own: Sequence[ReportRow],
    speed: Column,
    column: Column,
    where: str,
    colours: Colours,
) -> list[Markup]:
    known = [row for row in own if row.mean(column) is not None and row.mean(speed) is not None][
        :MOST_POINTS
    ]
    if len(known) < 2 or len({row.mean(column) for row in known}) < 2:
        return []
    across = Scale.over([row.mean(speed) or 0.0 for row in known])
    upward = Scale.over([row.mean(column) or 0.0 for row in known])
    points = [
        Point(
            row,
            _across(across, row.mean(speed) or 0.0),
            _height(upward, row.mean(column) or 0.0),
        )
        for row in known
    ]
    axes = [*_horizontal(upward), *_vertical(across)]
    front = _front(points, column)
    marks = [_mark(view, point, column, speed, colours) for point in points]
    pictures = [
        element(
            "svg",
            axes,
            front,
            marks,
            _labels(points, width, colours),
            class_=class_,
            height=HEIGHT + 24,
            role="img",
            aria_label=f"{view.table.header(column)} against {view.table.header(speed)}; the "
            "numbers are in the table of results",
        )
        for class_, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    logs = " and ".join(n for n, s in (("x", across), ("y", upward)) if s.is_log)
    hints = [where, BETTER[column.direction], f"{logs} logarithmic" if logs else ""]
    title = element("h3", view.table.header(column))
    hint = element("p", ", ".join(filter(None, hints)), class_="hint")
    foot = element("p", view.table.header(speed).rstrip(" ↑↓"), class_="foot")
    return [element("figure", element("figcaption", title, hint), pictures, foot, class_="scatter")]


def _across(scale: Scale, value: float) -> float:
    """In percent, with room for the numbers of the other axis."""
    return round(LEFT + scale.at(value) / 100 * (100 - LEFT), 2)


def _height(scale: Scale, value: float) -> float:
    return round(TOP + (100 - scale.at(value)) / 100 * (HEIGHT - TOP), 1)


def _horizontal(scale: Scale) -> Iterator[Markup]:
    for value, text in scale.ticks():
        y = _height(scale, value)
        yield element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid")
        yield element("text", text, x=0, y=y - 3)


def _vertical(scale: Scale) -> Iterator[Markup]:
    for value, text in scale.ticks():
        x = f"{_across(scale, value)}%"
        yield element("line", x1=x, x2=x, y1=HEIGHT, y2=HEIGHT + 5, class_="tick")
        yield element("text", text, x=x, y=HEIGHT + 18, text_anchor="middle")
    yield element("line", x1="0", x2="100%", y1=HEIGHT, y2=HEIGHT, class_="tick")


def _front(points: Sequence[Point], column: Column) -> list[Markup]:
    """From the best towards the fastest."""
    down = 1 if column.direction == "min" else -1  # pixels grow downwards, so less is more
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.x, -down * p.y)):
        if not best or down * point.y > down * best[-1].y:
            best.append(point)
    return [
        element("line", x1=f"{a.x}%", y1=a.y, x2=f"{b.x}%", y2=b.y, class_="front")
        for a, b in itertools.pairwise(best)
    ]


def _mark(
    view: ReportView, point: Point, column: Column, speed: Column, colours: Colours
) -> Markup:
    row = point.row.in_table
    texts = [view.table.text(row, c) + " " + view.table.header(c) for c in (column, speed)]
    title = element("title", f"{point.row.brief}: {', '.join(texts)}")
    return element(
        "circle", title, cx=f"{point.x}%", cy=point.y, r=5, class_=colours.class_of(point.row)
    )


def _labels(points: Sequence[Point], width: float, colours: Colours) -> Iterator[Markup]:
    """Beside their points, where they cover nothing; a label that would is left to the table."""
    dots = [
        Box(p.x / 100 * width - DOT, p.y - DOT, p.x / 100 * width + DOT, p.y + DOT) for p in points
    ]
    taken: list[Box] = []
    for place, point in enumerate(points):
        text = colours.label(point.row)
        text = text if len(text) <= 28 else f"{text[:27]}…"
        others = [*dots[:place], *dots[place + 1 :], *taken]
        for box, dx, dy, anchor in _candidates(point, len(text) * CHARACTER, width):
            if box.left >= 0 and box.right <= width and not _hits(box, others):
                taken.append(box)
                yield element(
                    "text", text, x=f"{point.x}%", y=point.y, dx=dx, dy=dy, text_anchor=anchor,
                    class_="label",
                )  # fmt: skip
                break


def _candidates(point: Point, long: float, width: float) -> Iterator[tuple[Box, float, float, str]]:
    x, y = point.x / 100 * width, point.y
    half = LINE_HEIGHT / 2
    yield Box(x + 9, y - half, x + 9 + long, y + half), 9, 4, "start"
    yield Box(x - 9 - long, y - half, x - 9, y + half), -9, 4, "end"
    for dy in (-10.0, 19.0):
        top = y + dy - LINE_HEIGHT + 3
        yield Box(x - long / 2, top, x + long / 2, top + LINE_HEIGHT), 0, dy, "middle"


def _hits(box: Box, others: Iterable[Box]) -> bool:
    outside = box.top < 0 or box.bottom > HEIGHT
    return outside or any(box.meets(other) for other in others)
