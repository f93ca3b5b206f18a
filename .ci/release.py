"""Hold a release's tag to the files: `python .ci/release.py TAG`; what it prints are its notes.

The tag `v1.2.3` releases ganbench, whose version it is, and CHANGELOG.md must have that section
first. `ganbench-NAME-v1.2` releases the package of that name in plugins/, whose pyproject.toml has
the version: there it counts in the ids of cells, and so it changes with the plugin alone. In
GitHub Actions, the folder to build and the version go to the step's outputs.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
TAG = re.compile(r"(?:(?P<plugin>ganbench-[a-z0-9-]+)-)?v(?P<version>\d+(?:\.\d+)*(?:rc\d+)?)")


class Release(NamedTuple):
    """What a tag releases."""

    folder: str  # of its pyproject.toml, from the top
    version: str
    notes: str


def release(tag: str, root: Path = ROOT) -> Release:
    """Return what a tag releases. Raises ValueError where the files say otherwise."""
    found = TAG.fullmatch(tag)
    if not found:
        raise ValueError(f"{tag}: expected v1.2.3, or ganbench-NAME-v1.2 for a package in plugins/")
    if found["plugin"]:
        return _of_plugin(found["plugin"], found["version"], root)
    return Release(".", found["version"], notes(found["version"], root))


def notes(version: str, root: Path = ROOT) -> str:
    """Return what CHANGELOG.md says of its newest release. Raises ValueError for another."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    sections = [*SECTION.finditer(text)]
    unreleased, newest, *older = sections
    if text[unreleased.end() : newest.start()].strip():
        raise ValueError("CHANGELOG.md: 'Unreleased' is not empty; move it below the new release")
    if newest["version"] != version or not newest["date"]:
        raise ValueError(
            f"CHANGELOG.md: the newest release is {newest[0]!r}, and not '## [{version}] - DATE'"
        )
    end = older[0].start() if older else len(text)
    return text[newest.end() : end].strip() + "\n"


def _of_plugin(name: str, version: str, root: Path) -> Release:
    folder = root / "plugins" / name
    if not folder.is_dir():
        raise ValueError(f"plugins/ has no {name}")
    about = (folder / "pyproject.toml").read_text("utf-8")
    if f'\nversion = "{version}"\n' not in about:
        raise ValueError(f"plugins/{name}/pyproject.toml: its version is not {version}")
    return Release(f"plugins/{name}", version, f"{name} {version}\n")


def main() -> str | None:
    """Print the notes; return what is wrong."""
    try:
        found = release(sys.argv[1])
    except ValueError as error:
        return str(error)
    print(found.notes, end="")
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with open(outputs, "a", encoding="utf-8") as file:
            file.write(f"folder={found.folder}\nversion={found.version}\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
