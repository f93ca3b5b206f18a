"""Processes that are forked from one which has imported the heavy libraries already.

A cold start of Python with torch takes seconds, a fork of a warm one takes none. The child is a
process of its own, with an environment, a working directory and an exit code, and imports ganbench
itself. What is about starting (imports, signals, threads, the interpreter's own variables) wants a
cold process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

HEAVY = (
    "torch",
    "torch._dynamo",
    "torchvision",
    "pandas",
    "pydantic",
    "matplotlib.pyplot",
    "rich.live",
)
READ_AT_START = ("PYTHON", "OMP_", "MKL_", "GLIBC_", "LC_", "LANG", "MPL")  # variables' prefixes
PATIENCE = 300  # seconds


def run(
    module: str, *arguments: object, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """As `python -m MODULE ARGUMENTS` in `cwd`, with its output captured.

    A cold process where the environment holds other values of what is read when Python starts.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    server = None if _is_changed(environment) else _server()
    if server is None:
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "module": module,
            "arguments": command[3:],
            "cwd": str(cwd),
            "environment": dict(environment),
            "out": f"{folder}/out",
            "err": f"{folder}/err",
        }
        code = _asked(server, job)
        out, err = (Path(folder, name).read_text("utf-8") for name in ("out", "err"))
    return subprocess.CompletedProcess(command, code, out, err)


def _is_changed(environment: Mapping[str, str]) -> bool:
    ours = _environment_of_server()
    names = {name for name in ours.keys() | environment.keys() if name.startswith(READ_AT_START)}
    return any(ours.get(name) != environment.get(name) for name in names)


@cache
def _environment_of_server() -> dict[str, str]:
    from helpers import tiny

    return tiny.surroundings()


@cache
def _server() -> subprocess.Popen[str] | None:
    """This process's, which ends with it. None where there is no fork."""
    if not hasattr(os, "fork"):
        return None
    server = subprocess.Popen(
        [sys.executable, __file__],
        env=_environment_of_server(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[str]) -> None:
    server.communicate()


def _asked(server: subprocess.Popen[str], job: Mapping[str, Any]) -> int:
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(job) + "\n")
    server.stdin.flush()
    ready, _, _ = select.select([server.stdout], [], [], PATIENCE)
    if not ready:
        server.kill()
        _server.cache_clear()
        raise subprocess.TimeoutExpired(str(job["arguments"]), PATIENCE)
    answer = server.stdout.readline()
    assert answer, "the warm process has ended; what it said is on this one's standard error"
    return int(answer)


def serve() -> None:
    """Fork for each line of standard input, and answer with the child's exit code."""
    for module in HEAVY:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            become(**job)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(
    module: str,
    arguments: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    out: str,
    err: str,
) -> NoReturn:
    """Be `python -m MODULE ARGUMENTS`, up to where the interpreter would be taken down."""
    import numpy as np

    _redirect(sys.stdin, os.devnull, os.O_RDONLY)
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        _redirect(stream, path, os.O_WRONLY | os.O_CREAT)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    np.random.seed()  # Python's own does so itself; torch's seed is the same in every process
    sys.path[0] = cwd
    sys.argv = ["-m", *arguments]
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


def _redirect(stream: IO[str], path: str, flags: int) -> None:
    opened = os.open(path, flags)
    os.dup2(opened, stream.fileno())
    os.close(opened)


if __name__ == "__main__":
    serve()
