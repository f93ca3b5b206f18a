"""How often the gate cries wolf, and how small a change it sees: simulated suites, real verdicts.

    python benchmarks/gate/simulate.py results/baselines/ci_quality.json --write docs/ci.md

Suites have the cells and gated numbers of the baseline. In `re-split` candidate and baseline are
drawn without replacement from its measured seeds, in `resampled` with replacement; in the others
both sides come from one distribution with the measured medians and spreads. An alarm is any gated
verdict of `regressed`. Tolerances are 0: the test alone has to hold, with no help from them.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganbench.gate import baseline
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Comparison, Policy, Tolerance
from ganbench.gate.measurements import Measured, Measurements, Series

Draw = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]
Z95 = 1.959963984540054


def spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) or 1e-12


def resampled(rng: np.random.Generator, values: np.ndarray, count: int) -> np.ndarray:
    return rng.choice(values, count)


def scaled(standard: Callable[[np.random.Generator, int], np.ndarray]) -> Draw:
    """A distribution with the measured median and spread as its own."""

    def draw(rng: np.random.Generator, values: np.ndarray, count: int) -> np.ndarray:
        return np.median(values) + spread(values) * standard(rng, count)

    return draw


NOISES: dict[str, Draw] = {
    "resampled": resampled,
    "normal": scaled(lambda rng, n: rng.standard_normal(n)),
    "Student t, 2 degrees of freedom": scaled(lambda rng, n: rng.standard_t(2, n)),
    "Cauchy": scaled(lambda rng, n: rng.standard_cauchy(n)),
    "log-normal, σ 1": scaled(lambda rng, n: rng.lognormal(0, 1, n)),
    "one in ten an outlier of 10 sd": scaled(
        lambda rng, n: rng.standard_normal(n) * np.where(rng.random(n) < 0.1, 10, 1)
    ),
    "rounded to whole sds (ties)": scaled(lambda rng, n: np.round(rng.standard_normal(n))),
}


def gated(source: Measurements, policy: Policy) -> Iterator[tuple[Measured, Series]]:
    for cell in source.cells.values():
        for series in cell.series.values():
            if policy.gates(series.column) and series.column.kind == "quality" and series.values:
                yield cell, series


def suite(
    source: Measurements,
    policy: Policy,
    values_of: Callable[[Measured, Series], np.ndarray],
    first_seed: int,
) -> Measurements:
    cells = {}
    for cell in source.cells.values():
        series = {
            s.column.name: replace(
                s, values=dict(enumerate(map(float, values_of(cell, s)), start=first_seed))
            )
            for owner, s in gated(source, policy)
            if owner is cell
        }
        cells[cell.id] = replace(cell, series=series, statuses={"ok": 1})
    return replace(source, cells=cells)


def re_split(
    rng: np.random.Generator, source: Measurements, policy: Policy, n: int, m: int
) -> Comparison:
    """Whole seeds change sides, so that a seed's numbers stay together."""
    orders = {cell.id: rng.permutation(len(_first(cell))) for cell in source.cells.values()}

    def part(at: slice) -> Callable[[Measured, Series], np.ndarray]:
        return lambda cell, s: np.array(list(s.values.values()))[orders[cell.id][at]]

    return compare(
        suite(source, policy, part(slice(n, n + m)), 0),
        suite(source, policy, part(slice(0, n)), 1000),
        policy,
    )


def drawn(
    rng: np.random.Generator,
    source: Measurements,
    policy: Policy,
    draw: Draw,
    n: int,
    m: int,
    shift: float = 0.0,
) -> Comparison:
    """With the candidate worse by `shift` measured standard deviations in every number."""

    def values(count: int, worse: float) -> Callable[[Measured, Series], np.ndarray]:
        def of(_: Measured, s: Series) -> np.ndarray:
            measured = np.array(list(s.values.values()))
            sign = -1 if s.column.direction == "max" else 1
            return draw(rng, measured, count) + sign * worse * spread(measured)

        return of

    return compare(
        suite(source, policy, values(m, 0.0), 0),
        suite(source, policy, values(n, shift), 1000),
        policy,
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    share, z2 = hits / of, Z95**2
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return centre - half, centre + half


def false_alarms(source: Measurements, policy: Policy, suites: int, seed: int) -> str:
    lines = [
        "| noise | seeds | suites | with a false alarm | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for n, m in ((3, 10), (3, 17), (5, 15)):
        rng = np.random.default_rng(seed)
        hits = sum(
            bool(re_split(rng, source, policy, n, m).gated("regressed")) for _ in range(suites)
        )
        lines.append(_line("measured seeds, re-split", n, m, hits, suites))
    for name, draw in NOISES.items():
        rng = np.random.default_rng(seed)
        hits = sum(
            bool(drawn(rng, source, policy, draw, 3, 20).gated("regressed")) for _ in range(suites)
        )
        lines.append(_line(name, 3, 20, hits, suites))
    return "\n".join(lines)


def power(source: Measurements, policy: Policy, suites: int, seed: int) -> str:
    """The share of gated verdicts; every number is shifted alike."""
    lines = [
        "| shift | seeds | regressed | inconclusive | unchanged | improved |",
        "|---|---|---|---|---|---|",
    ]
    for n, m in ((3, 3), (3, 10), (3, 20)):
        for shift in (0.0, 0.5, 1.0, 2.0, 3.0):
            rng = np.random.default_rng(seed)
            outcomes = [
                verdict.word
                for _ in range(suites)
                for verdict in drawn(rng, source, policy, NOISES["normal"], n, m, shift).gated()
            ]
            shares = [outcomes.count(o) / len(outcomes) for o in
                      ("regressed", "inconclusive", "unchanged", "improved")]  # fmt: skip
            cells = " | ".join(f"{share:.1%}" for share in shares)
            lines.append(f"| {shift:g} sd | {n} against {m} | {cells} |")
    return "\n".join(lines)


def written(path: Path, name: str, table: str) -> None:
    """The table between the document's two marks."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text = path.read_text("utf-8")
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path}: no place marked {start} … {end}")
    path.write_text(pattern.sub(lambda _: f"{start}\n{table}\n{end}", text), "utf-8")


def _first(cell: Measured) -> dict[int, float]:
    return max((s.values for s in cell.series.values()), key=len)


def _line(name: str, n: int, m: int, hits: int, suites: int) -> str:
    low, high = wilson(hits, suites)
    return (
        f"| {name} | {n} against {m} | {suites:,} | {hits / suites:.1%} | {low:.1%} to {high:.1%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("baseline", type=Path)
    parser.add_argument("--suites", type=int, default=2000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a document with marks for both tables")
    asked = parser.parse_args()
    found = baseline.read(asked.baseline)
    names = tuple(found.gate.get("metrics") or ()) or None
    numbers = Policy(metrics=names)
    none = {s.column.name: Tolerance(0.0, 0.0) for _, s in gated(found.measurements, numbers)}
    policy = Policy(alpha=asked.alpha, metrics=names, tolerances=none)
    tables = {
        "false-alarms": false_alarms(found.measurements, policy, asked.suites, asked.seed),
        "power": power(found.measurements, policy, max(200, asked.suites // 4), asked.seed),
    }
    for name, table in tables.items():
        print(f"\n{name}\n\n{table}")
        if asked.write:
            written(asked.write, name, table)


if __name__ == "__main__":
    main()
