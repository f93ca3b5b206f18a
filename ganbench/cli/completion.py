"""What a shell completes: names of plugins, folders of runs, trained models, and files.

A shell asks at each press of a key, so nothing here imports a plugin or torch.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.errors import GanbenchError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def plugins(*kinds: str, or_else: str = "") -> Complete:
    """Complete names of plugins, of these kinds or of any; `or_else` a `file` or a `dir`."""

    def complete(
        ctx: click.Context, parameter: click.Parameter, typed: str
    ) -> list[CompletionItem]:
        return _items(typed, _plugins(kinds, ctx.params.get("plugins") or ()), or_else)

    return complete


def files(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete any file."""
    return _items(typed, (), "file")


def benchmarks(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the names of benchmarks that come with ganbench, and any file."""
    from ganbench.config import shipped

    return _items(typed, ((name, "") for name in shipped.files()), "file")


def runs(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete folders of runs."""
    return _items(typed, ((run, "") for run in _runs(typed)), "dir")


def runs_or_files(
    ctx: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete folders of runs, and files, such as baselines."""
    return _items(typed, ((run, "") for run in _runs(typed)), "file")


def models(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete folders of runs, and after them their trials, as RUN/TRIAL."""
    run = os.path.dirname(typed)
    found = sorted(Path(run, "trials").iterdir()) if run and _is_run(run) else []
    trials = ((os.path.join(run, trial.name), "") for trial in found)
    return _items(typed, trials if found else ((run, "") for run in _runs(typed)), "dir")


def _items(typed: str, found: Iterable[tuple[str, str]], or_else: str) -> list[CompletionItem]:
    """Return what begins as typed, after the word that lets a shell look for files, too."""
    from click.shell_completion import CompletionItem

    named = dict(pair for pair in found if pair[0].startswith(typed))
    items = [CompletionItem(name, help=about or None) for name, about in named.items()]
    return [CompletionItem(typed, type=or_else), *items] if or_else else items


def _plugins(kinds: tuple[str, ...], beside: Iterable[str]) -> Iterator[tuple[str, str]]:
    from ganbench.registry.manifest import listing

    try:
        listed = listing(tuple(beside))
    except GanbenchError:  # which the command itself will tell
        return
    for entry in listed:
        if entry.kind in kinds or (not kinds and entry.kind != "?"):
            yield entry.name, entry.summary


def _runs(typed: str) -> Iterator[str]:
    from ganbench.records.run_folder import RUN

    start = glob.escape(typed)
    patterns = [f"{start}*/{RUN}", f"{start}*/*/{RUN}"]
    if "results".startswith(typed):
        patterns.append(f"results/*/*/{RUN}")
    for pattern in patterns:
        yield from sorted(os.path.dirname(path) for path in glob.glob(pattern))


def _is_run(folder: str) -> bool:
    from ganbench.records.run_folder import RUN

    return Path(folder, RUN).is_file() and Path(folder, "trials").is_dir()
