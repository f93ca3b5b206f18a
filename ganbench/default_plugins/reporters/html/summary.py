"""The table of means, which can be sorted, and what must be known to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganbench import Column
from ganbench.default_plugins.reporters.html.byte_budget import Room, fitting
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import Line, Lines, finite, name_of

ROOM = 5_000_000
NOTES_ROOM = 200_000
FILTERED = 16  # rows from which on a filter is of use
WIDEST = 16  # error, in characters, that the style sheet has a class for
SHOWN = 300  # rows that are laid out at once
TALL = 40  # rows from which on the table scrolls in a box of its own
LEGEND = (
    ("best", "bold: the best"),
    ("tied", "≈: tied with the best within the standard errors of both"),
)


def section(lines: Lines) -> list[Markup]:
    if not lines.all:
        return [element("p", "The run has no trials.")]
    rows, rest = fitting((_row(lines, line) for line in lines.cells), Room(ROOM))
    references = [_row(lines, line) for line in lines.references[:100]]
    table = element(
        "table",
        element("caption", _caption(lines)),
        element("thead", _heads(lines)),
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
        *_legend(lines),
        *_left_out(rest),
        *_notes(lines),
    ]


def _heads(lines: Lines) -> list[Markup]:
    first_cost = lines.cost[0] if lines.quality and lines.cost else None
    heads = [_head(axis, "text", "left") for axis in lines.axes]
    heads.append(_head("seeds", "max", ""))
    for column in [*lines.quality, *lines.cost]:
        edge = "edge" if column is first_cost else ""
        heads.append(_head(lines.table.header(column), column.direction, edge))
    if lines.has_status:
        heads.append(_head("status", "text", "left"))
    return [element("tr", heads)]


def _head(title: str, direction: str, class_: str) -> Markup:
    title = title.replace(" ↓", "\N{NO-BREAK SPACE}↓").replace(" ↑", "\N{NO-BREAK SPACE}↑")
    button = element("button", title, type="button", data_first=direction)
    return element("th", button, scope="col", class_=class_ or None, aria_sort="none")


def _row(lines: Lines, line: Line) -> Markup:
    row, table = line.row, lines.table
    first_cost = lines.cost[0] if lines.quality and lines.cost else None
    cells = [*_labels(lines, line)]
    cells.append(element("td", table.seeds(row), data_v=None if row.is_reference else row.n))
    for column in [*lines.quality, *lines.cost]:
        cells.append(_value(lines, line, column, "edge" if column is first_cost else ""))
    if lines.has_status:
        cells.append(element("td", _status(line), class_="left"))
    return element("tr", cells)


def _labels(lines: Lines, line: Line) -> Iterator[Markup]:
    if line.row.is_reference:
        yield element("th", line.row.label, scope="row", colspan=len(lines.axes))
        return
    first, *others = line.names
    yield element("th", name_of(first), scope="row")
    for name in others:
        yield element("td", name_of(name), class_="left")


def _value(lines: Lines, line: Line, column: Column, edge: str) -> Markup:
    text = lines.table.text(line.row, column)
    summary = line.row.values.get(column.name)
    if summary is None or summary.mean is None:
        why = summary.reason if summary else ""
        return element("td", text, class_=f"none {edge}".strip(), title=why[:300] or None)
    mean, plus_minus, error = text.partition(" ± ")
    shown: list[str] = [mean]
    if width := lines.error_widths[column.name]:
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


def _status(line: Line) -> Markup:
    status = line.row.status
    if line.row.reasons:
        return element("a", status, href="#failures", class_="bad")
    return element("span", status)


def _caption(lines: Lines) -> str:
    shared = ", ".join(f"{axis} {lines.table.values(axis)[0]}" for axis in lines.constant)
    return f"All with {shared}." if shared and lines.axes != lines.constant else ""


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


def _legend(lines: Lines) -> list[Markup]:
    marks = {s.mark for line in lines.all for s in line.row.values.values()}
    found = [text for mark, text in LEGEND if mark in marks]
    return [element("p", " · ".join(found), class_="legend")] if found else []


def _left_out(rest: int) -> list[Markup]:
    if not rest:
        return []
    return [element("p", f"{rest:,} more rows are in table.csv, beside this file.", class_="more")]


def _notes(lines: Lines) -> list[Markup]:
    """All but why trials failed, which is said under Failures, and what the legend says."""
    told = {
        f"{line.row.label}: {line.row.status}: {reason}"
        for line in lines.all
        for reason in line.row.reasons
    }
    notes = (
        element("li", note)
        for note in lines.table.notes
        if note not in told and not note.startswith("≈:")
    )
    kept, rest = fitting(notes, Room(NOTES_ROOM))
    if rest:
        kept.append(element("li", f"{rest:,} more notes are in table.md."))
    return [element("ul", kept, class_="notes")] if kept else []
