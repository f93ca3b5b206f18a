"""Which metrics pass which of the sanity checks of Räisä et al. (2025), as a Markdown table.

    python benchmarks/metrics/sanity.py --write docs/metrics.md
    python benchmarks/metrics/sanity.py my_metrics.py --only my-metric

There is a column for each one that a metric has `claims` of; metrics of a plugin's file come beside
the built-in ones. Points are drawn, and their coordinates are the features.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ganbench import Metric
from ganbench.registry import registry
from ganbench.testing import SanityFinding, sanity_findings
from ganbench.testing.sanity.checks import CHECKS, SanityCheck

MARKS = {True: "✓", False: "✗", "low": "L", "high": "H", None: "–"}
OPTIONS = {
    "cmmd": {"unit": False},  # the points have no direction from the origin to be compared
    "kid": {"subsets": 10},  # in a tenth of the time
    "mind": {"projections": 100},
}
Verdicts = Mapping[str, Mapping[str, SanityFinding]]
"""By column, then by check."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("plugins", nargs="*", help="files of metrics to ask beside the built-in")
    arguments.add_argument("--only", help="names of metrics, separated by commas")
    arguments.add_argument("--repeats", type=int, default=1, help="draws whose mean is judged")
    arguments.add_argument("--why", action="store_true", help="what each said where it fails")
    arguments.add_argument("--write", type=Path, help="a document with marks for the table")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    metrics = chosen(given.plugins, given.only.split(",") if given.only else None)
    found: dict[str, dict[str, SanityFinding]] = {}
    for metric in metrics:
        for finding in sanity_findings(metric, repeats=given.repeats):
            found.setdefault(finding.column, {})[finding.check] = finding
    lines = table(found)
    print(f"{lines}\n\n{time.process_time() - started:.0f} s of one core.")
    if given.why:
        for column, findings in found.items():
            print(f"\n{column}")
            for finding in findings.values():
                if not finding.verdict:
                    print(f"  {finding.check}: {finding.seen}")
    if given.write:
        write(given.write, lines)


def chosen(plugins: Sequence[str], only: Sequence[str] | None) -> list[Metric]:
    """Return the metrics with claims, or those of these names."""
    known = registry.load(plugins)
    classes = [entry.cls for entry in known.entries("metric")]
    asked = [cls for cls in classes if cls.claims and (only is None or cls.name in only)]
    if missing := sorted(set(only or ()) - {cls.name for cls in asked}):
        raise SystemExit(f"no metric with claims is named {', '.join(missing)}")
    return [cls(**OPTIONS.get(cls.name, {})) for cls in asked]


def table(found: Verdicts) -> str:
    head = "| check | " + " | ".join(f"`{column}`" for column in found) + " |"
    rows = [row(check, found) for check in CHECKS]
    passed = [sum(bool(f.verdict) for f in column.values()) for column in found.values()]
    sums = [f"{n} of {len(column)}" for n, column in zip(passed, found.values(), strict=True)]
    lines = [head, "|---|" + ":-:|" * len(found), *rows, "| passed | " + " | ".join(sums) + " |"]
    return "\n".join(lines)


def row(check: SanityCheck, found: Verdicts) -> str:
    names = [f"{check.name}/{part}" for part in check.parts]
    cells = [" ".join(mark(column.get(name)) for name in names) for column in found.values()]
    return f"| {check.name}: {', '.join(check.parts)} | " + " | ".join(cells) + " |"


def mark(finding: SanityFinding | None) -> str:
    return MARKS[finding.verdict if finding else None]


def write(path: Path, lines: str) -> None:
    start, end = "<!-- sanity:start -->", "<!-- sanity:end -->"
    text = path.read_text("utf-8")
    pattern = re.compile(f"{start}.*?{end}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path}: no place marked {start} … {end}")
    path.write_text(pattern.sub(lambda _: f"{start}\n{lines}\n{end}", text), "utf-8")


if __name__ == "__main__":
    main()
