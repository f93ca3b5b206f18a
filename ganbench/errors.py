"""The one tree of errors a user can cause. Anything outside it is a bug and keeps its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class GanbenchError(Exception):
    """A problem the message explains in full: where, what was found, what was possible."""


class ConfigError(GanbenchError):
    """The benchmark file, an override or a command-line value cannot be used."""


class NothingSelected(GanbenchError):
    """--only, --seeds and the like left nothing to do."""


class PluginError(GanbenchError):
    """A plugin could not be loaded or registered."""


class ContractError(GanbenchError):
    """A plugin broke the contract of its kind."""


class Incompatible(GanbenchError):
    """A cell that cannot be built; the message is the reason that tables show."""


class DataError(GanbenchError):
    """A data set or a weights file is missing, damaged or not what it claims to be."""


class DataChanged(DataError):
    """The data are not those that the run, or this training, began with."""


class RunError(GanbenchError):
    """A run directory cannot be used: taken, unwritable, incomplete or of another benchmark."""


class BaselineError(GanbenchError):
    """A baseline is missing, damaged, or made of a run that it should not be made of."""


class MeasurementError(GanbenchError):
    """A run that was to be judged ended badly; `code` is what its process ended with."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Diverged(GanbenchError):
    """Training produced a loss that is not finite."""


class ProcessLost(GanbenchError):
    """Another of the processes that train one trial together has ended."""


class Terminated(BaseException):
    """SIGTERM, as an exception, so that workers are stopped on the way out."""


_NATIVE_TRACE = "\nException raised from "  # what torch's errors end with, dozens of lines
INTERRUPTIONS = (KeyboardInterrupt, Terminated)
"""What passes through the code of others without being their error."""


@contextmanager
def noting(note: Callable[[], str]) -> Iterator[None]:
    """Say of any exception but Diverged, which is a finding, where it came from."""
    try:
        yield
    except (Diverged, *INTERRUPTIONS):
        raise
    except BaseException as error:
        # As `add_note` does, which Python 3.10 has not.
        error.__notes__ = [*getattr(error, "__notes__", ()), note()]  # type: ignore[attr-defined]
        raise


OUT_OF_MEMORY = "out-of-memory"
_NO_MEMORY = ("can't allocate memory", "out of memory")  # in what torch says of CPUs and of GPUs
WHAT_TO_TRY = (
    "; training.micro_batch, a divisor of training.batch_size, works a batch through in pieces; "
    "else lower training.batch_size, or run fewer trials at a time with --jobs"
)


def cause(error: BaseException) -> str:
    """Return what kind of end an error is, where something can be done about it; else nothing."""
    if isinstance(error, GanbenchError):
        return ""
    lacks = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    text = str(error).lower() if isinstance(error, RuntimeError) else ""
    return OUT_OF_MEMORY if lacks or any(part in text for part in _NO_MEMORY) else ""


def place(error: BaseException, *, outside: Sequence[Path] = ()) -> str:
    """Return `, at FILE:LINE` of where an exception was raised; nothing where that is unknown.

    It is the last line that is `outside` of these folders.
    """
    trace = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(Path(frame.filename).is_relative_to(folder) for folder in outside)
    ]
    known = trace and "importlib" not in trace[-1].filename
    return f", at {trace[-1].filename}:{trace[-1].lineno}" if known else ""


def told(error: BaseException) -> str:
    """Return the message with its notes, and with the exception's name for anything unforeseen."""
    try:
        text = str(error)
    except Exception:  # of anyone's
        text = "(it cannot say what is wrong)"
    text = text.partition(_NATIVE_TRACE)[0]
    text = text if isinstance(error, GanbenchError) else f"{type(error).__name__}: {text}"
    return text + "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
