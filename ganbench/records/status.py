"""How trials end, and what their ends mean: the one place that says which are bad or final."""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """How a trial stands. Each is equal to its text, as files and tables have it."""

    OK = "ok"
    FAILED = "failed"  #: an exception, or a worker that died
    DIVERGED = "diverged"  #: a loss that is not finite: a finding, the same when run again
    TIMEOUT = "timeout"
    INCOMPATIBLE = "incompatible"  #: a cell that cannot be built
    UNFINISHED = "unfinished"  #: not begun, at work, or interrupted

    def __str__(self) -> str:
        return self.value

    @property
    def ended_badly(self) -> bool:
        """Whether the trial ran and came to no result."""
        return self in (Status.DIVERGED, Status.FAILED, Status.TIMEOUT)

    @property
    def lacks_result(self) -> bool:
        """Whether a result is owed: the trial ended badly, or has not ended."""
        return self.ended_badly or self is Status.UNFINISHED

    @property
    def is_failure(self) -> bool:
        """Whether there will be no result as things are, for a reason that a report tells."""
        return self.ended_badly or self is Status.INCOMPATIBLE

    @property
    def is_final(self) -> bool:
        """Whether `resume` lets the trial be: running it again would change nothing."""
        return self in (Status.OK, Status.DIVERGED, Status.INCOMPATIBLE)
