"""Two versions of the code, each as a tree to put first on PYTHONPATH and an interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ganbench.errors import ConfigError, PluginError
from ganbench.registry.discovery import is_file

WORKING_TREE = "."
GIT_SECONDS = 300
WHERE_FROM = """\
import sys
sys.path[:] = sys.path[not sys.path[0]:]  # as the runs do
import ganbench
print(ganbench.__file__)
"""


@dataclass(frozen=True)
class Version:
    """One side: its tree, or None for what the interpreter has installed."""

    side: str  # base or head
    revision: str | None  # as asked for; "." is the working tree
    python: str = sys.executable
    repository: Path | None = None  # the working tree that revisions are of
    commit: str = ""
    dirty: bool = False
    tree: Path | None = None

    def __str__(self) -> str:
        if self.revision is None:
            return self.python
        changes = " and uncommitted changes" if self.dirty else ""
        python = f", {self.python}" if self.python != sys.executable else ""
        return f"{self.revision} ({self.commit[:10]}{changes}{python})"

    def environment(self) -> dict[str, str]:
        """Return this process's environment, with the tree first on PYTHONPATH.

        A `src` folder in the tree comes first too.
        """
        found = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
        if self.tree is not None:
            first = [str(p) for p in (self.tree / "src", self.tree) if p.is_dir()]
            inherited = os.environ.get("PYTHONPATH")
            found["PYTHONPATH"] = os.pathsep.join([*first, *([inherited] if inherited else [])])
        return found

    def plugin(self, name: str) -> str:
        """Return a plugin's file as this version has it.

        What is not in the repository is everybody's.
        """
        if not is_file(name):
            return name
        path = Path(name).resolve()
        if self.tree is None or self.repository is None:
            return str(path)
        if not path.is_relative_to(self.repository):
            return str(path)
        own = self.tree / path.relative_to(self.repository)
        if not own.is_file():
            raise PluginError(f"--plugin {name}: --{self.side} {self} has no such file")
        return str(own)

    def package(self) -> str:
        """Return the file that `import ganbench` finds. Raises ConfigError where there is none."""
        try:
            done = subprocess.run(
                [self.python, "-c", WHERE_FROM],
                env=self.environment(),
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise ConfigError(
                f"--{self.side}-python {self.python}: {error.strerror}; name an interpreter, such "
                "as venv/bin/python"
            ) from error
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ConfigError(
                f"--{self.side} {self}: ganbench cannot be imported there: {last[0]}; install it "
                "into that environment"
            )
        return done.stdout.strip()


def repository_around(folders: Sequence[Path]) -> Path | None:
    """Return the top of the working tree that the first of the folders in one is in."""
    for folder in folders:
        found = _git(folder, "rev-parse", "--show-toplevel")
        if found.returncode == 0:
            return Path(found.stdout.strip()).resolve()
    return None


@contextmanager
def checked_out(wanted: Sequence[Version], folders: Sequence[Path]) -> Iterator[list[Version]]:
    """Give the versions with their trees, which are removed at the end, however it comes.

    `folders` are where to look for the repository. Raises ConfigError where there is none, or where
    it lacks a revision.
    """
    repository = None
    if any(version.revision is not None for version in wanted):
        repository = repository_around(folders)
        if repository is None:
            places = " nor ".join(dict.fromkeys(str(folder) for folder in folders))
            raise ConfigError(
                f"--{wanted[0].side} {wanted[0].revision}: neither {places} is in a git "
                "repository; go to one, or compare two environments with --base-python and "
                "--head-python"
            )
    known = [v if v.revision is None else _resolved(v, repository) for v in wanted]
    with ExitStack() as stack:
        yield [stack.enter_context(_with_tree(version)) for version in known]


def _resolved(version: Version, repository: Path | None) -> Version:
    assert repository is not None
    assert version.revision is not None
    revision = "HEAD" if version.revision == WORKING_TREE else version.revision
    found = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode or revision.startswith("-"):
        raise ConfigError(
            f"--{version.side} {version.revision}: {repository} has no such revision; name a "
            "commit, a branch or a tag (a shallow clone has few: `git fetch --unshallow`), or . "
            "for the working tree"
        )
    dirty = False
    if version.revision == WORKING_TREE:
        dirty = bool(_git(repository, "status", "--porcelain").stdout.strip())
    return replace(version, repository=repository, commit=found.stdout.strip(), dirty=dirty)


@contextmanager
def _with_tree(version: Version) -> Iterator[Version]:
    if version.revision is None:
        yield version
    elif version.revision == WORKING_TREE:
        yield replace(version, tree=version.repository)
    else:
        assert version.repository is not None
        above = Path(tempfile.mkdtemp(prefix="ganbench-ab-")).resolve()
        try:
            tree = above / version.side
            done = _git(
                version.repository, "-c", "core.hooksPath=/dev/null", "worktree", "add",
                "--detach", str(tree), version.commit,
            )  # fmt: skip
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1:] or [""]
                raise ConfigError(f"--{version.side} {version}: git cannot check it out: {last[0]}")
            yield replace(version, tree=tree)
        finally:
            _remove(version.repository, above)


def _remove(repository: Path, above: Path) -> None:
    """Remove the tree in `above`, and git's memory of it."""
    removed = True
    for tree in above.iterdir():
        done = _git(repository, "worktree", "remove", "--force", "--force", str(tree))
        removed = removed and done.returncode == 0
    shutil.rmtree(above, ignore_errors=True)
    if not removed:  # an interrupted `worktree add`
        _git(repository, "worktree", "prune")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a session of its own, so that a Ctrl-C leaves no half a tree."""
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
            "with --base-python and --head-python"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"git {arguments[0]} took longer than {GIT_SECONDS} s") from error
