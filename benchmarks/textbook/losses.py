"""Prints the notebook's mean losses of each epoch beside those of a run of cdcgan_mnist.yaml.

    python benchmarks/textbook/losses.py results/cdcgan_mnist/2026-11-29-191048
    python benchmarks/textbook/losses.py RUN --write docs/textbook.md

The run may be under way: whole epochs are shown, of each seed. The table is Markdown, G / D,
with D's two terms together.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

import ganbench

PUBLISHED = Path(__file__).with_name("notebook_losses.csv")
START, END = "<!-- losses:start -->", "<!-- losses:end -->"
Losses = dict[int, tuple[float, float]]
"""The means of G and D, by epoch."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("run", type=Path, help="a run's folder")
    arguments.add_argument("--write", type=Path, help="a document with marks for the table")
    given = arguments.parse_args()
    run = ganbench.load_run(given.run)
    columns = {"published": published()}
    for outcome in run.outcomes:
        if outcome.trial.seed is not None:
            columns[f"ours, seed {outcome.trial.seed}"] = by_epoch(outcome.windows)
    lines = "\n".join(table(columns))
    threads = run.info.execution.threads or "as many as there are cores"
    print(f"{lines}\n\nThreads of a trial: {threads}.")
    if given.write:
        given.write.write_text(rewritten(given.write.read_text("utf-8"), lines), "utf-8")


def published() -> Losses:
    with PUBLISHED.open(encoding="utf-8") as file:
        return {
            int(row["epoch"]): (float(row["g"]), float(row["d"])) for row in csv.DictReader(file)
        }


def by_epoch(windows: Iterable[ganbench.Window]) -> Losses:
    """Return the means of epochs whose last window ends with them."""
    found = defaultdict(list)
    for window in windows:
        found[math.ceil(round(window.epoch, 6))].append(window)
    return {
        epoch: (
            mean(sum(window.g_terms.values()) for window in inside),
            mean(sum(window.d_terms.values()) for window in inside),
        )
        for epoch, inside in found.items()
        if math.isclose(inside[-1].epoch, epoch, abs_tol=1e-6)
    }


def table(columns: dict[str, Losses]) -> Iterator[str]:
    """Yield the lines of a table of all epochs of the first column."""
    yield f"| epoch | {' | '.join(columns)} |"
    yield f"|---:|{'---|' * len(columns)}"
    for epoch in next(iter(columns.values())):
        cells = (column.get(epoch) for column in columns.values())
        shown = (f"{one[0]:.4f} / {one[1]:.4f}" if one else "" for one in cells)
        yield f"| {epoch} | {' | '.join(shown)} |"


def rewritten(document: str, lines: str) -> str:
    """Return a document with these lines between its marks."""
    before, _, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"the document has no {START} and {END}; put them around its table")
    return f"{before}{START}\n{lines}\n{END}{after}"


if __name__ == "__main__":
    main()
