"""Quality against the throughput that it was had at."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ganbench import Column
from ganbench.default_plugins.reporters.html.bars import BETTER
from ganbench.default_plugins.reporters.html.byte_budget import Room, fitting
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import Line, Lines
from ganbench.default_plugins.reporters.html.scale import Scale

MOST_CHARTS, MOST_POINTS = 8, 400
ROOM = 800_000
THROUGHPUT = "train-images-per-s"
COLOURS = 6
LEFT = 8  # percent
TOP, HEIGHT = 8, 260  # pixels; widths are in percent
CHARACTER, LINE_HEIGHT, DOT = 6.4, 14, 7
WIDE, NARROW = 500, 280  # for which labels are placed: the page shows the one that fits


@dataclass(frozen=True)
class Point:
    line: Line
    x: float  # percent
    y: float  # pixels


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def section(lines: Lines) -> list[Markup]:
    speed = throughput(lines)
    if speed is None:
        return []
    datasets = list(dict.fromkeys(line.dataset for line in lines.cells))
    colours = Colours.of(lines)
    charts = []
    for column in lines.headlines:
        for dataset in datasets:
            own = [line for line in lines.cells if line.dataset == dataset]
            where = dataset if len(datasets) > 1 else ""
            charts += _chart(lines, own, speed, column, where, colours)
    if not charts:
        return []
    shared = any(not line.row.alone for line in lines.cells)
    caution = " Some trials shared the machine, so speeds are not all alike." if shared else ""
    has_front = any('class="front"' in chart for chart in charts)
    line = " The line joins what nothing else beats in both quality and speed." if has_front else ""
    explained = f"Right is faster.{line}{caution}"
    return [
        element("p", explained, class_="lead"),
        *colours.legend(),
        element("div", fitting(charts[:MOST_CHARTS], Room(ROOM))[0], class_="charts"),
    ]


def throughput(lines: Lines) -> Column | None:
    found = [c for c in lines.cost if c.unit == "1/s"]
    return next((c for c in found if c.name == THROUGHPUT), found[0] if found else None)


@dataclass(frozen=True)
class Colours:
    """By the axis that has as few values as there are colours; what is left of names are labels."""

    axis: int | None
    values: tuple[str, ...]
    datasets: int | None  # the place of an axis that charts tell apart already

    @classmethod
    def of(cls, lines: Lines) -> Colours:
        datasets = lines.dataset_place
        for place in range(len(lines.axes)):
            values = tuple(dict.fromkeys(line.names[place] for line in lines.cells))
            others = [p for p in range(len(lines.axes)) if p not in (place, datasets)]
            if place != datasets and 1 < len(values) <= COLOURS and others:
                return cls(place, values, datasets)
        return cls(None, (), datasets)

    def class_of(self, line: Line) -> str:
        return f"c{self.values.index(line.names[self.axis]) + 1}" if self.axis is not None else "c1"

    def label(self, line: Line) -> str:
        left = [n for i, n in enumerate(line.names) if i not in (self.axis, self.datasets)]
        return " · ".join(_short(name) for name in left if name) or line.brief

    def legend(self) -> list[Markup]:
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
    lines: Lines,
    own: Sequence[Line],
    speed: Column,
    column: Column,
    where: str,
    colours: Colours,
) -> list[Markup]:
    known = [
        line for line in own if line.mean(column) is not None and line.mean(speed) is not None
    ][:MOST_POINTS]
    if len(known) < 2 or len({line.mean(column) for line in known}) < 2:
        return []
    across = Scale.over([line.mean(speed) or 0.0 for line in known])
    upward = Scale.over([line.mean(column) or 0.0 for line in known])
    points = [
        Point(
            line,
            _across(across, line.mean(speed) or 0.0),
            _height(upward, line.mean(column) or 0.0),
        )
        for line in known
    ]
    axes = [*_horizontal(upward), *_vertical(across)]
    front = _front(points, column)
    marks = [_mark(lines, point, column, speed, colours) for point in points]
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
            aria_label=f"{lines.table.header(column)} against {lines.table.header(speed)}; the "
            "numbers are in the table of results",
        )
        for class_, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    logs = " and ".join(n for n, s in (("x", across), ("y", upward)) if s.is_log)
    hints = [where, BETTER[column.direction], f"{logs} logarithmic" if logs else ""]
    title = element("h3", lines.table.header(column))
    hint = element("p", ", ".join(filter(None, hints)), class_="hint")
    foot = element("p", lines.table.header(speed).rstrip(" ↑↓"), class_="foot")
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


def _mark(lines: Lines, point: Point, column: Column, speed: Column, colours: Colours) -> Markup:
    row = point.line.row
    texts = [lines.table.text(row, c) + " " + lines.table.header(c) for c in (column, speed)]
    title = element("title", f"{point.line.brief}: {', '.join(texts)}")
    return element(
        "circle", title, cx=f"{point.x}%", cy=point.y, r=5, class_=colours.class_of(point.line)
    )


def _labels(points: Sequence[Point], width: float, colours: Colours) -> Iterator[Markup]:
    """Beside their points, where they cover nothing; a label that would is left to the table."""
    dots = [
        Box(p.x / 100 * width - DOT, p.y - DOT, p.x / 100 * width + DOT, p.y + DOT) for p in points
    ]
    taken: list[Box] = []
    for place, point in enumerate(points):
        text = colours.label(point.line)
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
