"""Processes that are forked from one which has imported the heavy libraries already.

A cold start of Python with torch takes seconds, a fork of a warm one takes none. The child is a
process of its own, with an environment, a working directory and an exit code. `python -m ganbench`,
and code that names ganbench, find ganbench imported too, unless PYTHONPATH has folders that might
hold another; all else imports it itself. What is about starting (imports, signals, threads, the
interpreter's own variables) wants a cold process, and so does what is about curves.png.

Where `hasten` was called, and in the children, what workers are forked from is such a fork too. The
children's other processes are as well, but for workers that start cold: versions that `ganbench ab`
measures, benchmarks that pytest runs, and workers of xdist.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import io
import json
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

HEAVY = (
    "torch",
    "torch._dynamo",
    "torchvision",
    "pandas",
    "pydantic",
    "matplotlib.pyplot",
    "rich.live",
)
READ_AT_START = ("PYTHON", "OMP_", "MKL_", "LC_", "LANG", "MPL")  # variables' prefixes
ADDRESS = "GANBENCH_TESTS_WARM"  # the variable with the folder of the sockets
PLAIN, PREPARED = "plain", "prepared"  # the sockets; behind the other, ganbench is imported as well
PATIENCE = 300  # seconds
FORK_SERVER, WORKER = "'ganbench.fork_server'", "'ganbench.worker'"  # in the code that runs them
COLD = subprocess.Popen
ROOT = Path(__file__).parents[2]


def run(
    module: str, *arguments: object, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """As `python -m MODULE ARGUMENTS` in `cwd`, with its output captured."""
    captured = partial(tempfile.TemporaryFile, "w+", encoding="utf-8")
    with captured() as out, captured() as err:
        process = start(
            module, *arguments, cwd=cwd, environment=environment, stdout=out, stderr=err
        )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(process.args, code, out.read(), err.read())


def start(
    module: str, *arguments: object, cwd: Path, environment: Mapping[str, str], **streams: Any
) -> subprocess.Popen[str]:
    """As `python -m MODULE ARGUMENTS` in `cwd`, in a session of its own, which heeds Ctrl-C.

    A cold process where the environment holds other values of what is read when Python starts.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    streams = {"stdin": subprocess.DEVNULL, "text": True, **streams}
    if address := _server():
        environment = {**environment, ADDRESS: address}
    popen = _Warm if address and not _is_changed(environment) else COLD
    return popen(command, cwd=cwd, env=environment, start_new_session=True, **streams)


def hasten(*, all_of_python: bool = False) -> None:
    """From here on, what this process's workers are forked from is forked itself.

    With `all_of_python`, so are other processes of Python that it starts.
    """
    if _server():
        subprocess.Popen = _HastenedAll if all_of_python else _Hastened  # type: ignore[misc]


def _is_changed(environment: Mapping[str, str]) -> bool:
    ours = _environment_of_server()
    names = {name for name in ours.keys() | environment.keys() if name.startswith(READ_AT_START)}
    return any(ours.get(name) != environment.get(name) for name in names - {"PYTHONPATH"})


def _path(environment: Mapping[str, str]) -> list[str]:
    """What PYTHONPATH adds to this package, which is found anyway."""
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [folder for folder in folders if folder and Path(folder) != ROOT]


@cache
def _environment_of_server() -> dict[str, str]:
    if __name__ == "__main__":
        return dict(os.environ)
    from helpers import tiny

    return tiny.surroundings()


@cache
def _server() -> str:
    """The folder of its sockets: this process's, which ends with it. Empty where it cannot be."""
    if ADDRESS in os.environ or not hasattr(os, "pidfd_open"):
        return os.environ.get(ADDRESS, "")
    folder = tempfile.mkdtemp(prefix="warm-")
    server = COLD(
        [sys.executable, __file__, folder],
        env=_environment_of_server(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.communicate)
    assert server.stdout
    assert server.stdout.readline() == "listening\n"
    os.environ[ADDRESS] = folder
    return folder


class _Warm(subprocess.Popen):
    """A process that is forked from a warm one, which tells of its end."""

    def _execute_child(self, *arguments: Any) -> None:
        told = inspect.signature(COLD._execute_child).bind(self, *arguments).arguments
        env, cwd = told["env"], told["cwd"]
        flag, what, given = _asked(told["args"])
        environment = dict(os.environ if env is None else env)
        streams = [told["p2cread"], told["c2pwrite"], told["errwrite"]]
        streams = [own if stream == -1 else stream for own, stream in enumerate(streams)]
        passed = list(told["pass_fds"])
        job = {
            "flag": flag,
            "what": what,
            "arguments": given,
            "cwd": str(cwd or os.getcwd()),
            "environment": environment,
            "passed": passed,
        }
        has_our_path = _path(environment) == _path(_environment_of_server())
        is_prepared = has_our_path and "ganbench" in what
        self._told = socket.socket(socket.AF_UNIX)
        self._told.connect(f"{_server()}/{PREPARED if is_prepared else PLAIN}")
        request = json.dumps(job).encode()
        socket.send_fds(self._told, [len(request).to_bytes(4, "big")], [*streams, *passed])
        self._told.sendall(request)
        self.pid = int.from_bytes(_received(self._told, 4), "big")
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(told[name] for name in pipes))

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None:
            self._try_wait(os.WNOHANG)
        return self.returncode

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if self.returncode is None:
            self._told.settimeout(0 if flags else None)
            try:
                code = _received(self._told, 4)
            except BlockingIOError:
                return 0, 0
            self._told.close()
            self.returncode = int.from_bytes(code, "big", signed=True)
        code = self.returncode
        return self.pid, -code if code < 0 else code << 8  # as the system counts them


def _asked(args: Any) -> tuple[str, str, list[str]]:
    """The flag -m or -c of a command of Python, what it runs, and its arguments; or nothing."""
    if not isinstance(args, list) or args[:1] != [sys.executable]:
        return "", "", []
    options = [str(option) for option in args[1:] if option != "-u"]
    if len(options) < 2 or options[0] not in ("-m", "-c"):
        return "", "", []
    return options[0], options[1], options[2:]


class _Hastened(_Warm):
    """Warm where it is what workers are forked from, else as ever."""

    def __new__(cls, args: Any, *_: Any, **options: Any) -> Any:
        can_be_warm = not _is_changed(options.get("env") or os.environ)
        is_warm = can_be_warm and cls.hastens(*_asked(args)[:2])
        return object.__new__(cls) if is_warm else COLD(args, *_, **options)

    @classmethod
    def hastens(cls, flag: str, what: str) -> bool:
        return FORK_SERVER in what


class _HastenedAll(_Hastened):
    @classmethod
    def hastens(cls, flag: str, what: str) -> bool:
        return bool(flag) and WORKER not in what


def _received(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        assert more, "the warm process has ended; what it said is on this one's standard error"
        found += more
    return found


def serve(folder: str) -> None:
    """Listen, and fork for each connection, until standard input ends."""
    _environment_of_server()  # as it is now
    for module in HEAVY:
        importlib.import_module(module)
    _draw()
    listening = {name: socket.socket(socket.AF_UNIX) for name in (PLAIN, PREPARED)}
    for name, listener in listening.items():
        listener.bind(f"{folder}/{name}")
        listener.listen()
    print("listening", flush=True)
    if prepared := os.fork():
        _serve(listening[PLAIN])
        os.waitpid(prepared, 0)  # so that what it used is counted
    else:
        _import_ganbench()
        _serve(listening[PREPARED])


def _draw() -> None:
    """Let matplotlib find its fonts, which takes as long as several pages, and then draw no more.

    Figures are made and written as ever, but blank: to draw them is half of a tiny trial.
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1], [1], label="x")
    figure.legend()
    figure.savefig(io.BytesIO())
    Figure.draw = lambda figure, renderer: None  # type: ignore[method-assign]
    Axes.draw_artist = lambda axes, artist: None  # type: ignore[method-assign]


def _import_ganbench() -> None:
    from ganbench import worker
    from ganbench.cli import commands

    worker.preload()
    for found in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        importlib.import_module(found.name)


def _serve(listener: socket.socket) -> None:
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    return
                if key.fileobj is listener:
                    pid, connection = _forked(listener)
                    pidfd = os.pidfd_open(pid)
                    selector.register(pidfd, selectors.EVENT_READ, (pid, connection))
                    continue
                pid, connection = key.data
                selector.unregister(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                _tell(connection, code)
                connection.close()


def _forked(listener: socket.socket) -> tuple[int, socket.socket]:
    connection, _ = listener.accept()
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 16)
    job = json.loads(_received(connection, int.from_bytes(size, "big")))
    pid = os.fork()
    if not pid:
        listener.close()
        connection.close()
        become(**job, descriptors=descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    _tell(connection, pid)
    return pid, connection


def _found_anyway() -> list[str]:
    """The server's sys.path without its script's folder, and PYTHONPATH but for this package."""
    added = _path(_environment_of_server())
    return [folder for folder in sys.path[1:] if folder not in added]


def _tell(connection: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits for it any more
        connection.sendall(number.to_bytes(4, "big", signed=True))


def become(
    flag: str,
    what: str,
    arguments: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    passed: Sequence[int],
    descriptors: Sequence[int],
) -> NoReturn:
    """Be `python -m MODULE ARGUMENTS` or `python -c CODE ARGUMENTS`, up to its last moments."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    own = dict(zip(map(str, passed), map(str, descriptors[3:]), strict=True))
    sys.path[:] = [cwd if flag == "-m" else "", *_path(environment), *_found_anyway()]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    np.random.seed()  # Python's own does so itself; torch's seed is the same in every process
    sys.argv = [flag, *(own.get(argument, argument) for argument in arguments)]
    hasten(all_of_python=True)
    code: object = 0
    try:
        if flag == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), vars(main))
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


if __name__ == "__main__":
    serve(*sys.argv[1:])
