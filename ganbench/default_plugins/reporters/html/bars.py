"""Means with their standard errors, and every seed's own value.

Drawn here: matplotlib's SVG, thrice the size, tells a screen reader nothing and has no dark mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganbench import Column
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import (
    ReportRow,
    ReportView,
    finite,
    ranked,
    title_of,
)
from ganbench.default_plugins.reporters.html.scale import Scale

MOST_CHARTS, MOST_LINES, MOST_POINTS = 24, 40, 40
STRETCH = 2.0
MOST_BYTES = 1_000_000
BETTER = {"min": "lower is better", "max": "higher is better"}


def section(view: ReportView) -> list[Markup]:
    """Return a chart for each judged column and data set, as numbers of two are no rivals."""
    datasets = list(dict.fromkeys(row.dataset for row in view.cells))
    charts = []
    for column in view.judged:
        for dataset in datasets:
            own = [row for row in view.all if row.dataset == dataset]
            where = dataset if len(datasets) > 1 else ""
            charts += _chart(view, own, column, where)
    if not charts:
        return []
    kept, rest = ByteBudget(MOST_BYTES).fitting(charts[:MOST_CHARTS])
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


def _chart(view: ReportView, own: Sequence[ReportRow], column: Column, where: str) -> list[Markup]:
    known = [row for row in own if row.mean(column) is not None]
    cells = [row for row in known if not row.in_table.is_reference]
    if not cells:
        return []
    shown = cells if len(cells) <= MOST_LINES else ranked(cells, column)[:MOST_LINES]
    shown = [row for row in known if row.in_table.is_reference][:10] + shown
    scale = _scale(shown, column)
    hints = [where, BETTER[column.direction], "logarithmic" if scale.is_log else ""]
    if len(cells) > MOST_LINES:
        hints.append(f"the best {MOST_LINES} of {len(cells):,}")
    title = element("h3", view.table.header(column))
    hint = element("p", ", ".join(filter(None, hints)), class_="hint")
    rows = [_strip(view, row, column, scale) for row in shown]
    axis = element("li", _axis(scale), class_="axis", aria_hidden="true")
    return [
        element(
            "figure",
            element("figcaption", title, hint),
            element("ul", rows, axis, class_="strips", role="list"),
            class_="bars",
        )
    ]


def _scale(shown: Sequence[ReportRow], column: Column) -> Scale:
    """Of the cells; real images count where the cells still fill most of it."""
    cells = [row for row in shown if not row.in_table.is_reference]
    inner = [v for row in cells for v in _extent(row, column)]
    outer = [v for row in shown for v in _extent(row, column)]
    of_cells, of_all = Scale.over(inner), Scale.over(outer)
    fits = max(outer) - min(outer) <= STRETCH * (max(inner) - min(inner))
    is_like = of_cells.is_log == of_all.is_log
    return of_all if (fits and is_like) or max(inner) == min(inner) else of_cells


def _extent(row: ReportRow, column: Column) -> Iterator[float]:
    mean, error = row.mean(column), finite(row.in_table.values[column.name].error)
    assert mean is not None
    yield mean
    yield from row.points(column)[:MOST_POINTS]
    if error and (mean - error > 0 or mean <= 0 or min(row.points(column), default=0) <= 0):
        yield mean - error
    if error:
        yield mean + error


def _strip(view: ReportView, row: ReportRow, column: Column, scale: Scale) -> Markup:
    summary = row.in_table.values[column.name]
    text = view.table.text(row.in_table, column)
    marks = list(_marks(row, column, scale))
    seeds = ", ".join(f"{v:.{column.digits}f}" for v in row.points(column)[:MOST_POINTS])
    said = f"{row.brief}: {text}" + (f"; seeds {seeds}" if "," in seeds else "")
    kind = "reference" if row.in_table.is_reference else summary.mark
    return element(
        "li",
        element("span", title_of(row, view.dataset_place), class_="name", aria_hidden="true"),
        element(
            "span",
            element("svg", _grid(scale), marks, role="img", aria_label=said),
            class_="strip",
        ),
        element("span", text, class_="value", aria_hidden="true"),
        class_=kind or None,
    )


def _marks(row: ReportRow, column: Column, scale: Scale) -> Iterator[Markup]:
    mean, error = row.mean(column), finite(row.in_table.values[column.name].error)
    assert mean is not None
    if error:
        ends = [f"{scale.at(mean + sign * error)}%" for sign in (-1, 1)]
        yield element("line", x1=ends[0], x2=ends[1], y1="50%", y2="50%", class_="error")
    points = row.points(column)[:MOST_POINTS]
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
