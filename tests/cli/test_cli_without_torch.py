"""What reads finished runs starts without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers import tiny

from ganbench.testing.fixtures import trials

COMMANDS = (
    ["show", "run"],
    ["show", "run", "--json"],
    ["list", "."],
    ["compare", "run", "run"],
    ["baseline", "update", "run", "--reason", "why", "--min-seeds", "2", "--out", "b.json"],
    ["baseline", "show", "b.json"],
    ["compare", "--history", "run", "other", "b.json"],
    ["export", "run", "--to", "openmetrics"],
    *(["report", "run", "--format", name] for name in ("console", "markdown", "csv", "json")),
    ["report", "run", "--out", "page.html"],
    ["report", "run", "--published"],
    ["report", "run", "other", "--out", "both.html"],
    ["results", "merge", "run", "other", "--out", "all"],
    ["results", "rank", "run", "other", "--diagram", "ranks.svg"],
    ["results", "submit", "run", "--to", "shared", "--yes"],
    ["results", "check", "shared"],
    ["results", "site", "shared", "--out", "site"],
    ["export", "run", "--to", "hf-results", "--benchmark", "my-lab/kit"],
)


def test_what_reads_finished_runs_imports_no_torch(tmp_path: Path) -> None:
    for name in ("run", "other"):
        (tmp_path / name).mkdir()
        found = {loss: [trials.finished()] * 2 for loss in ("bce", "lsgan")}
        trials.report(tmp_path / name, found)
    code = f"""
import sys
import ganbench
from ganbench.cli import cli
from ganbench.errors import NothingSelected
for arguments in {COMMANDS!r}:
    try:
        cli.main(arguments, standalone_mode=False)
    except NothingSelected:  # nobody published numbers of the made-up data set
        assert "--published" in arguments
    assert "torch" not in sys.modules, arguments
ganbench.load_run("run").frame()
assert "torch" not in sys.modules, "load_run"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=tiny.surroundings(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").is_file()
