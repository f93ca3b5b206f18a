"""Runs in processes of their own that hang, and are waited for and killed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from helpers import tiny, warm


def start_hanging(
    tmp_path: Path, run: Path, text: str = tiny.UNCONTROLLED
) -> subprocess.Popen[str]:
    """A run whose second cell never ends, nor comes to a moment at which it could be kept."""
    text = text.replace("[bce, lsgan]", "[bce, {name: trouble, does: hang}]")
    if "checkpoint" not in text:
        text = text.replace("execution: {", "execution: {checkpoint: null, ")
    benchmark = tiny.write(tmp_path, text)
    plugin = tiny.write_trouble(tmp_path)
    return warm.start(
        "ganbench",
        *("run", benchmark, "--plugin", plugin, "--out", run),
        cwd=tmp_path,
        environment=tiny.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def worker_of(run: Path, process: subprocess.Popen[str]) -> int:
    """The process that trains the cell that hangs."""
    (pid,) = processes_of(f"{run}/trials/trouble")
    return pid


def processes_of(folder: str) -> list[int]:
    """The workers of the trials whose folders' names begin so: what they print goes there."""
    found = []
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        with suppress(OSError):
            if os.readlink(output).startswith(folder):
                found.append(int(output.parts[2]))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(
    condition: Callable[[], object],
    process: subprocess.Popen[str] | None = None,
    seconds: float = 90,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, process and process.communicate()[1]
        time.sleep(0.05)
