"""One process at a time is at work in a run's folder, and others are told which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
from helpers import tiny

from ganbench.errors import RunError
from ganbench.runs import holding
from ganbench.runs.holding import DEAD_SECONDS, HOLDER, LOCK, held, holder

HOLDING = """\
import sys
from pathlib import Path
from ganbench.runs.holding import held

with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], env=tiny.surroundings(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_nobody_is_at_work_but_while_it_is_held(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with held(tmp_path):
        assert (tmp_path / HOLDER).exists()
    assert holder(tmp_path) is None
    assert not (tmp_path / HOLDER).exists()


def test_one_who_looks_keeps_nobody_out(tmp_path: Path) -> None:
    look = filelock.FileLock(tmp_path / LOCK, thread_local=False)
    look.acquire()
    threading.Timer(0.1, look.release).start()
    with held(tmp_path):
        assert (tmp_path / HOLDER).exists()


def test_another_process_is_named_and_kept_out(tmp_path: Path, other) -> None:
    found = holder(tmp_path)
    assert found is not None
    assert (found.pid, found.is_here) == (other.pid, True)
    told = rf"at work in it: process {other.pid} on .*end it with `ganbench cancel "
    with pytest.raises(RunError, match=told), held(tmp_path):
        pass
    other.communicate()
    assert holder(tmp_path) is None


def test_one_that_was_killed_holds_nothing(tmp_path: Path, other) -> None:
    other.kill()
    other.wait()
    assert (tmp_path / HOLDER).exists()
    assert holder(tmp_path) is None
    with held(tmp_path):
        assert json.loads((tmp_path / HOLDER).read_text("utf-8"))["pid"] == os.getpid()


@pytest.mark.parametrize(("ago", "lives"), [(0.9, True), (1.1, False)])
def test_another_machine_lives_for_as_long_as_it_touches_its_file(
    tmp_path: Path, ago: float, lives: bool
) -> None:
    said = {"host": "elsewhere.example", "pid": 1, "since": "2026-01-01T00:00:00+00:00"}
    (tmp_path / HOLDER).write_text(json.dumps(said), "utf-8")
    (tmp_path / LOCK).touch()
    then = time.time() - ago * DEAD_SECONDS
    os.utime(tmp_path / HOLDER, (then, then))
    found = holder(tmp_path)
    assert (found is not None) is lives
    if lives:
        with pytest.raises(RunError, match=r"process 1 on elsewhere\.example"), held(tmp_path):
            pass
        assert json.loads((tmp_path / HOLDER).read_text("utf-8")) == said
    else:
        with held(tmp_path):
            assert holding._said(tmp_path) != found


def test_signs_of_life_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "TOUCH_SECONDS", 0.01)
    with held(tmp_path):
        os.utime(tmp_path / HOLDER, (0, 0))
        deadline = time.monotonic() + 10
        while (tmp_path / HOLDER).stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "{", '{"host": 3}', "[]"])
def test_damaged_file_of_a_holder_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    (tmp_path / HOLDER).write_text(text, "utf-8")
    assert holder(tmp_path) is None
    with held(tmp_path):
        pass
