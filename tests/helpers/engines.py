"""Engines of clusters for tests: installed where that is possible, else their tests are skipped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from helpers import tiny
from helpers.hanging import alive, wait_until

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("GANBENCH_TEST_TRIALS", "200"))  # of a run in which a worker is killed
SLURM_PACKAGES = ("slurm-wlm", "munge", "slurmdbd", "mariadb-server")  # of Debian
RING = """\
version: 1
name: many
seeds: SEEDS
dataset: {name: ring, train_size: 500, test_size: 100}
loss: bce
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
training: {batch_size: 50, budget: {kimg: KIMG}, log_every: 5}
evaluation: {num_samples: 100, metrics: [mode-coverage], controls: []}
callbacks: [counted]
execution: EXECUTION
reporters: [json]
"""
KIT = """\
from ganbench.testing import check_plugin
from MODULE import *

found = check_plugin(PLUGIN)
assert len(found) > 4, found
assert not [one for one in found if one.message], found
"""
COUNTED = '''\
"""Writes a line for each trial that begins."""

import os
from dataclasses import dataclass

from ganbench import Callback, hookimpl


@dataclass(kw_only=True)
class Counted(Callback):
    """Counts."""

    name = "counted"

    def began(self, trial):
        with open(os.environ["GANBENCH_TEST_COUNT"], "a", encoding="utf-8") as file:
            file.write(f"{trial.seed}\\n")


@hookimpl
def register_callbacks(register):
    register(Counted)
'''


@cache
def python_with(*packages: str) -> str:
    """Return a Python that has packages beside all that this one has. Skips where it cannot be."""
    name = hashlib.sha256(repr((sys.prefix, packages)).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"ganbench-engines-{os.getuid()}" / name
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return str(python)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "around.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", "utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", *packages]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=900)
    if done.returncode:
        pytest.skip(f"pip install {' '.join(packages)}: {done.stderr.strip()[-200:]}")
    (folder / "complete").touch()
    return str(python)


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Start Slurm on this one machine, installing it where need be; yield variables for it."""
    if not shutil.which("slurmctld"):
        if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
            pytest.skip("Slurm is not installed, and only root of a Debian can install it")
        apt = ["apt-get", "install", "--yes", "--no-install-recommends", *SLURM_PACKAGES]
        for command in (["apt-get", "update"], apt):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            done = subprocess.run(command, capture_output=True, text=True, env=quiet)
            if done.returncode:
                pytest.skip(f"{' '.join(command[:2])}: {done.stderr.strip()[-200:]}")
    if os.geteuid():
        pytest.skip("only root can start Slurm's daemons")
    script = ["bash", str(Path(__file__).with_name("one_node_slurm.sh"))]
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # below no folder that is this user's alone
    folder.chmod(0o755)
    try:
        subprocess.run([*script, "start", folder], check=True, timeout=180)
        yield {"SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run([*script, "stop", folder], check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def passes_the_kit(
    python: str, package: str, plugin: str, folder: Path, **surroundings: str
) -> None:
    """Have a package's executor go through the conformance kit, with its engine."""
    code = KIT.replace("MODULE", package.replace("-", "_")).replace("PLUGIN", plugin)
    (folder / "kit.py").write_text(f"if __name__ == '__main__':\n    exec({code!r})\n", "utf-8")
    path = os.pathsep.join([str(ROOT / "plugins" / package), str(ROOT)])
    done = subprocess.run(
        [python, "kit.py"], cwd=folder, env={**os.environ, **surroundings, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


class Many:
    """A run of many small trials, begun by the command line."""

    def __init__(
        self,
        folder: Path,
        python: str,
        package: str,
        execution: dict[str, Any],
        surroundings: Mapping[str, str],
    ) -> None:
        self.folder, self.run = folder, folder / "run"
        self.module = next((ROOT / "plugins" / package).glob("ganbench_*.py"))
        self.python, self.execution = python, execution
        self.count = folder / "count"
        (folder / "counted.py").write_text(COUNTED, "utf-8")
        self.surroundings = tiny.surroundings(
            GANBENCH_TEST_COUNT=str(self.count), GANBENCH_LOAD_PLUGINS="", **surroundings
        )

    def begin(self, seeds: int, kimg: float = 0.1, *more: str) -> subprocess.Popen[str]:
        """Start the command, and return its process."""
        text = RING.replace("SEEDS", str(list(range(seeds)))).replace("KIMG", str(kimg))
        text = text.replace("EXECUTION", json.dumps(self.execution))
        (self.folder / "many.yaml").write_text(text, "utf-8")
        plugins = ("--plugin", self.module, "--plugin", self.folder / "counted.py")
        return self.command("run", self.folder / "many.yaml", *plugins, "--out", self.run, *more)

    def command(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command of ganbench."""
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [self.python, "-m", "ganbench", *map(str, arguments)],
                cwd=self.folder, env=self.surroundings, stdout=log, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What the commands said."""
        return (self.folder / "log").read_text("utf-8")

    def results(self) -> dict[str, dict[str, Any]]:
        """What is there, by trial."""
        return tiny.results(self.run)

    def begun(self) -> Counter[str]:
        """How often each seed has begun."""
        return Counter(self.count.read_text("utf-8").split() if self.count.exists() else [])


def nothing_is_lost_or_done_twice(many: Many) -> None:
    """Kill a worker of the engine in the middle of many trials, and count them at the end."""
    process = many.begin(TRIALS)
    try:
        wait_until(lambda: len(many.results()) >= TRIALS // 4, process, seconds=3600)
        before = set(many.results())
        killed_under(many, process, ended=processes_with("ganbench.worker", str(many.run)))
        code = process.wait(timeout=3600)
    finally:
        end(process)
    assert code == 0, many.log
    found = many.results()
    assert len(found) == TRIALS
    assert before <= set(found)
    assert {result["status"] for result in found.values()} == {"ok"}
    begun = many.begun()
    assert len(begun) == TRIALS
    assert sum(begun.values()) <= TRIALS + many.execution["jobs"], begun.most_common(5)


def a_trial_under_which_workers_die_is_a_row(many: Many, reason: str) -> None:
    """Kill the engine's worker of a long trial, and then that of its second try."""
    process = many.begin(1, 100_000)
    try:
        for _ in range(2):
            worker = killed_under(many, process)
            wait_until(lambda worker=worker: not alive(worker), seconds=60)
        code = process.wait(120)
    finally:
        end(process)
    assert code == 3, many.log
    (said,) = many.run.glob("trials/*/end.json")
    assert reason in said.read_text("utf-8")


def killed_under(many: Many, process: subprocess.Popen[str], ended: Sequence[int] = ()) -> int:
    """Kill the engine's worker that runs a trial, and return the trial's process.

    Those of trials that have `ended` or are about to are not waited for.
    """

    found: list[int] = []

    def have_begun() -> bool:
        now = processes_with("ganbench.worker", str(many.run))
        found[:] = [pid for pid in now if pid not in ended]
        return bool(found)

    wait_until(have_begun, process, seconds=300)
    os.kill(parent_of(found[0]), signal.SIGKILL)
    return found[0]


def end(process: subprocess.Popen[str]) -> None:
    """Be sure that a command and what it started locally have ended."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_with(*words: str) -> list[int]:
    """The processes of this machine in whose command line all words are."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().decode("utf-8", "replace")
            if all(word in line for word in words):
                found.append(int(path.parent.name))
    return sorted(found)


def parent_of(pid: int) -> int:
    """The process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[1])
