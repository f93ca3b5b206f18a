"""Damaged and hostile data files: each is loaded or refused in a sentence, in time and memory.

`python benchmarks/fuzz/data_files.py --count 500 --seed 0` makes so many data sets and opens each
in processes of their own: from Python, by `ganbench datasets prepare`, and by `ganbench plan`. What
ends with a traceback, a signal, another exit code or not at all is a finding, and its files are
kept. The exit code is 1 where there is one. Linux alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hostile
import numpy as np

SECONDS, BYTES = 60, 2 * 2**30  # of a process: of waiting, and of memory beyond what it begins with
LOADED, REFUSED, FOUND = "loaded", "refused", "FOUND"
ALLOWED = {0: LOADED, 2: REFUSED, 3: REFUSED}  # exit codes of commands
PLAN = """\
version: 1
name: fuzz
dataset: {dataset}
loss: bce
conditioning: none
architecture: {{name: mlp, width: 8, depth: 1}}
training: {{batch_size: 2, budget: {{kimg: 1}}}}
evaluation: {{num_samples: 4, controls: [], metrics: [throughput]}}
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one way to open a data set."""

    kind: str
    way: str
    word: str
    told: str = ""


def outcomes(number: int, folder: Path, ways: Sequence[str]) -> list[Outcome]:
    """Make a data set and open it in each of the ways, in processes forked from this one."""
    rng = np.random.default_rng(number)
    kinds = sorted(hostile.KINDS)
    kind = kinds[number % len(kinds)]
    name, options = hostile.KINDS[kind](rng, folder)
    return [_opened(kind, way, name, options, folder) for way in ways]


def _opened(kind: str, way: str, name: str, options: dict[str, Any], folder: Path) -> Outcome:
    said = folder.with_suffix(f".{way}.txt")
    child = os.fork()
    if not child:
        _limit()
        with said.open("w") as text:
            os.dup2(text.fileno(), 1)
            os.dup2(text.fileno(), 2)
        os._exit(_in_child(way, name, options, folder))
    status, told = _waited(child), said.read_text("utf-8", "replace")
    said.unlink()
    if status is None:
        return Outcome(kind, way, FOUND, f"no end after {SECONDS} s\n{told}")
    if "Traceback" in told or status not in ALLOWED:
        return Outcome(kind, way, FOUND, f"exit code {status}\n{told}")
    return Outcome(kind, way, ALLOWED[status], told)


def _in_child(way: str, name: str, options: dict[str, Any], folder: Path) -> int:
    try:
        return (
            _from_python(name, options) if way == "python" else _command(way, name, options, folder)
        )
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _from_python(name: str, options: dict[str, Any]) -> int:
    from ganbench import GanbenchError
    from ganbench.evaluation.loading import load

    try:
        dataset = _plugins().build("dataset", name, options)
        dataset.status(Path())
        for split in dataset.splits:
            load(dataset, split, Path())
    except GanbenchError as error:
        print(error)
        return 2
    return 0


def _command(way: str, name: str, options: Mapping[str, Any], folder: Path) -> int:
    from ganbench.cli import main

    if way == "plan":
        path = folder.with_suffix(".yaml")
        path.write_text(PLAN.format(dataset=json.dumps({"name": name, **options})))
        sys.argv = ["ganbench", "plan", str(path)]
    else:
        given = [f"-o{key}={json.dumps(value)}" for key, value in options.items()]
        sys.argv = ["ganbench", "datasets", "prepare", name, *given, "--quiet"]
    main()
    return 0


def _limit() -> None:
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _waited(child: int) -> int | None:
    """Return the exit code, or less than 0 for a signal; None where it had to be killed."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def warm() -> None:
    """Import here what every process needs, and keep torch to one thread, which fork needs."""
    import torch

    torch.set_num_threads(1)
    _plugins()
    hostile.warm()


@cache
def _plugins() -> Any:
    from ganbench.registry import registry

    return registry.load(())


def run(
    count: int, seed: int, ways: Sequence[str]
) -> tuple[Counter[tuple[str, str, str]], list[str]]:
    """Return how often each kind came to which end in which way, and what was found."""
    ends: Counter[tuple[str, str, str]] = Counter()
    findings = []
    top = Path(tempfile.mkdtemp(prefix="fuzz-"))
    os.environ["GANBENCH_CACHE"] = str(top / "cache")
    for number in range(seed, seed + count):
        folder = top / str(number)
        folder.mkdir()
        found = outcomes(number, folder, ways)
        ends.update((one.kind, one.way, one.word) for one in found)
        bad = [f"{number} {o.kind} {o.way}: {o.told}" for o in found if o.word == FOUND]
        findings += bad
        if not bad:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(top / "cache", ignore_errors=True)
            folder.with_suffix(".yaml").unlink(missing_ok=True)
    if findings:
        findings.append(f"files are kept in {top}")
    else:
        shutil.rmtree(top)
    return ends, findings


def main() -> int:
    """Run what the command line asks for, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default="python,prepare,plan", help="of opening each")
    arguments = parser.parse_args()
    warm()
    ends, findings = run(arguments.count, arguments.seed, arguments.ways.split(","))
    text = io.StringIO()
    for kind in sorted({kind for kind, _, _ in ends}):
        words = Counter(
            {
                w: sum(n for (k, _, x), n in ends.items() if (k, x) == (kind, w))
                for w in (LOADED, REFUSED, FOUND)
            }
        )
        text.write(f"{kind:20}" + "".join(f"{word} {n:5}  " for word, n in words.items()) + "\n")
    print(text.getvalue() + "\n".join(findings))
    print(f"{arguments.count} data sets, {sum(ends.values())} openings, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
