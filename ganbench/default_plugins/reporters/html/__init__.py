"""report.html: one page of a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganbench import Report, Reporter, write_atomically

MOST_BYTES = 10_000_000  # so that the page can be sent by mail


@dataclass(kw_only=True)
class HTML(Reporter):
    """report.html: results, charts, pictures and provenance in one file that opens anywhere."""

    name = "html"

    def write(self, report: Report, directory: Path) -> None:
        from ganbench.default_plugins.reporters.html.page import page

        text = page(report, MOST_BYTES)
        write_atomically(directory / "report.html", lambda path: path.write_bytes(text.encode()))
