"""Trials of several processes: rows as any trial's, also where one of the processes ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import tiny
from helpers.hanging import alive, processes_of, start_hanging, wait_until

TEXT = tiny.UNCONTROLLED.replace("threads: 1", "threads: 2, processes: 2, checkpoint: 1e-6")
IN_THE_SECOND = (
    tiny.TROUBLE.replace("step.iteration == 10", "_is_the_second(step)")
    + """

def _is_the_second(step):
    from torch import distributed

    return step.iteration == 10 and distributed.get_rank() == 1
"""
)


def ends(run: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for path in [*run.glob("trials/*/result.json"), *run.glob("trials/*/end.json")]:
        end = json.loads(path.read_text("utf-8"))
        found[path.parent.name.rpartition("-s0")[0][:-11]] = (end["status"], end["reason"])
    return found


def test_whatever_ends_one_process_ends_the_trial_as_a_row(tmp_path: Path) -> None:
    (tmp_path / "trouble.py").write_text(IN_THE_SECOND, "utf-8")
    does = [f"{{name: trouble, does: {what}}}" for what in ("nothing", "kill", "raise", "nan")]
    file = tiny.write(tmp_path, TEXT.replace("[bce, lsgan]", f"[{', '.join(does)}]"))
    run = tmp_path / "run"
    done = tiny.ganbench("run", file, "--plugin", "trouble.py", "--out", run, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    found = ends(run)
    assert sorted(status for status, _ in found.values()) == ["diverged", "failed", "failed", "ok"]
    reasons = " | ".join(reason for _, reason in found.values())
    assert "process 1 of 2 was ended by SIGKILL" in reasons
    assert "process 1 of 2: RuntimeError: out of ideas" in reasons
    assert "process 1 of 2 was ended by SIGKILL" in (run / "table.md").read_text("utf-8")
    assert not processes_of(f"{run}/trials/")
    (one, *others) = (json.loads(p.read_text("utf-8")) for p in run.glob("trials/*/trial.json"))
    assert all(trial["cell"]["schedule"]["processes"] == 2 for trial in (one, *others))


@pytest.mark.integration  # test_ranks.py has the state of each process, test_checkpoints.py a kill
def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """With what each process would have drawn: the numbers are those of a run without a stop."""
    run = tmp_path / "run"
    with start_hanging(tmp_path, run, TEXT) as process:
        wait_until(lambda: list(run.glob("trials/trouble*/checkpoint.pt")), process)
        workers = processes_of(f"{run}/trials/trouble")
        assert len(workers) == 3  # two, and who started them
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(alive, workers)))
    gone_on = tiny.ganbench("resume", run, cwd=tmp_path, NO_MORE_TROUBLE="1")
    assert gone_on.returncode == 0, gone_on.stderr
    never = tmp_path / "never"
    straight = tiny.ganbench(
        *("run", tmp_path / "tiny.yaml", "--plugin", tmp_path / "trouble.py", "--out", never),
        cwd=tmp_path,
        NO_MORE_TROUBLE="1",
    )
    assert straight.returncode == 0, straight.stderr
    resumed, whole = tiny.results(run), tiny.results(never)
    assert [r["resumed_at_kimg"] for r in resumed.values()].count(None) == 1  # the other was done
    for name, result in whole.items():
        mine = {**resumed[name], "resumed_at_kimg": None}
        assert tiny.without_clock(mine) == tiny.without_clock(result)


@pytest.mark.integration  # of one process, test_interruption.py
def test_a_stopped_run_leaves_no_process(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with start_hanging(tmp_path, run, TEXT) as process:
        wait_until(lambda: list(run.glob("trials/trouble*/checkpoint.pt")), process)
        workers = processes_of(f"{run}/trials/trouble")
        process.terminate()
        process.wait()
        wait_until(lambda: not any(map(alive, workers)))
