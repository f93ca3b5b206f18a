"""Means with their standard errors, and every seed's own value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganbench import Column
from ganbench.default_plugins.reporters.html.byte_budget import Room, fitting
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import Line, Lines, finite, ranked, title_of
from ganbench.default_plugins.reporters.html.scale import Scale

MOST_CHARTS, MOST_LINES, MOST_POINTS = 24, 40, 40
STRETCH = 2.0
ROOM = 1_000_000
BETTER = {"min": "lower is better", "max": "higher is better"}


def section(lines: Lines) -> list[Markup]:
    """A chart for each judged column and data set, as numbers of two are no rivals."""
    datasets = list(dict.fromkeys(line.dataset for line in lines.cells))
    charts = []
    for column in lines.judged:
        for dataset in datasets:
            own = [line for line in lines.all if line.dataset == dataset]
            where = dataset if len(datasets) > 1 else ""
            charts += _chart(lines, own, column, where)
    if not charts:
        return []
    kept, rest = fitting(charts[:MOST_CHARTS], Room(ROOM))
    rest += max(0, len(charts) - MOST_CHARTS)
    more = f"{rest:,} more charts are left out." if rest else None
    explained = (
        "Filled: the mean over seeds, coloured where it is the best or tied with it. Bar: one "
        "standard error to each side. Small rings: single seeds. Large rings: real images, or a "
        "triangle where they are beyond the chart's end."
    )
    return [
        element("p", explained, class_="lead"),
        element("div", kept, class_="charts"),
        *([element("p", more, class_="more")] if more else []),
    ]


def _chart(lines: Lines, own: Sequence[Line], column: Column, where: str) -> list[Markup]:
    known = [line for line in own if line.mean(column) is not None]
    cells = [line for line in known if not line.row.is_reference]
    if not cells:
        return []
    shown = cells if len(cells) <= MOST_LINES else ranked(cells, column)[:MOST_LINES]
    shown = [line for line in known if line.row.is_reference][:10] + shown
    scale = _scale(shown, column)
    hints = [where, BETTER[column.direction], "logarithmic" if scale.is_log else ""]
    if len(cells) > MOST_LINES:
        hints.append(f"the best {MOST_LINES} of {len(cells):,}")
    title = element("h3", lines.table.header(column))
    hint = element("p", ", ".join(filter(None, hints)), class_="hint")
    rows = [_strip(lines, line, column, scale) for line in shown]
    axis = element("li", _axis(scale), class_="axis", aria_hidden="true")
    return [
        element(
            "figure",
            element("figcaption", title, hint),
            element("ul", rows, axis, class_="strips", role="list"),
            class_="bars",
        )
    ]


def _scale(shown: Sequence[Line], column: Column) -> Scale:
    """Of the cells; real images count where the cells still fill most of it."""
    cells = [line for line in shown if not line.row.is_reference]
    inner = [v for line in cells for v in _extent(line, column)]
    outer = [v for line in shown for v in _extent(line, column)]
    of_cells, of_all = Scale.over(inner), Scale.over(outer)
    fits = max(outer) - min(outer) <= STRETCH * (max(inner) - min(inner))
    is_like = of_cells.is_log == of_all.is_log
    return of_all if (fits and is_like) or max(inner) == min(inner) else of_cells


def _extent(line: Line, column: Column) -> Iterator[float]:
    mean, error = line.mean(column), finite(line.row.values[column.name].error)
    assert mean is not None
    yield mean
    yield from line.points(column)[:MOST_POINTS]
    if error and (mean - error > 0 or mean <= 0 or min(line.points(column), default=0) <= 0):
        yield mean - error
    if error:
        yield mean + error


def _strip(lines: Lines, line: Line, column: Column, scale: Scale) -> Markup:
    summary = line.row.values[column.name]
    text = lines.table.text(line.row, column)
    marks = list(_marks(line, column, scale))
    seeds = ", ".join(f"{v:.{column.digits}f}" for v in line.points(column)[:MOST_POINTS])
    said = f"{line.brief}: {text}" + (f"; seeds {seeds}" if "," in seeds else "")
    kind = "reference" if line.row.is_reference else summary.mark
    return element(
        "li",
        element("span", title_of(line, lines.dataset_place), class_="name", aria_hidden="true"),
        element(
            "span",
            element("svg", _grid(scale), marks, role="img", aria_label=said),
            class_="strip",
        ),
        element("span", text, class_="value", aria_hidden="true"),
        class_=kind or None,
    )


def _marks(line: Line, column: Column, scale: Scale) -> Iterator[Markup]:
    mean, error = line.mean(column), finite(line.row.values[column.name].error)
    assert mean is not None
    if error:
        ends = [f"{scale.at(mean + sign * error)}%" for sign in (-1, 1)]
        yield element("line", x1=ends[0], x2=ends[1], y1="50%", y2="50%", class_="error")
    points = line.points(column)[:MOST_POINTS]
    if len(points) > 1:
        for value in points:
            yield element("circle", cx=f"{scale.at(value)}%", cy="50%", r=2.5, class_="seed")
    place = f"{scale.at(mean)}%"
    if scale.low <= mean <= scale.high:
        yield element("circle", cx=place, cy="50%", r=4, class_="mean")
    else:
        arrow = "◂" if mean < scale.low else "▸"
        yield element("text", arrow, x=place, y="50%", dy=4, text_anchor="middle", class_="beyond")


def _grid(scale: Scale) -> list[Markup]:
    places = [f"{scale.at(value)}%" for value, _ in scale.ticks()]
    return [element("line", x1=x, x2=x, y1="0", y2="100%", class_="grid") for x in places]


def _axis(scale: Scale) -> Markup:
    ticks = [
        element("text", text, x=f"{scale.at(value)}%", y=13, text_anchor="middle")
        for value, text in scale.ticks()
    ]
    return element("span", element("svg", ticks), class_="strip")
