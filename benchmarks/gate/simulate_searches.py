"""How often `bisect` blames the wrong commit, and `compare --history` marks one: simulated commits.

    python benchmarks/gate/simulate_searches.py --write docs/bisect.md

In each search the commits before a random one are as good as the first, and the others worse by
`change` standard deviations; no two train the same. "wrong" is the share of searches that rule the
planted commit out, or that find any where nothing was planted, which must not be above alpha;
"ends alike" of those that told good and bad not apart. In each history a number changes at a random
point, or at none; "a false mark" is one anywhere else than there or beside it. Verdicts are the
gate's own.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from simulate import NOISES, wilson, written

from ganbench import Column
from ganbench.errors import BaselineError
from ganbench.gate.bisection import Rules, search
from ganbench.gate.comparison import Policy, Tolerance
from ganbench.gate.history import Point, history
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.trained import Number, Trained

UNIT = np.array([10 - 0.5**0.5, 10 + 0.5**0.5])  # a median of 10 and a spread of 1
NAMES = [f"number-{i}" for i in range(6)]
POLICY = Policy(tolerances={name: Tolerance(0.0, 0.0) for name in NAMES})


@dataclass(frozen=True)
class Searches:
    """Searches of one kind."""

    noise: str = "normal"
    change: float = 2.0
    numbers: int = 1
    commits: int = 17
    first: int = 5
    cap: int = 20

    def line(self, count: int, seed: int) -> str:
        ended: Counter[str] = Counter()
        seeds = []
        for i in range(count):
            word, bought = self.one(np.random.default_rng((seed, i)))
            ended[word] += 1
            seeds.append(bought)
        low, high = wilson(ended["wrong"], count)
        shares = " | ".join(f"{ended[w] / count:.1%}" for w in ("found", "undecided", "ends alike"))
        return (
            f"| {self.noise} | {self.change:g} sd | {self.numbers} | {self.commits - 2} | "
            f"{ended['wrong'] / count:.1%} ({abs(low):.1%}, {high:.1%}) | {shares} | "
            f"{np.mean(seeds):.0f} |"
        )

    def one(self, rng: np.random.Generator) -> tuple[str, int]:
        """Return how a search ended, and how many trainings it took."""
        culprit = int(rng.integers(1, self.commits))
        drawn: dict[int, np.ndarray] = {}
        bought: dict[str, int] = {}

        def measure(commit: str, size: int, number: Number | None, /) -> Trained:
            i = int(commit)
            if i not in drawn:
                worse = self.change * (i >= culprit)
                drawn[i] = worse + NOISES[self.noise](rng, UNIT, self.numbers * self.cap)
            bought[commit] = max(size, bought.get(commit, 0))
            values = drawn[i].reshape(self.numbers, self.cap)[:, :size]
            return Trained(measured(values, 0))

        rules = Rules(POLICY, tuple(range(self.cap)), self.first)
        commits = [str(i) for i in range(self.commits)]
        try:
            found = search(commits, rules, measure)
        except BaselineError:
            return "ends alike", sum(bought.values())
        is_right = self.change > 0 and str(culprit) in found.suspects
        word = "wrong" if not is_right else "undecided" if found.undecided else "found"
        return word, sum(bought.values())


@dataclass(frozen=True)
class Histories:
    """Histories of one kind."""

    noise: str = "normal"
    change: float = 0.0
    points: int = 12
    seeds: int = 20
    others: bool = False  # whether each point has seeds of its own
    numbers: int = 6

    def line(self, count: int, seed: int) -> str:
        false = right = 0
        for i in range(count):
            rng = np.random.default_rng((seed, i))
            at = int(rng.integers(1, self.points)) if self.change else -1
            points = [self.point(rng, k, self.change * (k >= at >= 0)) for k in range(self.points)]
            rows = history(points, POLICY).rows
            marks = [k for row in rows for k in row.marks]
            false += any(at < 0 or abs(k - at) > 1 for k in marks)
            right += sum(at in row.marks for row in rows) / len(rows) if self.change else 0
        low, high = wilson(false, count)
        found = f"{right / count:.1%}" if self.change else ""
        whose = "its own" if self.others else "the same"
        return (
            f"| {self.noise} | {self.change:g} sd | {self.points} | {self.seeds}, {whose} | "
            f"{false / count:.1%} ({abs(low):.1%}, {high:.1%}) | {found} |"
        )

    def point(self, rng: np.random.Generator, k: int, worse: float) -> Point:
        values = worse + NOISES[self.noise](rng, UNIT, self.numbers * self.seeds)
        first = k * self.seeds if self.others else 0
        return Point(str(k), "", "", "", measured(values.reshape(self.numbers, -1), first))


def measured(values: np.ndarray, first: int) -> Measurements:
    series = {
        name: Series(
            Column(name, "", "min", gated=True),
            {seed: float(x) for seed, x in enumerate(row, start=first)},
            "p",
        )
        for name, row in zip(NAMES, values, strict=False)
    }
    return Measurements("b", {"a": Measured("a", "a", "ring", {}, {"ok": 1}, series)})


def searches(count: int, seed: int) -> str:
    lines = [
        "| noise | change | numbers | commits between | wrong (95 % interval) "
        "| found | undecided | ends alike | trainings |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    kinds = [Searches(noise) for noise in NOISES if noise != "resampled"]
    kinds += [Searches(change=change) for change in (0, 1, 1.5, 3)]
    kinds += [Searches(numbers=6, change=change) for change in (0, 2, 3)]
    kinds += [Searches(commits=102, change=change) for change in (2, 3)]
    return "\n".join([*lines, *(kind.line(count, seed) for kind in kinds)])


def histories(count: int, seed: int) -> str:
    lines = [
        "| noise | change | points | seeds of each | a false mark (95 % interval) "
        "| marked where it is |",
        "|---|---|---|---|---|---|",
    ]
    kinds = [Histories(noise) for noise in NOISES if noise != "resampled"]
    kinds += [Histories(seeds=3, others=True), Histories(points=40, seeds=3, others=True)]
    kinds += [Histories(change=change) for change in (1, 1.5, 2)]
    kinds += [Histories(change=change, seeds=3, others=True) for change in (2, 3)]
    return "\n".join([*lines, *(kind.line(count, seed) for kind in kinds)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=2000, help="of each kind")
    parser.add_argument("--histories", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a document with marks for both tables")
    asked = parser.parse_args()
    for name, table in (
        ("searches", searches(asked.searches, asked.seed)),
        ("histories", histories(asked.histories, asked.seed)),
    ):
        print(f"\n{name}\n\n{table}", flush=True)
        if asked.write:
            written(asked.write, name, table)


if __name__ == "__main__":
    main()
