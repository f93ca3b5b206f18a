"""A run's table for a paper: booktabs, the best in bold, ties marked, and an honest caption."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.records.columns import Column
from ganbench.records.report import Report
from ganbench.records.table import Note, Row, Table
from ganbench.util.messages import counted
from ganbench.util.terminal import terminal_text

COLUMNS = 5  # that a page has room for beside the axes, where none are named
IN_CAPTION = ("budget", "protocols", "device", "merged", "failure")
"""Of the table's notes, those without which a paper's table could not be read."""
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "±": r"$\pm$", "≈": r"$\approx$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "×": r"$\times$",
    "−": "$-$", "√": r"$\surd$", "∞": r"$\infty$", "≤": r"$\leq$", "≥": r"$\geq$", "·": r"$\cdot$",
    "–": "--", "—": "---", "…": r"\ldots{}", "σ": r"$\sigma$", "μ": r"$\mu$", "λ": r"$\lambda$",
    "’": "'", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
LATIN = "\u024f"  # the last letter that every LaTeX sets as it is


@dataclass(frozen=True)
class Document:
    """What is written, and what a reader of it would miss."""

    text: str
    notes: tuple[str, ...] = ()


def table(report: Report, chosen: Sequence[str] | None = None) -> Document:
    """Return the table of a run as LaTeX; `chosen` are its columns, else the first of quality.

    Raises ConfigError for a column that there is not.
    """
    found = report.table
    columns, notes = _columns(found, chosen)
    axes = [axis for axis in found.axes if len(found.values(axis)) > 1] or list(found.axes)
    cells = [row for row in found.rows if not row.is_reference]
    references = [row for row in found.rows if row.is_reference]
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{_caption(report, found, columns)}}}",
        f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', found.name).strip('-') or 'run'}}}",
        f"  \\begin{{tabular}}{{{'l' * len(axes)}r{'r' * len(columns)}}}",
        "    \\toprule",
        _line([*map(escaped, axes), "$n$", *(_head(found, column) for column in columns)]),
        "    \\midrule",
        *(_line(_row(found, row, axes, columns)) for row in references),
        *(["    \\midrule"] if references and cells else []),
        *(_line(_row(found, row, axes, columns)) for row in cells),
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
    ]
    return Document("\n".join(lines) + "\n", tuple(notes))


def escaped(text: str) -> str:
    """Return text that LaTeX takes for no command, with what pdfLaTeX lacks as its code point."""
    line = re.sub("-(?=-)", "-\0", terminal_text(" ".join(text.split())))
    return "".join(
        "{}" if c == "\0" else SPECIAL.get(c) or (c if c <= LATIN else f"[U+{ord(c):04X}]")
        for c in line
    )


def _columns(table: Table, chosen: Sequence[str] | None) -> tuple[list[Column], list[str]]:
    if chosen is not None:
        return (list(table.columns) if "all" in chosen else table.chosen(chosen)), []
    quality = [c for c in table.columns if c.direction != "none" and not c.depends_on_machine]
    shown = quality[:COLUMNS] or list(table.columns[:COLUMNS])
    left = [column.name for column in table.columns if column not in shown]
    told = f"left out {counted(len(left), 'column')}: {', '.join(left)}; --columns names others"
    return shown, [told] if left else []


def _head(table: Table, column: Column) -> str:
    unit = f" ({column.unit})" if column.unit and column.unit not in column.title else ""
    return escaped(table.header(column) + unit)


def _line(cells: Sequence[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"


def _row(table: Table, row: Row, axes: Sequence[str], columns: Sequence[Column]) -> list[str]:
    if row.is_reference:
        names = [escaped(row.title), *[""] * (len(axes) - 1)]
    else:
        names = [escaped(row.axes.get(axis, "")) for axis in axes]
    return [*names, escaped(table.seeds(row)), *(_value(table, row, c) for c in columns)]


def _value(table: Table, row: Row, column: Column) -> str:
    text = escaped(table.text(row, column))
    summary = row.values.get(column.name)
    if summary is None or not summary.mark:
        return text
    if summary.mark == "tied":
        return f"$\\approx$ {text}"
    mean, plus, error = text.partition(" $\\pm$")
    return f"\\textbf{{{mean}}}{plus}{error}"


def _caption(report: Report, table: Table, columns: Sequence[Column]) -> str:
    plan = report.plan
    cells = [row for row in table.rows if not row.is_reference]
    datasets = ", ".join(dict.fromkeys(table.values("dataset"))) or "no data set"
    seeds = ", ".join(map(str, plan.seeds))
    told = [f"{table.name} on {datasets}."]
    constant = [a for a in table.axes if len(table.values(a)) == 1 and a != "dataset"]
    if len(constant) < len(table.axes):
        told += [f"All with {axis} {table.values(axis)[0]}." for axis in constant]
    if any(row.n > 1 for row in cells):
        told.append(f"Mean ± standard error over training seeds ({seeds}), of which n ended well.")
    elif cells:
        told.append(f"One training seed ({seeds}): its spread is unknown.")
    marks = {row.values[c.name].mark for row in table.rows for c in columns}
    if "best" in marks:
        told.append("Bold: the best of its column.")
    if "tied" in marks:
        told.append("≈: tied with the best within the standard errors of both.")
    told += [str(n) for n in table.notes if isinstance(n, Note) and n.kind in IN_CAPTION]
    return escaped(" ".join(told))
