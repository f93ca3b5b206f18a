"""Workers are processes of their own, however they start. Their trials are light ones here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.hanging import alive, wait_until

import ganbench
from ganbench import Resources, TrialRef
from ganbench.default_plugins.executors import Local, processes

WORKER = """\
import atexit, ctypes, json, os, pathlib, signal, sys, threading, time

seen = []

def preload():
    if os.environ.get("NO_PRELOAD"):
        raise ImportError("no torch today")

def main(arguments):
    folder = pathlib.Path(arguments[0])
    seen.append(folder.name)
    result = {
        "seen": seen, "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgid(0),
        "cwd": os.getcwd(), "environment": dict(os.environ), "path": sys.path,
    }
    os.environ["LEFT"] = "behind"
    os.chdir("/")
    print("said by", folder.name, flush=True)
    if "hang" in folder.name:
        (folder / "pid").write_text(str(os.getpid()))
        while os.read(0, 1):
            pass
        os._exit(4)
    if "server" in folder.name:
        assert os.getppid() != int(os.environ["RUNNER"]), "forked from no server"
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if "leaves" in folder.name:
        atexit.register(print, "said at the exit")
        threading.Thread(target=lambda: (time.sleep(0.2), print("said by a thread"))).start()
        ctypes.CDLL(None).puts(b"said in C")
        print("not flushed")
    (folder / "result.json").write_text(json.dumps(result))
    return 0

if __name__ == "__main__":
    main(sys.argv[1:])
"""

SLOW = """\
import os, time
if os.environ.get("SLOW_TO_ANSWER"):
    at_once = os.setpgid
    def setpgid(pid, group):
        time.sleep(0.5 if pid else 0)  # its child goes on meanwhile
        at_once(pid, group)
    os.setpgid = setpgid
"""

forks = pytest.mark.skipif(bool(processes.why_cold()), reason=processes.why_cold())
both = pytest.mark.parametrize("start", [pytest.param("warm", marks=forks), "cold"])


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and ganbench with a worker that imports no torch."""
    package = tmp_path / "light" / "ganbench"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"__path__.append({ganbench.__path__[0]!r})\n{SLOW}")
    (package / "worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("RUNNER", str(os.getpid()))
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "json.py").write_text("raise ImportError('a file of the user')")
    return tmp_path / "cwd"


def trials(folder: Path, *names: str) -> list[TrialRef]:
    for name in names:
        (folder / name).mkdir()
    return [TrialRef(folder / name, name) for name in names]


def results(found: list[TrialRef]) -> list[dict[str, Any]]:
    return [json.loads((trial.directory / "result.json").read_text("utf-8")) for trial in found]


@both
def test_worker_has_its_own_process_group_folder_and_log(light: Path, start: Any) -> None:
    given = trials(light, "a", "b", "c")
    ended = list(Local(start=start).run(given, Resources(cwd=light, threads=3)))
    assert ended == given
    found = results(ended)
    assert len({r["pid"] for r in found}) == 3
    assert [r["group"] for r in found] == [r["pid"] for r in found]
    assert len({r["parent"] for r in found}) == 1
    assert (found[0]["parent"] == os.getpid()) == (start == "cold")
    assert {r["cwd"] for r in found} == {str(light)}
    assert not {"", str(light)} & set(found[0]["path"])  # json.py of the user's folder is not ours
    for name, result in zip("abc", found, strict=True):
        environment = result["environment"]
        assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
        assert "glibc.malloc" in environment["GLIBC_TUNABLES"]
        assert (light / name / "worker.log").read_text() == f"said by {name}\n"


@both
def test_nothing_passes_from_a_trial_to_the_next(light: Path, start: Any) -> None:
    first, second = results(list(Local(start=start).run(trials(light, "a", "b"), Resources())))
    assert (first["seen"], second["seen"]) == (["a"], ["b"])
    assert "LEFT" not in second["environment"]
    assert second["cwd"] == os.getcwd()


@both
def test_worker_ends_as_python_does(light: Path, start: Any) -> None:
    (ended,) = Local(start=start).run(trials(light, "leaves"), Resources())
    said = (ended.directory / "worker.log").read_text().splitlines()
    assert sorted(said) == sorted(
        ["said by leaves", "not flushed", "said in C", "said by a thread", "said at the exit"]
    )
    assert said.index("said by a thread") < said.index("said at the exit")


@both
def test_gpus_are_dealt_out_by_slot(light: Path, start: Any) -> None:
    resources = Resources(jobs=2, devices=("5", "7"))
    given = trials(light, "a", "b", "c", "d")
    found = results(list(Local(start=start).run(given, resources)))
    assert {r["environment"]["CUDA_VISIBLE_DEVICES"] for r in found} == {"5", "7"}


@forks
@pytest.mark.parametrize("slow", ["", "1"])
def test_end_of_what_workers_are_forked_from_costs_one_trial(
    light: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, slow: str
) -> None:
    monkeypatch.setenv("SLOW_TO_ANSWER", slow)
    given = trials(light, "a", "kills server", "b", "c")
    ended = list(Local().run(given, Resources()))
    assert ended == given
    found = results([trial for trial in ended if "server" not in trial.label])
    assert [r["parent"] == os.getpid() for r in found] == [False, True, True]
    end = json.loads((light / "kills server" / "end.json").read_text())
    assert end["status"] == "failed"
    assert "SIGKILL" in end["reason"]
    (said,) = caplog.messages
    assert said == "workers start cold from here on: the process to fork from has ended"


@forks
def test_what_runs_beside_has_an_end_too(light: Path) -> None:
    given = trials(light, "hangs", "kills server", "b")
    ended = list(Local().run(given, Resources(jobs=2)))
    assert set(ended) == set(given)
    for name in ("hangs", "kills server"):
        assert json.loads((light / name / "end.json").read_text())["status"] == "failed"
    assert not alive(int((light / "hangs" / "pid").read_text()))
    assert results(given[2:])


@forks
def test_where_imports_fail_workers_start_cold(
    light: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NO_PRELOAD", "1")
    (found,) = results(list(Local().run(trials(light, "a"), Resources())))
    assert found["parent"] == os.getpid()
    (said,) = caplog.messages
    assert said.endswith("has ended: ImportError: no torch today")


def test_where_fork_is_not_safe_workers_start_cold(
    light: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    assert processes.why_cold() == "fork is not safe on darwin"
    (found,) = results(list(Local().run(trials(light, "a"), Resources())))
    assert found["parent"] == os.getpid()


def test_without_groups_and_forks_a_trial_is_stopped_all_the_same(
    light: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.sys, "platform", "win32")
    for owner, name in ((os, "killpg"), (os, "fork"), (os, "pidfd_open"), (signal, "SIGKILL")):
        monkeypatch.delattr(owner, name, raising=False)
    given = trials(light, "hangs", "b")
    assert list(Local().run(given, Resources(timeout_seconds=3))) == given
    end = json.loads((light / "hangs" / "end.json").read_text("utf-8"))
    assert end == {"status": "timeout", "reason": "stopped after 3 s"}
    assert not alive(int((light / "hangs" / "pid").read_text()))
    assert results(given[1:])


@both
def test_trial_that_takes_too_long_is_stopped(light: Path, start: Any) -> None:
    given = trials(light, "hangs", "b")
    ended = list(Local(start=start).run(given, Resources(timeout_seconds=3, cwd=light)))
    assert ended == given
    end = json.loads((light / "hangs" / "end.json").read_text())
    assert end == {"status": "timeout", "reason": "stopped after 3 s"}
    assert not alive(int((light / "hangs" / "pid").read_text()))
    assert results(ended[1:])


RUNNER = """\
import sys
from pathlib import Path
from ganbench import Resources, TrialRef
from ganbench.default_plugins.executors import Local

folder = Path(sys.argv[1])
list(Local(start=sys.argv[2]).run([TrialRef(folder, "hangs")], Resources()))
"""


@both
def test_worker_ends_with_a_runner_that_is_killed(light: Path, start: str) -> None:
    (trial,) = trials(light, "hangs")
    root = str(Path(ganbench.__file__).parents[1])
    script = f"import sys; sys.path[1:1] = [{root!r}]\n{RUNNER}"  # not the light one's
    runner = subprocess.Popen([sys.executable, "-c", script, str(trial.directory), start])
    try:
        wait_until(lambda: (trial.directory / "pid").is_file())
        time.sleep(0.2)
        worker = int((trial.directory / "pid").read_text())
        assert alive(worker)
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    wait_until(lambda: not alive(worker))
