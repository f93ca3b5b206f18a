"""What becomes of the results."""

from __future__ import annotations

import pickle
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from ganbench.errors import INTERRUPTIONS
from ganbench.records.report import Report, Section
from ganbench.util.terminal import terminal_text

_MARKUP = re.compile(r"[\\|]|\](?=[(\[:])")  # the last ends the text of a link
FORMULA = tuple("=+-@＝＋－＠\t\r\n")


class Reporter(ABC):
    """Shows or writes a run's results. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  #: in benchmark files

    @abstractmethod
    def write(self, report: Report, directory: Path) -> None:
        """Show or write the results.

        `report.table` is the summary, `report.records` every value in long form (a DataFrame).
        Files go into `directory`; what the user asked for goes to standard output.
        """

    def sections(self, report: Report) -> Iterable[Section]:
        """Return what this reporter adds to report.html, wherever that is written.

        A section's text is escaped; HTML is a markupsafe.Markup, every element of it closed. The
        page's policy lets it load nothing and bring neither scripts nor styles, and a section that
        would make the page too large is left out.
        """
        return ()


def _raise(reporter: Reporter, error: BaseException) -> None:
    raise error


def with_sections(
    report: Report,
    reporters: Iterable[Reporter],
    failed: Callable[[Reporter, BaseException], object] = _raise,
) -> Report:
    """Return the report with the sections that the reporters add to report.html, in order.

    One that raises adds none, and `failed` is told.
    """
    sections: list[Section] = []
    for reporter in reporters:
        try:
            sections += reporter.sections(own_copy(report))
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            failed(reporter, error)
    return replace(report, sections=tuple(sections))


def own_copy(report: Report) -> Report:
    """Return a copy that whoever is handed it may change."""
    bare = pickle.dumps(replace(report, sections=()), pickle.HIGHEST_PROTOCOL)
    return replace(pickle.loads(bare), sections=report.sections)  # which are texts, or made of some


def markdown_cell(text: str) -> str:
    """Return text that breaks no cell of a Markdown table and is taken for no markup."""
    line = terminal_text(" ".join(text.splitlines()))
    return _MARKUP.sub(r"\\\g<0>", line).replace("<", "&lt;")


def spreadsheet_cell(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula: a quote comes before such text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
