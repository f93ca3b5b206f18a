"""What works beside a trial takes nothing from it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ganbench.util.aside import Aside


class Busy:
    """Starts a program in a session of its own, as some trackers' libraries do."""

    def begin(self, file: str) -> None:
        program = subprocess.Popen(["sleep", "60"], start_new_session=True)
        Path(file).write_text(f"{os.getpid()} {program.pid}", encoding="ascii")


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no idle priority")
def test_it_and_what_it_starts_have_what_nothing_else_wants(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    aside = Aside(Busy, {}, tmp_path, tmp_path / "busy.log")
    aside.call("begin", str(pids))
    until = time.monotonic() + 60
    while not (pids.exists() and pids.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    process, program = map(int, pids.read_text().split())
    try:
        assert {os.sched_getscheduler(pid) for pid in (process, program)} == {os.SCHED_IDLE}
        assert os.getsid(process) == os.getsid(0) != os.getsid(program)  # or it would have a share
        assert os.getpgid(process) == process  # Ctrl-C is not for it
        group = Path(f"/proc/{program}/autogroup")
        while group.exists() and "nice 19" not in group.read_text("ascii"):
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        os.kill(program, 9)
        aside.end(60.0)
