"""What the commands share that run a benchmark with other versions of the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.runs.selection import parse_seeds

if TYPE_CHECKING:
    from ganbench.config.yaml_document import Document
    from ganbench.runs.benchmark import BenchmarkArguments


def of_run(arguments: BenchmarkArguments, document: Document) -> tuple[str, ...]:
    """Return the arguments of `ganbench run`, the same for every version, but for the seeds.

    Raises ConfigError for seeds that are none.
    """
    parse_seeds(arguments.seeds)
    found = ["--profile", arguments.profile] if arguments.profile else []
    for name, values in (("--set", arguments.overrides), ("--only", arguments.only)):
        found += [part for value in values for part in (name, value)]
    if document.data().get("plugins"):
        found += ["--set", "plugins=[]"]  # they are given as each version has them
    return (*found, "--device", arguments.device)


def first_seeds(document: Document) -> tuple[int, ...]:
    """Return the seeds that a benchmark file names; one where it names none."""
    seeds: Any = document.data().get("seeds")
    return tuple(seeds) if isinstance(seeds, list) and seeds else (0,)


def gate_of(document: Document) -> dict[str, object]:
    """Return the gate of a benchmark file; empty where it has none."""
    found = document.data().get("gate")
    return dict(found) if isinstance(found, dict) else {}


def places(file: Path) -> list[Path]:
    """Return where the repository may be: around the file, unless that is installed, or here."""
    from ganbench.config import shipped

    folder = file.resolve().parent
    is_installed = folder.is_relative_to(shipped.PACKAGE.resolve())
    return [Path.cwd()] if is_installed else [folder, Path.cwd()]
