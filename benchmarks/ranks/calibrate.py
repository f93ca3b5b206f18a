"""How often `ganbench results rank` is wrong: suites with planted ties, and with a planted winner.

    python benchmarks/ranks/calibrate.py --suites 2000

Each line is many made-up suites. "false" is the share of suites in which any variant was said to
beat one that is no worse than it, which must not be above alpha; "interval" the share of 95 %
intervals of mean ranks that hold the true rank; "found" the share of suites in which a variant that
was planted to be better was said to beat some other.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ganbench import Column
from ganbench.archive.deciding import Course, Decision, decided, worth_more
from ganbench.archive.ranks import ALPHA, rank
from ganbench.archive.scores import Scores

Draw = Callable[[np.random.Generator, int, int, int], np.ndarray]
"""Values of one variant on one task: by its number, the task's, and how many seeds there are."""


def normal(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    return (task + 1) * (10 + random.standard_normal(seeds))


def skewed(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    return (task + 1) * np.exp(random.standard_normal(seeds))


def counted(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    return -random.binomial(8, 0.8, seeds).astype(float)


def diverging(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    found = normal(random, variant, task, seeds)
    return np.where(random.random(seeds) < 0.15, math.inf, found)


def unequal(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    return 10 + (3 if variant == 0 else 1) * random.standard_normal(seeds)


def crossing(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    sign = 1 if task % 2 == 0 else -1
    return 10 + (sign if variant == 0 else 0) + random.standard_normal(seeds)


def winner(random: np.random.Generator, variant: int, task: int, seeds: int) -> np.ndarray:
    return 10 - (1.5 if variant == 0 else 0) + random.standard_normal(seeds)


@dataclass(frozen=True)
class Suite:
    """What is drawn."""

    noise: Draw
    variants: int
    tasks: int
    seeds: int


TIES = [
    *(
        Suite(normal, k, t, n)
        for k, t, n in ((2, 1, 5), (2, 3, 5), (5, 3, 3), (5, 3, 5), (10, 5, 5))
    ),
    *(Suite(noise, 5, 3, 5) for noise in (skewed, counted, diverging)),
    *(
        Suite(noise, k, 2, n)
        for noise in (unequal, crossing)
        for k, n in ((2, 5), (2, 10), (5, 10))
    ),
]
PLANTED = [
    Suite(winner, k, t, n)
    for k, t, n in ((2, 1, 5), (5, 1, 5), (5, 3, 3), (5, 3, 5), (5, 3, 10), (10, 5, 5))
]


BOUGHT = [
    *(Suite(noise, 5, 1, 4) for noise in (normal, skewed, counted, diverging)),
    Suite(normal, 5, 3, 3),
    *(Suite(winner, k, t, 4) for k, t in ((2, 1), (5, 1), (5, 3))),
]


def drawn(suite: Suite, random: np.random.Generator) -> Scores:
    names = tuple(f"v{number}" for number in range(suite.variants))
    tasks = tuple(f"t{number}" for number in range(suite.tasks))
    losses = {
        (name, task): tuple(map(float, suite.noise(random, i, j, suite.seeds)))
        for i, name in enumerate(names)
        for j, task in enumerate(tasks)
    }
    return Scores(Column("fid", direction="min"), ("dataset",), tasks, names, losses)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    z, share = 1.96, hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def line(suite: Suite, suites: int, draws: int) -> list[str]:
    random = np.random.default_rng(7)
    said = held = 0
    for _ in range(suites):
        found = rank(drawn(suite, random), draws=draws)
        winners = {pair.better for pair in found.pairings if pair.decided}
        said += "v0" in winners if suite.noise is winner else bool(winners)
        truth = (suite.variants + 1) / 2
        held += sum(
            low <= truth <= high
            for one in found.standings
            for low, high in [one.rank_interval or (math.nan, math.nan)]
        )
    low, high = wilson(said, suites)
    shares = [f"{said / suites:.1%} ({low:.1%}, {high:.1%})"]
    if suite.noise is not winner:
        shares.append(f"{held / suites / suite.variants:.1%}")
    size = map(str, (suite.variants, suite.tasks, suite.seeds))
    return [suite.noise.__name__, *size, *shares]


def bought(suite: Suite, suites: int, cap: int) -> list[str]:
    """Return a line of `run --until-decided`, which buys seeds by as many as there are at first."""
    random = np.random.default_rng(7)
    said = seeds = 0
    for _ in range(suites):
        whole = drawn(replace(suite, seeds=cap), random)
        course = Course.of(suite.seeds, cap, suite.variants, ALPHA)
        sizes = dict.fromkeys(whole.variants, suite.seeds)
        decisions: tuple[Decision, ...] = ()
        for look, size in enumerate(course.sizes):
            seen = {key: values[: sizes[key[0]]] for key, values in whole.losses.items()}
            scores = replace(whole, losses=seen)
            decisions = decided(scores, size, course, decisions)
            wanted, _ = worth_more(scores, course, decisions)
            if not wanted or look + 1 == len(course.sizes):
                break
            sizes |= dict.fromkeys(wanted, course.sizes[look + 1])
        winners = {one.better for one in decisions}
        said += "v0" in winners if suite.noise is winner else bool(winners)
        seeds += sum(sizes.values())
    low, high = wilson(said, suites)
    size = map(str, (suite.variants, suite.tasks, suite.seeds))
    mean = seeds / suites / suite.variants
    return [
        suite.noise.__name__,
        *size,
        f"{said / suites:.1%} ({low:.1%}, {high:.1%})",
        f"{mean:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--cap", type=int, default=20)
    asked = parser.parse_args()
    size = ("variants", "data sets", "seeds")
    for title, table, heads in (
        (f"Planted ties, {asked.suites:,} suites a line, alpha {ALPHA:g}", TIES,
         ("values", *size, "false (95 % interval)", "interval holds the truth")),
        ("A planted winner, better by 1.5 standard deviations", PLANTED,
         ("values", *size, "found (95 % interval)")),
    ):  # fmt: skip
        print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for suite in table:
            print(f"| {' | '.join(line(suite, asked.suites, asked.draws))} |", flush=True)
    heads = ("values", *size[:2], "seeds at first", "decided (95 % interval)", "seeds of each")
    print(f"\nSeeds bought until pairs are decided, at most {asked.cap}; false but for `winner`")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for suite in BOUGHT:
        print(f"| {' | '.join(bought(suite, asked.suites, asked.cap))} |", flush=True)


if __name__ == "__main__":
    main()
