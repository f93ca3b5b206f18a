"""What becomes of the results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ganbench.records.report import Report


class Reporter(ABC):
    """Shows or writes a run's results. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  # in benchmark files

    @abstractmethod
    def write(self, report: Report, directory: Path) -> None:
        """`report.table` is the summary, `report.records` every value in long form (a DataFrame).

        Files go into `directory`; what the user asked for goes to standard output.
        """
