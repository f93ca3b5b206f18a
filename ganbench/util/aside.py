"""A process beside this one for what may break, hang or be slow, and never costs more than asked.

It runs this module, loads a class from a file and calls its methods in the order in which they are
sent. The sender waits for nothing but, for a bounded time, the end.
"""

from __future__ import annotations

import json
import os
import queue
import runpy
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

MOST_BYTES = 64_000_000  # of messages that may wait; further ones are left out
GRACE_SECONDS = 120.0  # that it may go on after the end, when nobody waits for it any more


class Aside:
    """An object in a process of its own."""

    def __init__(self, cls: type, options: dict[str, Any], directory: Path, log: Path) -> None:
        """Start it in a directory; what it prints goes into the log."""
        self.left_out, self.log = 0, log
        self._waiting: queue.Queue[bytes | None] = queue.Queue()
        self._held, self._lock = 0, threading.Lock()
        file = sys.modules[cls.__module__].__file__
        command = [sys.executable, "-m", "ganbench.util.aside", str(file), cls.__name__]
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, json.dumps(options, default=str)], stdin=subprocess.PIPE, stdout=output,
                stderr=output, cwd=directory, env=surroundings,
            )  # fmt: skip
        _hold_back(self._process.pid)
        assert self._process.stdin is not None
        threading.Thread(target=self._write, args=(self._process.stdin,), daemon=True).start()

    def call(self, method: str, *arguments: Any) -> None:
        """Have a method called with arguments that JSON knows, some time later."""
        line = json.dumps([method, arguments], default=str).encode() + b"\n"
        with self._lock:
            if self._held + len(line) > MOST_BYTES:
                self.left_out += 1
                return
            self._held += len(line)
        self._waiting.put(line)

    def end(self, seconds: float) -> int | None:
        """Wait so long for it to end; return its exit status, or None where it goes on.

        Then it is killed two minutes later, if it has not ended by itself.
        """
        self._waiting.put(None)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            threading.Thread(target=self._kill_later, daemon=True).start()
            return None

    def _write(self, pipe: BinaryIO) -> None:
        with suppress(OSError), pipe:  # it may be gone
            while (line := self._waiting.get()) is not None:
                pipe.write(line)
                pipe.flush()
                with self._lock:
                    self._held -= len(line)

    def _kill_later(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self._process.kill()
        self._process.wait()


def main(file: str, name: str, options: str) -> None:
    """Call what standard input says, until that ends."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # the terminal's Ctrl-C is for the trial alone
    told: queue.Queue[bytes | None] = queue.Queue()
    done = [0]  # bytes
    threading.Thread(target=_read, args=(told, done), daemon=True).start()
    followed = runpy.run_path(file)[name](**json.loads(options))
    while (line := told.get()) is not None:
        method, arguments = json.loads(line)
        getattr(followed, method)(*arguments)
        _hold_back_sessions(os.getpid())
        done[0] += len(line)


def _hold_back(process: int) -> None:
    """Let a process have what nothing else wants of the processor, and what it starts from now on.

    A session of its own would not do: Linux shares the processor out among sessions before it looks
    at priorities (`autogroup` in sched(7)), so that it would take as much as the training.
    """
    if hasattr(os, "setpriority"):
        with suppress(OSError):  # it may have ended
            os.setpriority(os.PRIO_PROCESS, process, 19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # some containers forbid it
            os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))


def _hold_back_sessions(process: int) -> None:
    """Lower the sessions that what it started has begun, each of which is a group by itself."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # it may have ended
            for child in map(int, children.read_text("ascii").split()):
                if os.getsid(child) != os.getsid(process):
                    Path(f"/proc/{child}/autogroup").write_text("19", "ascii")
                _hold_back_sessions(child)


def _read(told: queue.Queue[bytes | None], done: list[int]) -> None:
    """Take in what is sent, as the sender may end soon, and see the end of it."""
    taken = left_out = 0
    for line in sys.stdin.buffer:
        if taken - done[0] + len(line) > MOST_BYTES:
            left_out += 1
        else:
            taken += len(line)
            told.put(line)
    told.put(None)
    if left_out:
        print(f"{left_out} messages were left out, as they came too fast", file=sys.stderr)
    ending = threading.Timer(GRACE_SECONDS, os._exit, [1])
    ending.daemon = True
    ending.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
