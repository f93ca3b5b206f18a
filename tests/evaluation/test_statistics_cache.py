"""What real data alone decides is computed once per machine, also when two ask at once."""

from __future__ import annotations

import random
import subprocess
import textwrap
from pathlib import Path

import pytest
import torch
from helpers import tiny, warm

from ganbench.evaluation.statistics_cache import remembered
from ganbench.util import sealed


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "statistics"


def test_second_time_nothing_is_computed():
    first = remembered("key", lambda: {"a": torch.arange(3.0), "b": torch.tensor(2)})
    again = remembered("key", lambda: pytest.fail("computed again"))
    assert all(torch.equal(again[name], first[name]) for name in ("a", "b"))


def test_other_key_is_another_value():
    assert remembered("one", lambda: {"a": torch.ones(1)})["a"].item() == 1
    assert remembered("two", lambda: {"a": torch.zeros(1)})["a"].item() == 0


def test_what_is_not_finite_is_not_taken_from_the_cache():
    remembered("key", lambda: {"a": torch.tensor([float("nan")])})
    assert remembered("key", lambda: {"a": torch.ones(1)})["a"].item() == 1


def test_no_flipped_bit_is_another_statistic(cache):
    expected = remembered("key", lambda: {"a": torch.arange(50.0), "b": torch.tensor(2)})
    (path,) = cache.glob("*.safetensors")
    whole = path.read_bytes()
    for place in random.Random(0).sample(range(8 * len(whole)), 200):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        again = remembered("key", lambda: {"computed anew": torch.ones(1)})
        assert list(again) == ["computed anew"]
    path.write_bytes(whole)
    found = remembered("key", lambda: pytest.fail("computed again"))
    assert all(torch.equal(found[name], expected[name]) for name in ("a", "b"))


def test_statistics_without_a_seal_are_taken(cache):
    remembered("key", lambda: {"a": torch.arange(3.0)})
    (path,) = cache.glob("*.safetensors")
    path.write_bytes(sealed.read(path))
    assert remembered("key", lambda: pytest.fail("computed again"))["a"].tolist() == [0, 1, 2]


def test_what_killed_writers_left_is_removed(cache):
    remembered("key", lambda: {"a": torch.ones(1)})
    (path,) = cache.glob("*.safetensors")
    path.unlink()
    left, other = (cache / f".{name}.abcd_123" for name in (path.name, "b.safetensors"))
    left.touch()
    other.touch()  # perhaps another process is writing it
    remembered("key", lambda: {"a": torch.ones(1)})
    assert (left.exists(), other.exists()) == (False, True)


def test_two_processes_that_ask_at_once_compute_once(tmp_path):
    write_script(
        tmp_path,
        """
        import sys, time
        import torch
        from ganbench.evaluation.statistics_cache import remembered

        def compute():
            with open(sys.argv[1], "a") as file:
                file.write("computed\\n")
            time.sleep(1)
            return {"a": torch.arange(4.0)}

        print(remembered("key", compute)["a"].sum().item())
        """,
    )
    log = tmp_path / "log"
    processes = [
        warm.start(
            "script",
            log,
            cwd=tmp_path,
            environment=tiny.surroundings(),
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert said == ["6.0"] * 3
    assert log.read_text() == "computed\n"


def test_killed_in_the_middle_leaves_nothing_half(cache, tmp_path):
    write_script(
        tmp_path,
        """
        import os, signal
        from ganbench.evaluation.statistics_cache import remembered
        remembered("key", lambda: os.kill(os.getpid(), signal.SIGKILL))
        """,
    )
    done = warm.run("script", cwd=tmp_path, environment=tiny.surroundings())
    assert done.returncode == -9
    assert not list(cache.glob("*.safetensors"))
    assert remembered("key", lambda: {"a": torch.ones(1)})["a"].item() == 1


def write_script(folder, text):
    (folder / "script.py").write_text(textwrap.dedent(text))
