"""How far a long loop has come, on stderr: a bar in a terminal, a line in a pipe or a CI log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ganbench.cli import streams


@contextmanager
def shown(quiet: bool) -> Iterator[None]:
    """Of every tracked loop inside."""
    if quiet:
        yield
    elif sys.stderr.isatty() and not os.environ.get("CI"):
        with _bars():
            yield
    else:
        with _lines():
            yield


@contextmanager
def _bars() -> Iterator[None]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from ganbench.util.progress import observing

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    tasks = {}
    with Progress(*columns, console=streams.console(stderr=True), transient=True) as progress:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total or None)
            progress.update(tasks[what], completed=done, total=total or None)

        with observing(tell):
            yield


@contextmanager
def _lines() -> Iterator[None]:
    from ganbench.cli.progress import HEARTBEAT_SECONDS
    from ganbench.util.progress import observing

    said: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            count = f": {total:,}" if total else ""
        elif done != total and now - said[what] >= HEARTBEAT_SECONDS:
            count = f": {done:,} of {total:,}" if total else f": {done:,}"
        else:
            return
        said[what] = now
        print(f"{what}{count}", file=sys.stderr, flush=True)

    with observing(tell):
        yield
