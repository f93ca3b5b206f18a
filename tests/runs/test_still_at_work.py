"""`resume` waits for what a command that died has left at work, and begins it no second time."""

from __future__ import annotations

from pathlib import Path

from helpers import tiny

LEFT = '''\
from dataclasses import dataclass

from ganbench import Executor, hookimpl


@dataclass(kw_only=True)
class Left(Executor):
    """Trains in this process; what has a job.json ends as soon as it is waited for."""

    name = "left"

    def still_at_work(self, trials):
        return [trial for trial in trials if (trial.directory / "job.json").exists()]

    def run(self, trials, resources):
        from ganbench import worker

        for trial in trials:
            kept = trial.directory / "kept.json"
            if kept.exists():
                kept.rename(trial.directory / "result.json")
            else:
                worker.run(trial.directory)
            yield trial


@hookimpl
def register_executors(register):
    register(Left)
'''


def test_trial_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    run, plugin = tmp_path / "run", tmp_path / "left.py"
    plugin.write_text(LEFT, encoding="utf-8")
    text = tiny.UNCONTROLLED.replace("{threads: 1}", "{threads: 1, executor: left}")
    plan = ("run", tiny.write(tmp_path, text), "--plugin", plugin, "--out", run)
    done = tiny.ganbench(*plan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before = tiny.results(run)
    at_work, begun_again = (next(run.glob(f"trials/{name}*")) for name in ("bce", "lsgan"))
    for folder in (at_work, begun_again):
        (folder / "result.json").rename(folder / "kept.json")
        (folder / ".half.json.abcd1234").touch()  # as files are while they are written
    (begun_again / "kept.json").unlink()
    (at_work / "job.json").touch()
    done = tiny.ganbench("resume", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "still at work and now waited for: 1" in done.stderr
    assert tiny.results(run)[at_work.name] == before[at_work.name]
    assert (at_work / "metrics.jsonl").exists()
    assert (at_work / ".half.json.abcd1234").exists()
    assert not (begun_again / ".half.json.abcd1234").exists()
    assert tiny.without_clock(tiny.results(run)[begun_again.name]) == tiny.without_clock(
        before[begun_again.name]
    )
