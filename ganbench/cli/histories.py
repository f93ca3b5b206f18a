"""A history of a benchmark's numbers, as tables for people and as a document for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganbench.cli import streams
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.gate.history import Entry, History, Row


def show(found: History, *, everything: bool) -> None:
    """Print a table of each number, and a sentence of each change."""
    rows = _shown(found, everything=everything)
    console = streams.console(pipe_width=160)
    for row in rows:
        console.print(_table(row, found))
    for sentence in _changes(found, rows):
        print(sentence)
    for note in found.notes:
        print(f"note: {note}")
    print(_conclusion(found, rows))
    hidden = len(found.rows) - len(rows)
    if hidden:
        print(f"note: {counted(hidden, 'number')} not gated; --all shows them")


def _changes(found: History, rows: list[Row]) -> list[str]:
    """Return a sentence of each change, by time; numbers of a cell with one reason share it."""
    numbers: dict[tuple[int, str, str, str], list[str]] = {}
    for row in rows:
        for i, verdict in row.marks.items():
            key = (i, verdict.word, row.label, verdict.evidence)
            numbers.setdefault(key, []).append(row.column.name)
    lines = []
    for (i, word, label, evidence), names in sorted(numbers.items()):
        point = found.points[i]
        reason = f"; banked because: {point.reason}" if point.reason else ""
        at = point.commit[:10] or point.name
        lines.append(f"{word} at {at}: {label} {', '.join(names)}: {evidence}{reason}")
    return lines


def plain(found: History, *, everything: bool) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "alpha": found.policy.alpha,
        "level": found.level,
        "points": [
            {"name": p.name, "date": p.date, "commit": p.commit, "reason": p.reason}
            for p in found.points
        ],
        "rows": [_plain(row) for row in _shown(found, everything=everything)],
        "notes": list(found.notes),
    }


def _shown(found: History, *, everything: bool) -> list[Row]:
    return [
        row
        for row in found.rows
        if everything or (row.gated and (row.column.kind != "count" or _changed(row)))
    ]


def _changed(row: Row) -> int:
    return sum(verdict.word != "incomparable" for verdict in row.marks.values())


def _table(row: Row, found: History) -> Any:
    from rich.table import Table

    unit = f" ({row.column.unit})" if row.column.unit else ""
    table = Table(title=f"{row.label} {row.column.name}{unit}", title_justify="left")
    for head in ("date", "measured", "from"):
        table.add_column(head, overflow="fold")
    for head in ("n", "mean ± sd"):
        table.add_column(head, justify="right")
    table.add_column("")
    for entry in row.entries:
        point = found.points[entry.point]
        mark = row.marks.get(entry.point)
        table.add_row(
            point.date[:10],
            point.commit[:10] or "unknown",
            point.name,
            str(len(entry.values)),
            _mean(entry),
            f"◀ {mark.word}" if mark else "",
        )
    return table


def _mean(entry: Entry) -> str:
    return f"{entry.mean:.4g}" + ("" if entry.sd is None else f" ± {entry.sd:.2g}")


def _conclusion(found: History, rows: list[Row]) -> str:
    if len(found.points) < 2:
        return "history: one point, so that nothing can be compared"
    changes = sum(map(_changed, rows))
    return (
        f"history: {counted(len(found.points), 'point')}, {counted(changes, 'change')}; the chance "
        f"of any where nothing changed is below {found.policy.alpha:g}, {found.level:.2g} a test"
    )


def _plain(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "metric": row.column.name,
        "unit": row.column.unit,
        "direction": row.column.direction,
        "kind": row.column.kind,
        "gated": row.gated,
        "values": [_plain_entry(row, entry) for entry in row.entries],
    }


def _plain_entry(row: Row, entry: Entry) -> dict[str, Any]:
    mark = row.marks.get(entry.point)
    return {
        "point": entry.point,
        "n": len(entry.values),
        "mean": entry.mean,
        "sd": entry.sd,
        "values": list(entry.values),
        "change": mark and {"verdict": mark.word, "evidence": mark.evidence},
    }
