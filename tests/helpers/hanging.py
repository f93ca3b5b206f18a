"""Runs in processes of their own that hang, and are waited for and killed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from helpers import tiny


def start_hanging(
    tmp_path: Path, run: Path, text: str = tiny.UNCONTROLLED
) -> subprocess.Popen[str]:
    """A run whose second cell never ends."""
    text = text.replace("[bce, lsgan]", "[bce, {name: trouble, does: hang}]")
    benchmark = tiny.write(tmp_path, text)
    plugin = tiny.write_trouble(tmp_path)
    return subprocess.Popen(
        tiny.command("run", benchmark, "--plugin", plugin, "--out", run),
        cwd=tmp_path,
        env=tiny.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=tiny.heeds_interrupts,
    )


def worker_of(run: Path, process: subprocess.Popen[str]) -> int:
    """The process that trains the cell that hangs."""
    found = subprocess.run(["pgrep", "-f", f"{run}/trials/trouble"], capture_output=True, text=True)
    (pid,) = found.stdout.split()
    return int(pid)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(
    condition: Callable[[], object], process: subprocess.Popen[str] | None = None
) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, process and process.communicate()[1]
        time.sleep(0.05)
