"""Quality while cells train, against images and against time, for `evaluation.every`."""

from __future__ import annotations

from collections.abc import Callable

from ganbench import Column, Probe
from ganbench.default_plugins.reporters.html import curves
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.curves import Chart, Places
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import ReportRow, ReportView, finite

MOST_BYTES = 400_000
ACROSS: tuple[tuple[str, Callable[[Probe], float]], ...] = (
    ("kimg", lambda probe: probe.kimg),
    ("s", lambda probe: probe.seconds),
)


def section(view: ReportView) -> list[Markup]:
    """Return two charts of each metric's first column, with a line for each cell's first seed."""
    found = [chart for column in view.headlines for chart in _charts(view, column)]
    if not found:
        return []
    drawn, left_out = ByteBudget(MOST_BYTES).fitting(map(curves.picture, found))
    explained = (
        "Numbers on the way, of the first seed of each cell and of at most 2,000 samples, so that "
        "they may differ from the table's; seconds are of training alone."
    )
    more = f" {left_out} charts were left out." if left_out else ""
    return [
        element("p", explained + more, class_="lead"),
        element("div", drawn, class_="curves"),
    ]


def _charts(view: ReportView, column: Column) -> list[Chart]:
    charts = []
    for unit, place in ACROSS:
        series = {row.brief: _places(row, column, place) for row in _trained(view)}
        series = {name: places for name, places in series.items() if len(places) > 1}
        if series:
            word = "images" if unit == "kimg" else "time"
            charts.append(Chart(f"{view.table.header(column)} against {word}", series, unit))
    return charts


def _trained(view: ReportView) -> list[ReportRow]:
    """Return the cells to draw; of those that are one training by several samplers, the first."""
    found = {row.outcomes[0].directory: row for row in reversed(view.cells) if row.outcomes}
    firsts = {row.number for row in found.values()}
    rows = [row for row in view.first(len(view.cells)) if row.number in firsts]
    followed = [row for row in rows if row.outcomes[0].result.followed]
    return followed[: curves.MOST_SERIES]


def _places(row: ReportRow, column: Column, place: Callable[[Probe], float]) -> Places:
    found = row.outcomes[0].result.followed
    values = [(place(probe), finite(probe.values.get(column.name))) for probe in found]
    return [(x, value) for x, value in values if value is not None]
