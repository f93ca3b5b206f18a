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
from ganbench.gate.repository import commit_of, git, repository_around
from ganbench.registry.discovery import is_file

WORKING_TREE = "."
WHERE_FROM = """\
import sys
sys.path[:] = sys.path[not sys.path[0]:]  # as the runs do
import ganbench
print(ganbench.__file__)
"""


@dataclass(frozen=True)
class Version:
    """One side: its tree, or None for what the interpreter has installed."""

    side: str  # the option that names it: base or head, good or bad; empty where none does
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
        if self.revision == self.commit:
            return f"{self.commit[:10]}{python}"
        return f"{self.revision} ({self.commit[:10]}{changes}{python})"

    @property
    def asked(self) -> str:
        """Return it as it was asked for, as in `--base main (0123456789)`."""
        return f"--{self.side} {self}" if self.side else str(self)

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
            raise PluginError(f"--plugin {name}: {self.asked} has no such file")
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
                f"{self.asked}: ganbench cannot be imported there: {last[0]}; install it "
                "into that environment"
            )
        return done.stdout.strip()


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
    asked = f"--{version.side} {version.revision}"
    id = commit_of(repository, revision, asked, ", or . for the working tree")
    dirty = False
    if version.revision == WORKING_TREE:
        dirty = bool(git(repository, "status", "--porcelain").stdout.strip())
    return replace(version, repository=repository, commit=id, dirty=dirty)


@contextmanager
def _with_tree(version: Version) -> Iterator[Version]:
    if version.revision is None:
        yield version
    elif version.revision == WORKING_TREE:
        yield replace(version, tree=version.repository)
    else:
        assert version.repository is not None
        above = Path(tempfile.mkdtemp(prefix="ganbench-tree-")).resolve()
        try:
            tree = above / (version.side or "tree")
            done = git(
                version.repository, "-c", "core.hooksPath=/dev/null", "worktree", "add",
                "--detach", str(tree), version.commit,
            )  # fmt: skip
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1:] or [""]
                raise ConfigError(f"{version.asked}: git cannot check it out: {last[0]}")
            yield replace(version, tree=tree)
        finally:
            _remove(version.repository, above)


def _remove(repository: Path, above: Path) -> None:
    """Remove the tree in `above`, and git's memory of it."""
    removed = True
    for tree in above.iterdir():
        done = git(repository, "worktree", "remove", "--force", "--force", str(tree))
        removed = removed and done.returncode == 0
    shutil.rmtree(above, ignore_errors=True)
    if not removed:  # an interrupted `worktree add`
        git(repository, "worktree", "prune")
