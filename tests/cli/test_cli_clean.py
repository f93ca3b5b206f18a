"""`ganbench clean`: what goes is shown and asked about, and nothing else goes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganbench.cli import cli
from ganbench.cli.commands import clean
from ganbench.errors import RunError


def invoke(*arguments: object, **how) -> Result:
    return CliRunner().invoke(cli, ["clean", *map(str, arguments)], standalone_mode=False, **how)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache with everything that one has."""
    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    for name, size in (
        ("pictures/a.u8", 5000), ("pictures/a.lock", 0), ("statistics/b.safetensors", 2000),
        ("plugins/c", 10), ("data/MNIST/raw/d", 90_000), ("costs.json", 40),
    ):  # fmt: skip
        path = tmp_path / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return tmp_path / "cache"


def run_of(folder: Path, created: str = "2020-01-01T00:00:00+00:00", *, ended: bool = True) -> Path:
    trial = folder / "trials" / "bce-s0"
    trial.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"created": created}))
    (trial / "metrics.jsonl").write_text("x" * 100)
    if ended:
        (trial / "result.json").write_text("{}")
    return folder


def there(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_of_the_cache_goes_what_is_made_again(cache):
    done = invoke("--yes")
    assert there(cache) == ["costs.json", "data/MNIST/raw/d", "pictures/a.lock"]
    assert "5.0 kB" in done.stdout
    assert done.stdout.endswith("removed: 7.0 kB\n")
    assert invoke("--yes").stdout == "nothing to remove\n"


def test_downloads_go_where_that_is_asked_and_they_are_the_cache_s(cache, monkeypatch, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine").write_bytes(b"mine")
    monkeypatch.setenv("GANBENCH_DATA", str(own))
    invoke("--data", "--yes")
    assert there(own) == ["mine"]
    assert "data/MNIST/raw/d" in there(cache)
    monkeypatch.delenv("GANBENCH_DATA")
    invoke("--data", "--yes")
    assert there(cache) == ["costs.json", "pictures/a.lock"]


@pytest.mark.parametrize(("answer", "stays"), [("n\n", True), ("\n", True), ("y\n", False)])
def test_it_asks(cache, monkeypatch, answer, stays):
    class Terminal:
        stdin = type("Stdin", (), {"isatty": staticmethod(lambda: True)})

    monkeypatch.setattr(clean, "sys", Terminal)
    done = invoke(input=answer)
    assert "remove 3 folders, 7.0 kB?" in done.output
    assert (cache / "pictures" / "a.u8").exists() is stays


def test_where_nobody_can_be_asked_nothing_goes(cache):
    done = invoke(input="y\n")
    assert "add --yes" in str(done.exception)
    assert (cache / "pictures" / "a.u8").exists()


def test_runs_go_whole_and_what_lies_beside_them_stays(tmp_path):
    old, new = run_of(tmp_path / "r" / "old"), run_of(tmp_path / "r" / "deep" / "new")
    (tmp_path / "r" / "notes.txt").write_text("mine")
    done = invoke(old, "--yes", "--json")
    assert json.loads(done.stdout)["removed"][0]["path"] == str(old)
    assert json.loads(done.stdout)["bytes"] > 100
    assert not old.exists()
    invoke(tmp_path / "r", new, "--yes")  # each once
    assert there(tmp_path / "r") == ["notes.txt"]


def test_only_older_runs_go(tmp_path):
    old = run_of(tmp_path / "old")
    new = run_of(tmp_path / "new", time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()))
    invoke(tmp_path, "--older-than", 30, "--yes")
    assert not old.exists()
    assert new.exists()


def test_a_run_that_may_be_going_stays(tmp_path):
    going = run_of(tmp_path / "going", ended=False)
    with pytest.raises(RunError, match=r"bce-s0 wrote \d+ s ago and has not ended; wait for it"):
        raise invoke(going, "--yes").exception
    assert going.exists()
    for path in going.rglob("*"):
        os.utime(path, (1, 1))
    invoke(going, "--yes")
    assert not going.exists()


def test_links_are_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    run = run_of(tmp_path / "run")
    (run / "link").symlink_to(tmp_path / "mine")
    invoke(run, "--yes")
    assert not run.exists()
    assert there(tmp_path) == ["mine/file"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere", "--yes"], "nowhere: no run, and no run below it"),
        ([".", "--data", "--yes"], "--data is of the cache"),
        (["--older-than", "3", "--yes"], "--older-than is of runs"),
    ],
)
def test_what_means_nothing_is_refused(cache, tmp_path, monkeypatch, arguments, why):
    monkeypatch.chdir(tmp_path / "cache" / "data")
    assert why in str(invoke(*arguments).exception)
    assert "pictures/a.u8" in there(cache)
