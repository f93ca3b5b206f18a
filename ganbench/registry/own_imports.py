"""What a plugin imports of its author's own beside it, which decides numbers as it does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

INSTALLED = {"site-packages", "dist-packages"}  # folders of what pip or the system has put there
NOT_THEIRS = {"ganbench", "torch", "numpy", *sys.stdlib_module_names}


def own_imports(
    files: Sequence[Path], package: str, locate: Callable[[str], Path]
) -> dict[str, Path]:
    """Return the sources that these files import, and that those import in turn, by module.

    What is installed is left out, for its version tells of it, and so are the files themselves.
    `package`: the one that the files are of, or nothing. `locate`: where a module's source is;
    raises ImportError.
    """
    found: dict[str, Path] = {}
    seen = {file.resolve() for file in files}
    waiting = [(file, package) for file in files]
    while waiting:
        for name in dict.fromkeys(_named(*waiting.pop())):
            try:
                path = locate(name)
            except ImportError:  # no module, or one without a source
                continue
            if path.resolve() in seen or INSTALLED & {*path.parts}:
                continue
            seen.add(path.resolve())
            found[name] = path
            is_package = path.name == "__init__.py"
            waiting.append((path, name if is_package else name.rpartition(".")[0]))
    return found


def _named(file: Path, package: str) -> Iterator[str]:
    """Yield the dotted names that a file may import, anywhere in it; not all are modules."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # and so it cannot be imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for parts in (name.split(".") for name in names):
            if parts[0] not in NOT_THEIRS:
                yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the module that `from … import` begins with."""
    around = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
    return ".".join(filter(None, [*around, node.module]))
