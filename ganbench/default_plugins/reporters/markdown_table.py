"""The table in GitHub's Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganbench import Report, Reporter, Table, markdown_cell, write_atomically
from ganbench.default_plugins.reporters.layout import cells


@dataclass(kw_only=True)
class Markdown(Reporter):
    """table.md: the whole table, and what must be known to read it."""

    name = "markdown"

    def write(self, report: Report, directory: Path) -> None:
        text = markdown(report.table)
        write_atomically(directory / "table.md", lambda path: path.write_bytes(text.encode()))


def markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, with its notes as a list."""
    heads = [*table.axes, "n", *(table.header(c) for c in table.columns), "status"]
    heads = [markdown_cell(head) for head in heads]
    rules = [*["---"] * len(table.axes), *["---:"] * (len(heads) - len(table.axes) - 1), "---"]
    lines = [heads, rules]
    for row in table.rows:
        texts = cells(table, row, table.axes, table.columns, bold=lambda text: f"**{text}**")
        lines.append([markdown_cell(cell) for cell in [*texts, row.status]])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "\n".join(f"- {markdown_cell(note)}" for note in table.notes)
    return f"# {markdown_cell(table.name)}\n\n{body}\n\n{notes}\n"
