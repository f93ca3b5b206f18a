"""Standard output and standard error, through which all goes that commands print.

Names and messages of others reach a terminal as text alone. Where a stream cannot be written to,
whoever reads it is gone or its disk is full, the command goes on to its end.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

from ganbench.util.terminal import terminal_text

if TYPE_CHECKING:
    from rich.console import Console


class Stream:
    """A text stream that never fails; `failure` is why nothing is written any more."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text as it is."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Write what is waiting."""
        self._try(self.stream.flush)

    def _try(self, act: Any) -> None:
        try:
            act()
        except OSError as error:
            self.failure = self.failure or error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # what waits in buffers goes there too
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Cleaned(Stream):
    """Writes text in which nothing is an order to a terminal; `styled` takes what is meant so."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.styled = Stream(stream)

    def write(self, text: str) -> int:
        """Write the text without orders to a terminal."""
        self.styled.write(terminal_text(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write all the lines."""
        self.write("".join(lines))

    @property
    def rich_proxied_file(self) -> Stream:
        """Where rich writes, whose colours are meant."""
        return self.styled

    @property
    def trouble(self) -> str:
        """Say why not all was written; nothing where the reader has seen enough, or all was."""
        self.flush()
        error = self.styled.failure or self.failure
        if error is None or error.errno == errno.EPIPE:
            return ""
        return (error.strerror or str(error)).lower()


_for_documents: Stream | None = None


def documents() -> TextIO:
    """Return where a command's one JSON document goes: standard output."""
    return cast("TextIO", _for_documents or sys.stdout)


def install(*, as_json: bool = False) -> None:
    """Let standard output and error be such streams from now on, also where they are closed.

    With `as_json`, what anything else prints to standard output goes to standard error.
    """
    global _for_documents
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: what is opened next would take its place
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # as long as the process
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks ×, ± or │ shows a ?
        setattr(sys, name, Cleaned(stream))
    if as_json:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # as JSON is anywhere
        _for_documents, sys.stdout = cast("Stream", sys.stdout), sys.stderr


def trouble() -> str:
    """Say why not all of standard output was written; the empty text where all is well."""
    output = documents()
    return output.trouble if isinstance(output, Cleaned) else ""


def console(*, stderr: bool = False, pipe_width: int | None = None) -> Console:
    """Return a console of rich's that cleans all it is given, takes none of it for markup, and
    keeps its own colours.

    `pipe_width` is how wide its lines are where it is no terminal.
    """  # noqa: D205
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                clean = terminal_text(segment.text) if not segment.control else segment.text
                yield segment if clean == segment.text else Segment(clean, segment.style)

    stream = sys.stderr if stderr else sys.stdout
    return Terminal(
        file=cast("IO[str]", getattr(stream, "styled", stream)),
        width=None if stream.isatty() else pipe_width,
        markup=False,
        highlight=False,
        emoji=False,
    )
