"""Damaged benchmark files and command lines: each is planned, or refused in a sentence, in time.

    python benchmarks/fuzz/configurations.py --count 20000 --seed 0

Takes the benchmark files of this repository, changes their text or their values, adds options of
the command line, and plans what comes of it in this process. Whatever raises anything but
GanbenchError, or takes longer than the limit, is printed with the number that makes it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from limits import TooLong, limited

from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.errors import GanbenchError
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.runs.selection import only, parse_seeds

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("benchmarks/*.yaml"), *ROOT.glob("benchmarks/textbook/*.yaml")])
LIMIT = 20.0  # seconds
CHUNK = 100  # cases between two looks at what was wrong
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
GOOD = ("planned", "accepted", "refused")
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 128, 2**31, 2**63, 10**18, -(10**18), 0.0, 0.5, -0.5, 1e-4,
    1e300, float("inf"), float("nan"), "", " ", "all", "none", "mnist", "bce", "wgan-gp", "1",
    "~nosuchuser", "a" * 5000, "\x1b[31m", "\u202e", "=1+1", "fid@pixels", "fid@", "@", "é",
    "random-conv(seed=3)", "random-conv(", "fid@random-conv(seed=x)", "/dev/zero", "../..", "0x1f",
    "1e4", "12:30", "no", "2000-01-01", "{}", "[]", "*", "&", "!", "30m", "-1s", "<<", "name",
)  # fmt: skip
TOKENS = (
    "\t", "\x00", "\x1b", "\ud800", "\ufeff", "&a ", "*a", "<<: ", "!!python/object:os.system ",
    "!!binary ", "? ", "- ", ": ", "{", "}", "[", "]", "'", '"', "|", ">", "#", "---\n",
    "0x" + "f" * 4000, "9" * 5000, "[" * 2000, "1e999", ".nan", '"\\ud800"', "null", "~",
)  # fmt: skip
OVERRIDES = (
    "training.budget.kimg=1", "matrix.loss=[bce]", "training={}", "dataset=ring", "a=b", "=", "x",
    "matrix=[]", "seeds=[0,0]", "." * 50 + "=1", "a." * 3000 + "b=1", "training.batch_size=1e18",
    "evaluation.metrics=[fid@pixels]", "matrix.training.g_lr=[1e-4,1e-3]",
    "architecture.depth=1e6", "training.n_critic=1e9", "conditioning={generator: none}",
    "name=\x1b", "\ud800=",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What a user might hand over."""

    text: str
    overrides: tuple[str, ...]
    profile: str | None
    seeds: str | None
    only: tuple[str, ...]
    is_planned: bool  # or validated alone, which takes a fifth of the time


def case(seed: int, number: int) -> Case:
    """Return the case of this number, always the same."""
    rng = random.Random(f"{seed}/{number}")
    text = rng.choice(FILES).read_text("utf-8")
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        text = rng.choice((_retyped, _retyped, _revalued, _revalued, _revalued))(text, rng)
    overrides = [rng.choice(OVERRIDES) for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 1, 2)))]
    if rng.random() < 0.1:
        overrides.append(f"{rng.choice(('training.ema', 'name', 'loss', 'execution.jobs'))}="
                         f"{rng.choice(SCALARS)}")  # fmt: skip
    return Case(
        text,
        tuple(overrides),
        rng.choice((*[None] * 12, "smoke", "fast", "\ud800")),
        rng.choice((*[None] * 20, "0-4", "0,0", "-1", "x", "9" * 5000, "0-99999999999", "")),
        tuple(rng.choice((*[()] * 12, ("loss=bce",), ("=",), ("x=y",), ("loss",)))),
        number % 4 == 0,
    )


def _retyped(text: str, rng: random.Random) -> str:
    """Change the text: a character or a line goes, is doubled, or something strange comes in."""
    if rng.random() < 0.5 and text:
        lines = text.splitlines(keepends=True)
        at = rng.randrange(len(lines))
        lines[at : at + 1] = rng.choice(([], [lines[at]] * 2, ["  " + lines[at]]))
        return "".join(lines)
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice((*TOKENS, "")) + text[at + rng.randint(0, 2) :]


def _revalued(text: str, rng: random.Random) -> str:
    """Change values: one becomes another, keys and list items go, come, or change places."""
    try:
        data = yaml.load(text, LOADER)
        places = list(_places(data))
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    if not places:
        return text
    parent, key = rng.choice(places)
    act = rng.randrange(6)
    if act == 0:
        del parent[key]
    elif act == 1:
        parent[key] = [parent[key]] * rng.choice((1, 2, 50))
    elif act == 2:
        parent[key] = {str(rng.choice(SCALARS)): parent[key]}
    elif act == 3 and isinstance(parent, dict):
        parent[str(rng.choice((*SCALARS, *benchmark_file.TOP_KEYS)))] = parent[key]
    elif act == 4:
        other, there = rng.choice(places)
        parent[key] = other[there] if there in other or isinstance(other, list) else None
    else:
        parent[key] = rng.choice(SCALARS)
    try:
        return yaml.dump(data, Dumper=DUMPER, allow_unicode=True)
    except (yaml.YAMLError, RecursionError):
        return text


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in list(pairs):
        yield value, key
        if isinstance(below, dict | list):
            yield from _places(below)


def planned(one: Case, plugins: Registry) -> str:
    """Plan a case, or validate it alone; return `planned`, `accepted` or `refused`."""
    try:
        document = Document.parse(one.text, "fuzzed.yaml")
        document = benchmark_file.laid_over(document, one.profile, one.overrides)
        benchmark_file.plugins_of(document)
        config = benchmark_file.validated(document, plugins)
        seeds = parse_seeds(one.seeds)
        if not one.is_planned:
            return "accepted"
        only(plan.make(config, plugins, device="cpu", seeds=seeds), one.only)
    except GanbenchError as error:
        return "refused" if str(error).strip() else "refused without a word"
    return "planned"


def outcome(act: Callable[[], str], limit: float = LIMIT) -> tuple[str, str]:
    """Return how it ended, and the traceback where it is none of the good ends."""
    try:
        with limited(limit):
            return act(), ""
    except TooLong:
        return "hang", traceback.format_exc(limit=-6)
    except Exception:
        return "traceback", traceback.format_exc(limit=-6)


def run(numbers: range, seed: int, plugins: Registry) -> tuple[Counter[str], list[str]]:
    """Try the cases of these numbers; return how many ended how, and what is wrong with which."""
    counts: Counter[str] = Counter()
    wrong = []
    for number in numbers:
        one = case(seed, number)
        word, told = outcome(lambda one=one: planned(one, plugins))
        counts[word] += 1
        if word not in GOOD:
            wrong.append(f"case {number} of seed {seed}: {word}\n{told}")
    return counts, wrong


def main() -> int:
    """Run as the command line says; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    asked = parser.parse_args()
    started = time.monotonic()
    plugins, counts = registry.load(), Counter[str]()
    end = asked.first + asked.count
    for first in range(asked.first, end, CHUNK):
        found, wrong = run(range(first, min(first + CHUNK, end)), asked.seed, plugins)
        counts += found
        print(*wrong, sep="\n", end="", flush=True)
    told = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
    print(f"{asked.count:,} configurations in {time.monotonic() - started:.0f} s: {told}")
    return 1 if counts.keys() - set(GOOD) else 0


if __name__ == "__main__":
    sys.exit(main())
