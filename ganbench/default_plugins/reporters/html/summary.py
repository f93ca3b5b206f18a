"""The table of means, which can be sorted, and what must be known to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganbench import Column, Note
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element, prose, unbroken
from ganbench.default_plugins.reporters.html.rows import ReportRow, ReportView, finite, name_of

MOST_BYTES = 5_000_000
MOST_NOTE_BYTES = 200_000
FILTERED = 16  # rows from which on a filter is of use
WIDEST = 16  # error, in characters, that the style sheet has a class for
SHOWN = 300  # rows that are laid out at once
TALL = 40  # rows from which on the table scrolls in a box of its own
TOLD_ELSEWHERE = ("failure", "ties")  # notes: the section Failures has them, and the legend
LEGEND = (
    ("best", "bold: the best"),
    ("tied", "≈: tied with the best within the standard errors of both"),
)


def section(view: ReportView) -> list[Markup]:
    """Return the table, its legend and its notes."""
    if not view.all:
        return [element("p", "The run has no trials.")]
    rows, rest = ByteBudget(MOST_BYTES).fitting(_row(view, row) for row in view.cells)
    references = [_row(view, row) for row in view.references[:100]]
    table = element(
        "table",
        element("caption", _caption(view)),
        element("thead", _heads(view)),
        element("tbody", references, class_="references") if references else None,
        element("tbody", rows[:SHOWN], class_="cells"),
        class_="sortable",
    )
    tall = " tall" if len(rows) > TALL else ""
    return [
        *_filter(len(rows)),
        element(
            "div",
            table,
            class_=f"scroll{tall}",
            tabindex=0,
            role="region",
            aria_label="table of results",
        ),
        *_kept_back(rows[SHOWN:]),
        element("p", "", class_="unseen", id="sorted", aria_live="polite"),
        *_legend(view),
        *_left_out(rest),
        *_notes(view),
    ]


def _heads(view: ReportView) -> list[Markup]:
    first_cost = view.cost[0] if view.quality and view.cost else None
    heads = [_head(axis, "text", "left axis" if n else "left") for n, axis in enumerate(view.axes)]
    heads.append(_head("seeds", "max", ""))
    for column in [*view.quality, *view.cost]:
        edge = "edge" if column is first_cost else ""
        heads.append(_head(view.table.header(column), column.direction, edge))
    if view.has_status:
        heads.append(_head("status", "text", "left"))
    return [element("tr", heads)]


def _head(title: str, direction: str, class_: str) -> Markup:
    title = title.replace(" ↓", "\N{NO-BREAK SPACE}↓").replace(" ↑", "\N{NO-BREAK SPACE}↑")
    button = element("button", unbroken(title), type="button", data_first=direction)
    return element("th", button, scope="col", class_=class_ or None, aria_sort="none")


def _row(view: ReportView, row: ReportRow) -> Markup:
    in_table, table = row.in_table, view.table
    first_cost = view.cost[0] if view.quality and view.cost else None
    cells = [*_labels(view, row)]
    cells.append(
        element("td", table.seeds(in_table), data_v=None if in_table.is_reference else in_table.n)
    )
    for column in [*view.quality, *view.cost]:
        cells.append(_value(view, row, column, "edge" if column is first_cost else ""))
    if view.has_status:
        cells.append(element("td", _status(row), class_="left"))
    return element("tr", cells)


def _labels(view: ReportView, row: ReportRow) -> Iterator[Markup]:
    """Where there is room, an axis in each cell; on a phone, all of them in the first."""
    label = row.in_table.title
    if row.in_table.is_reference:
        if len(view.axes) > 1:
            yield element("th", label, scope="row", colspan=len(view.axes), class_="wide")
        yield element("th", label, scope="row", class_="narrow" if len(view.axes) > 1 else None)
        return
    first, *others = row.names
    stacked = [element("small", name_of(name), class_="narrow") for name in others if name]
    yield element("th", name_of(first), stacked, scope="row", data_v=first)
    for name in others:
        yield element("td", name_of(name), class_="left axis")


def _value(view: ReportView, row: ReportRow, column: Column, edge: str) -> Markup:
    text = view.table.text(row.in_table, column)
    summary = row.in_table.values.get(column.name)
    if summary is None or summary.mean is None:
        why = summary.reason if summary else ""
        return element("td", text, class_=f"none {edge}".strip(), title=why[:300] or None)
    mean, plus_minus, error = text.partition(" ± ")
    shown: list[str] = [mean]
    if width := view.error_widths[column.name]:
        spread = f" ± {error}" if plus_minus else ""
        shown.append(element("span", spread, class_=f"e e{min(width, WIDEST)}"))
    mark = f"{summary.mark} {edge}".strip()
    key = finite(summary.mean)
    return element(
        "td",
        "≈ " if summary.mark == "tied" else "",
        element("b", shown) if summary.mark == "best" else shown,
        class_=mark or None,
        data_v=None if key is None else f"{key:.9g}",
    )


def _status(row: ReportRow) -> Markup:
    status = row.in_table.status
    if row.in_table.reasons:
        return element("a", status, href="#failures", class_="bad")
    return element("span", status)


def _caption(view: ReportView) -> str:
    shared = ", ".join(f"{axis} {view.table.values(axis)[0]}" for axis in view.constant)
    return f"All with {shared}." if shared and view.axes != view.constant else ""


def _kept_back(rows: Sequence[Markup]) -> list[Markup]:
    """Rows that a browser lays out when they are asked for; sorting and filtering see them all."""
    if not rows:
        return []
    without = f"{len(rows):,} more rows are shown where scripts may run, and are in table.csv."
    return [
        element("template", rows, id="kept-back"),
        element(
            "p", element("button", "", type="button", id="show-more"), class_="more", hidden=True
        ),
        element("noscript", element("p", without, class_="more")),
    ]


def _filter(rows: int) -> list[Markup]:
    if rows < FILTERED:
        return []
    box = element("input", type="search", id="filter", autocomplete="off")
    count = element("output", "", for_="filter", id="found")
    return [
        element("p", element("label", "Filter ", box), " ", count, class_="filter", hidden=True)
    ]


def _legend(view: ReportView) -> list[Markup]:
    marks = {s.mark for row in view.all for s in row.in_table.values.values()}
    found = [text for mark, text in LEGEND if mark in marks]
    return [element("p", " · ".join(found), class_="legend")] if found else []


def _left_out(rest: int) -> list[Markup]:
    if not rest:
        return []
    return [element("p", f"{rest:,} more rows are in table.csv, beside this file.", class_="more")]


def _notes(view: ReportView) -> list[Markup]:
    notes = (
        element("li", prose(note))
        for note in view.table.notes
        if not (isinstance(note, Note) and note.kind in TOLD_ELSEWHERE)
    )
    kept, rest = ByteBudget(MOST_NOTE_BYTES).fitting(notes)
    if rest:
        kept.append(element("li", f"{rest:,} more notes are in table.md."))
    return [element("ul", kept, class_="notes")] if kept else []
