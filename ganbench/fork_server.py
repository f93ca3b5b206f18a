"""Warm workers: `python -m ganbench.fork_server` imports once, and forks a worker for each trial.

A worker that starts cold imports torch for seconds; a fork of this process begins at once. Nothing
but imports happens here: no plugin of others is loaded, no tensor made and no device begun, so
that each worker finds what a cold one finds, and takes nothing from a trial to the next.

Standard input brings a line of JSON for each worker (`directory`, `log`, and `environment`, which
adds to this process's); standard output answers with `PID`, and once it has ended with `PID CODE`,
its code as `subprocess` counts them. A worker begins once its `PID` is said, so that where this
process ends before, the runner can start the trial elsewhere and it never runs twice. The next
request may come once the last is answered. The pipe LIFELINE closes as the runner ends, however it
ends, and every worker with it.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import gc
import json
import os
import selectors
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from ganbench import worker

assert sys.platform == "linux"  # elsewhere workers start cold


def main() -> int:
    """Serve until standard input ends, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ganbench.fork_server")
    parser.add_argument("lifeline", type=int, help="file descriptor of a pipe's end for reading")
    lifeline = parser.parse_args().lifeline
    answers = os.dup(1)
    os.dup2(2, 1)  # what an import prints is no answer
    worker.preload()
    gc.collect()
    gc.freeze()  # else a worker's first collection would copy all of this process's pages
    return _serve(lifeline, answers)


def _serve(lifeline: int, answers: int) -> int:
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _, status = os.waitpid(key.data, 0)
                    _say(answers, key.data, os.waitstatus_to_exitcode(status))
                    continue
                request = sys.stdin.buffer.readline()
                if not request:
                    return 0
                told, tell = os.pipe()
                pid = os.fork()
                if not pid:
                    selector.close()
                    os.close(answers)
                    os.close(tell)
                    if not os.read(told, 1):  # nobody knows of this worker, or will
                        os._exit(1)
                    os.close(told)
                    _work(lifeline, **json.loads(request))
                os.setpgid(pid, pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                _say(answers, pid)
                os.write(tell, b"\n")
                os.close(tell)
                os.close(told)


def _work(lifeline: int, directory: str, log: str, environment: dict[str, str]) -> NoReturn:
    """Be the worker of a trial, in a group of its own, which a signal can reach as a whole."""
    os.setpgid(0, 0)
    os.dup2(lifeline, 0)
    os.close(lifeline)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.close(written)
    os.environ.update(environment)
    _end(worker.main([directory, "--stop-with-parent"]))


def _end(code: int) -> NoReturn:
    """End as Python does, but leave modules and memory to the system.

    To take them apart one by one costs as much as a short trial.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does first
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # anyone's, or closed
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # what libraries in C have printed
    os._exit(code)


def _say(answers: int, *numbers: int) -> None:
    os.write(answers, " ".join(map(str, numbers)).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
