"""Run the rules of the record book on a submission.

    python benchmarks/speedrun/check.py benchmarks/speedrun/mnist-2core/002-NAME/submission.yaml
    python benchmarks/speedrun/check.py SUBMISSION --against RECORD --seeds 10 --out FOLDER --write

Trains and judges the submission once with each seed, and in turns with it the record that stands:
whoever came first comes second next. The record is timed alone, as it was judged when it was set.
Prints each rule with its numbers, and ends with 0 where the submission is a record, else with 1.
Where it is stopped, the same command goes on; trials that shared their cores are measured again
then. Leave the machine alone meanwhile. `--write` leaves `result.json` beside an accepted one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rules

import ganbench
from ganbench.errors import GanbenchError
from ganbench.gate.ab import rounds
from ganbench.records import results
from ganbench.records.status import Status
from ganbench.runs import provenance
from ganbench.util import machine

SETUP = ("plugins", "prepare")  # parts of a trial's seconds
TIMED_ALONE = ("--set", "evaluation.metrics=[throughput]")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("submission", type=Path, help="submission.yaml, or its folder")
    parser.add_argument("--against", type=Path, help="a record; else the one that stands")
    parser.add_argument("--seeds", type=int, default=rules.FEWEST_SEEDS, help="how many")
    parser.add_argument("--out", type=Path, help="where its runs are kept")
    parser.add_argument("--write", action="store_true", help="result.json beside an accepted one")
    asked = parser.parse_args(argv)
    try:
        return check(asked)
    except GanbenchError as error:
        print(error, file=sys.stderr)
        return 2


def check(asked: argparse.Namespace) -> int:
    submission = _file(asked.submission)
    track = rules.track_of(submission)
    written = rules.check_submission(submission, track)
    if broken := [check for check in written if not check.kept]:  # before hours are spent
        return _told(rules.Verdict(tuple(broken)))
    record = _file(asked.against) if asked.against else _standing(track, submission)
    print(f"track {track.name}, {track.machine}; against {record or 'no record'}", flush=True)
    out = asked.out or Path("results/speedrun") / track.name / submission.parent.name
    sides = {"head": submission, **({"base": record} if record else {})}
    trials: dict[str, list[rules.Trial]] = {side: [] for side in sides}
    for number, order in rounds(asked.seeds, 0):
        seed, folder = number - 1, out / f"seed-{number - 1}"
        if any(not _is_done(trial(folder / side, seed)) for side in sides):
            shutil.rmtree(folder, ignore_errors=True)  # a round is of the same minutes
            for side in (side for side in order if side in sides):
                train(sides[side], seed, folder / side, timed_alone=side == "base")
        for side in sides:
            found = trial(folder / side, seed)
            assert found is not None
            trials[side].append(found)
            print(_line(found, side, track), flush=True)
    verdict = rules.judged(track, trials["head"], trials.get("base", ()), written=written)
    found = report(verdict, submission, record)
    (out / "result.json").write_text(found, encoding="utf-8")
    if asked.write and verdict.accepted:
        (submission.parent / "result.json").write_text(found, encoding="utf-8")
    return _told(verdict)


def train(submission: Path, seed: int, out: Path, *, timed_alone: bool) -> None:
    """Train and judge a submission with one seed. Raises GanbenchError where that left nothing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ganbench", "run", str(submission), "--seeds", str(seed)]
    command += ["--out", str(out), "--quiet", *(TIMED_ALONE if timed_alone else ())]
    if rules.plugin_of(submission):
        command.append("--allow-config-plugins")
    log = out.with_suffix(".log")
    with log.open("wb") as file:
        code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    if trial(out, seed) is None:
        said = log.read_text("utf-8", "replace").strip().splitlines()[-8:]
        raise GanbenchError("\n  ".join([f"{submission}: ended with exit code {code}:", *said]))


def trial(out: Path, seed: int) -> rules.Trial | None:
    """Return what a run of one trial found, if it has ended."""
    path = next(out.glob("trials/*/result.json"), None)
    if path is None:
        return None
    found = results.read(path)
    timings, where = found.timings, found.environment
    return rules.Trial(
        seed=seed,
        seconds=timings.train_seconds if timings else 0.0,
        setup=sum(found.seconds.get(part, 0.0) for part in SETUP),
        values={one.column.name: one.value for one in found.metrics},
        machine=", ".join(
            [
                where.gpu.name if where and where.gpu else machine.cpu_name(),
                f"{machine.cores()} cores, {where.threads if where else 0} threads",
                f"torch {where.torch if where else 'unknown'}",
            ]
        ),
        alone=timings is None or timings.alone,
        status=found.status.value,
        reason=found.reason,
    )


def _is_done(found: rules.Trial | None) -> bool:
    return found is not None and found.alone and found.status != Status.UNFINISHED.value


def _line(found: rules.Trial, side: str, track: rules.Track) -> str:
    """Return what is told of a trial that has ended."""
    column = track.criteria[0].column
    value = f", {column} {found.values[column]:.4f}" if found.values.get(column) else ""
    beside = "" if found.alone else ", beside another program"
    return f"seed {found.seed}: {side}, {found.seconds:.2f} s{value}{beside}"


def report(verdict: rules.Verdict, submission: Path, record: Path | None) -> str:
    """Return result.json: the verdict with all that it rests on."""
    git = provenance.git_state(rules.HERE)
    found: dict[str, Any] = {
        "submission": submission.parent.name,
        "against": record.parent.name if record else None,
        "accepted": verdict.accepted,
        "mean_seconds": verdict.seconds,
        "checks": [{"rule": c.rule, "kept": c.kept, "seen": c.seen} for c in verdict.checks],
        **verdict.numbers,
        "ganbench": ganbench.__version__,
        "commit": git.commit if git else None,
        "time": provenance.now(),
    }
    return json.dumps(found, indent=1) + "\n"


def _file(path: Path) -> Path:
    return path / "submission.yaml" if path.is_dir() else path


def _standing(track: rules.Track, submission: Path) -> Path | None:
    """Return the last record before the submission, by the numbers of their folders."""
    before = [r for r in track.records() if r.parent.name < submission.resolve().parent.name]
    return before[-1] if before else None


def _told(verdict: rules.Verdict) -> int:
    print("\n".join(verdict.lines()))
    return 0 if verdict.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
