"""What git knows of a repository: its commits, who made them, and files as they were."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import ConfigError

GIT_SECONDS = 300
_FORMAT = "%H%x00%an%x00%aI%x00%s"


@dataclass(frozen=True)
class Commit:
    """A commit as people know it."""

    id: str
    author: str = ""
    date: str = ""  # of the author, as ISO 8601 has it
    subject: str = ""

    @property
    def short(self) -> str:
        """Return the first ten digits of the id."""
        return self.id[:10]


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in a folder, in a session of its own, so that a Ctrl-C leaves no half a tree."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",  # which git writes on every system
            errors="replace",
            timeout=GIT_SECONDS,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "git is not installed, and revisions need it; install it, or compare two environments "
            "with `ganbench ab --base-python` and --head-python"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"git {arguments[0]} took longer than {GIT_SECONDS} s") from error


def repository_around(folders: Sequence[Path]) -> Path | None:
    """Return the top of the working tree that the first of the folders in one is in."""
    for folder in folders:
        found = git(folder, "rev-parse", "--show-toplevel")
        if found.returncode == 0:
            return Path(found.stdout.strip()).resolve()
    return None


def commit_of(repository: Path, revision: str, asked: str, or_else: str = "") -> str:
    """Return the id of a revision's commit.

    Raises ConfigError where there is none; `asked` is how it was asked for, as in `--base main`,
    and `or_else` what else would do.
    """
    found = git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode or revision.startswith("-"):
        raise ConfigError(
            f"{asked}: {repository} has no such revision; name a commit, a branch or a tag (a "
            f"shallow clone has few: `git fetch --unshallow`){or_else}"
        )
    return found.stdout.strip()


def is_ancestor(repository: Path, older: str, newer: str) -> bool:
    """Return whether a commit is in the history of another, or is that commit."""
    return git(repository, "merge-base", "--is-ancestor", older, newer).returncode == 0


def commits_after(repository: Path, older: str, newer: str) -> list[Commit]:
    """Return the commits from one to another by first parents, the older one left out."""
    return list(_log(repository, "--first-parent", f"{older}..{newer}"))


def commit(repository: Path, id: str) -> Commit:
    """Return what is known of a commit."""
    return next(_log(repository, "--max-count=1", id))


def commits_of_file(repository: Path, path: Path) -> list[Commit]:
    """Return the commits that changed a file, by first parents and from the oldest on."""
    return list(_log(repository, "--first-parent", "HEAD", "--", str(path)))


def file_at(repository: Path, commit: str, path: Path) -> str | None:
    """Return a file's text as it was at a commit; None where it was not there."""
    name = path.resolve().relative_to(repository).as_posix()
    found = git(repository, "show", f"{commit}:{name}")
    return found.stdout if found.returncode == 0 else None


def _log(repository: Path, *what: str) -> Iterator[Commit]:
    found = git(repository, "log", "--no-show-signature", "--reverse", f"--format={_FORMAT}", *what)
    lines = found.stdout.strip("\n").split("\n") if found.returncode == 0 else []
    yield from (Commit(*line.split("\0", 3)) for line in lines if line)
