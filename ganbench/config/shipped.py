"""The benchmark files that come with ganbench, by their names.

The repository has them in `benchmarks`, and the wheel has that folder as `ganbench/shipped`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ganbench.config.yaml_document import Document
from ganbench.util.messages import quoted

PACKAGE = Path(__file__).parents[1]
PATTERNS = ("*.yaml", "textbook/*.yaml")
NEAR = 3  # names that a message offers
ALIKE = 0.7  # as difflib measures it
SPOKEN = 4  # letters from which on a part of a name says which is meant


@dataclass(frozen=True)
class Shipped:
    """One of the files, and what it says of itself."""

    name: str
    file: Path
    description: str


def folder() -> Path:
    """Return where the files lie: in an installed package, or beside that of a checkout."""
    packaged = PACKAGE / "shipped"
    return packaged if packaged.is_dir() else PACKAGE.with_name("benchmarks")


@cache
def files() -> dict[str, Path]:
    """Return every file by its name, the textbooks' last."""
    return {path.stem: path for pattern in PATTERNS for path in sorted(folder().glob(pattern))}


def described() -> Iterator[Shipped]:
    """Yield every file with its own description."""
    for name, file in files().items():
        said = Document.read(file).data().get("description", "")
        yield Shipped(name, file, said)


def named(asked: str) -> Path:
    """Return the file that a bare name means, and of all else the path that it is.

    A name wins over a file of the working directory, which ./ reaches.
    """
    return files().get(asked, Path(asked))


def near(asked: Path) -> str:
    """Return the end of a message on a file that is not there: the names that may be meant."""
    stem = asked.stem.lower()
    longer = [name for name in files() if stem in name] if len(stem) >= SPOKEN else []
    close = difflib.get_close_matches(stem, files(), n=NEAR, cutoff=ALIKE)
    found = [stem] if stem in files() else list(dict.fromkeys([*longer, *close]))[:NEAR]
    if found:
        comes = "comes" if len(found) == 1 else "come"
        names = quoted(found[:-1]) + (" or " if found[1:] else "") + quoted(found[-1:])
        return f"; did you mean {names}, which {comes} with ganbench?"
    return "" if asked.suffix else "; `ganbench run --list` shows what comes with ganbench"
