"""A metric that raises costs its own columns: other numbers stand, and the run says so."""

from __future__ import annotations

import json
import time
from pathlib import Path

from helpers import tiny

MOODY = """\
from dataclasses import dataclass

from ganbench import Column, Metric, hookimpl


@dataclass(kw_only=True)
class Moody(Metric):
    \"\"\"Fails where it is told to.\"\"\"

    name = "moody"

    @property
    def columns(self):
        return (Column("mood", direction="max", gated=True),)

    def compute(self, evaluation):
        import os
        if os.environ.get("SULKS") == "leaves":
            os._exit(0)
        if "SULKS" in os.environ:
            raise RuntimeError("not today")
        return {"mood": 1.0}


@dataclass(kw_only=True)
class Meddling(Moody):
    \"\"\"Writes into what it sees, where Moody fails.\"\"\"

    name = "meddling"

    @property
    def columns(self):
        return (Column("meddled", direction="max"),)

    def compute(self, evaluation):
        import os
        if "SULKS" in os.environ:
            evaluation.reals().images.zero_()
            evaluation.fake.images.numpy()[:] = 0.5
        return {"meddled": 1.0}


@hookimpl
def register_metrics(register):
    register(Moody)
    register(Meddling)
"""
METRICS = """\
evaluation:
  num_samples: 200
  metrics:
    - moody
    - meddling
    - mode-coverage
    - {name: time-to, targets: {mood: 0.5, meddled: 0.5}, num_samples: 50, points: 2}
"""

PARTS = {"plugins", "data", "prepare", "train", "sample", "evaluate"}


def test_broken_metric_costs_itself_the_run_exits_3_and_its_gate_fails(tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY, "utf-8")
    lines = tiny.INLINE.replace("[bce, lsgan]", "[bce]").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("evaluation")) + "\n" + METRICS
    file = tiny.write(tmp_path, text)

    def run(out: str, **environment: str):
        return tiny.ganbench(
            "run", file, "--plugin", "moody.py", "--out", out, cwd=tmp_path, **environment
        )

    whole, sulking = run("whole"), run("sulking", SULKS="1")
    assert whole.returncode == 0, whole.stderr
    assert sulking.returncode == 3
    assert "metric 'moody': RuntimeError: not today" in sulking.stderr
    table = (tmp_path / "sulking" / "table.md").read_text("utf-8")
    assert "mood: no value: RuntimeError: not today" in table

    before, after = (result(tmp_path / out) for out in ("whole", "sulking"))
    assert after["status"] == "ok"
    changed = "it changed real images and samples in place, which other metrics see too"
    assert after["errors"] == [
        "metric 'moody': RuntimeError: not today",
        f"metric 'meddling': {changed}; change a copy",
    ]
    assert before["errors"] == []
    found, expected = values(after), values(before)
    assert found.pop("mood") is found.pop("meddled") is None
    assert expected.pop("mood") == expected.pop("meddled") == 1.0
    assert found["modes"] == expected["modes"]
    probes = [probe["values"] for probe in after["probes"]]
    assert probes == [{"mood": None, "meddled": None}] * 2

    compared = tiny.ganbench("compare", "whole", "sulking", cwd=tmp_path)
    assert compared.returncode == 1, compared.stdout + compared.stderr
    assert "RuntimeError: not today" in compared.stdout


def test_metric_that_raised_is_asked_again_and_nothing_is_trained_again(tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY, "utf-8")
    text = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace("throughput", "moody")
    run = ("run", tiny.write(tmp_path, text), "--plugin", "moody.py", "--out", "run")
    done = tiny.ganbench(*run, cwd=tmp_path, SULKS="1")
    assert done.returncode == 3
    assert "to ask them again: ganbench resume run" in done.stdout
    before = result(tmp_path / "run")
    again = ("resume", "run")
    assert tiny.ganbench(*again, cwd=tmp_path, SULKS="1").returncode == 3
    between = result(tmp_path / "run")
    assert between["metrics"] == before["metrics"]

    began = time.monotonic()
    done = tiny.ganbench(*again, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = result(tmp_path / "run")
    assert_seconds_are_those_of_all(between, after, time.monotonic() - began)
    assert values(after) == {**values(before), "mood": 1.0}
    assert after["resumed_at_kimg"] == after["training"]["images"] / 1000 == 1
    assert after["errors"] == []
    assert not list(tmp_path.glob("run/trials/*/checkpoint.pt"))


def test_metric_that_ends_its_worker_costs_no_number_before_it(tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY, "utf-8")
    text = tiny.UNCONTROLLED.replace("[bce, lsgan]", "[bce]")
    text = text.replace("[mode-coverage, fid, throughput]", "[fid, moody, mode-coverage]")
    run = ("run", tiny.write(tmp_path, text), "--plugin", "moody.py", "--out", "run")
    done = tiny.ganbench(*run, cwd=tmp_path, SULKS="leaves")
    assert done.returncode == 3
    why = "metric 'moody': the process ended while it was computed: the worker ended with exit code"
    assert why in done.stderr
    found = result(tmp_path / "run")
    assert found["status"] == "ok"
    assert found["errors"][0].startswith(why)
    told = {m["name"]: m["reason"] for m in found["metrics"] if m["value"] is None}
    assert told["mood"] == told["modes"] == "the process ended while metric 'moody' was computed"
    assert found["training"]["images"] == 1000
    before = values(found)["fid@pixels"]
    assert before is not None

    done = tiny.ganbench("resume", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = result(tmp_path / "run")
    assert found["errors"] == []
    assert values(found)["mood"] == 1
    assert values(found)["fid@pixels"] == before
    (folder,) = tmp_path.glob("run/trials/*")
    assert {path.name for path in folder.glob("*.json")} == {
        "config.json",
        "result.json",
        "trial.json",
    }


def assert_seconds_are_those_of_all(before: dict, after: dict, took: float) -> None:
    """A trial that is gone on with says what it took in all, not since it was gone on with."""
    assert after["timings"]["train_seconds"] == before["timings"]["train_seconds"]
    earlier, now = before["seconds"], after["seconds"]
    assert now.keys() == earlier.keys() == {*PARTS, "total"}
    assert all(earlier[part] < now[part] < earlier[part] + took for part in now)
    assert sum(now[part] for part in PARTS) <= now["total"]


def result(run: Path) -> dict:
    (path,) = (run / "trials").glob("bce*/result.json")
    return json.loads(path.read_text("utf-8"))


def values(found: dict) -> dict[str, float | None]:
    return {m["name"]: m["value"] for m in found["metrics"] if m["kind"] == "quality"}
