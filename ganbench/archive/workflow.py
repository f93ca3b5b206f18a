"""The workflow of a repository of results: it checks submissions, and trains a trial of each."""

from __future__ import annotations

import json
from importlib.resources import files as resources
from pathlib import Path

from ganbench.errors import RunError
from ganbench.util import files

NAME = "submissions.yml"
PLACE = Path(".github", "workflows", NAME)


def text(results: str = ".", install: str = "ganbench") -> str:
    """Return the workflow, for results in a folder of a repository of git, relative to its top."""
    found = resources("ganbench.archive").joinpath(NAME).read_text("utf-8")
    paths = "**" if results == "." else f"{results}/**"
    for key, value in {"PATHS": paths, "RESULTS": results}.items():
        found = found.replace(f"@{key}@", json.dumps(value))
    return found.replace("@GANBENCH@", install)


def missing(repository: Path) -> tuple[Path, str] | None:
    """Return where the workflow of a repository of results belongs, with its text, or None.

    None: it is there.

    It belongs at the top of the repository of git that the folder is in, where it is in any.
    """
    here = repository.absolute()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    if (top / PLACE).exists():
        return None
    return top / PLACE, text(here.relative_to(top).as_posix())


def lay_down(repository: Path) -> Path | None:
    """Write the workflow where there is none, and return where. Raises RunError."""
    if (found := missing(repository)) is None:
        return None
    path, content = found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
