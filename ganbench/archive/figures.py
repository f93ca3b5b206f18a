"""Ranks as figures for papers and pages: critical-difference diagrams and performance profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import ConfigError
from ganbench.util.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".pdf", ".png")
WIDTH = 7.0  # inches
LINE, BAR = 0.26, 0.16  # inches between two names, and between two bars
ABOVE, BETWEEN, BELOW = 0.62, 0.12, 0.08  # inches: the scale's; bars and names; below all
SIDE = 0.3  # of the width, on either side for names
SIZE = 9  # points
MOST_LETTERS = 34
DOTS = 3.5
STYLES = ("-", "--", ":", "-.")

Interval = tuple[float, float]


def check(path: Path, option: str) -> None:
    """Raise ConfigError for a file that no figure can be written as."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{option} {path}: a figure ends in {', '.join(ENDINGS)}")


def save_critical_differences(
    path: Path,
    ranks: Mapping[str, float],
    groups: Sequence[Sequence[str]],
    intervals: Mapping[str, Interval | None],
    title: str,
) -> None:
    """Write variants on a line of mean ranks, the best left; bars join those that tie.

    The members of a bar have dots on it: what it passes without a dot is no part of the tie. Thin
    lines on the scale are intervals.
    """
    from matplotlib.figure import Figure  # not pyplot, which would want a display and keep state

    order = sorted(ranks, key=ranks.__getitem__)
    left = order[: math.ceil(len(order) / 2)]
    right = order[len(left) :][::-1]
    bars = len(groups) * BAR + BETWEEN
    height = ABOVE + bars + len(left) * LINE + BELOW
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 1)
    axes.set_ylim(height, 0)
    axes.axis("off")
    low, high = 1, max(2, len(order))

    def x(rank: float) -> float:
        return SIDE + (1 - 2 * SIDE) * (rank - low) / (high - low)

    axes.text(0.5, 0.14, title, ha="center", va="center", fontsize=SIZE)
    axes.plot([x(low), x(high)], [ABOVE, ABOVE], color="black", linewidth=1)
    for rank in range(low, high + 1):
        axes.plot([x(rank)] * 2, [ABOVE - 0.06, ABOVE], color="black", linewidth=1)
        axes.text(x(rank), ABOVE - 0.1, str(rank), ha="center", va="bottom", fontsize=SIZE - 1)
    for number, group in enumerate(groups):
        y = ABOVE + BETWEEN + number * BAR
        ends = [x(ranks[variant]) for variant in group]
        axes.plot([min(ends), max(ends)], [y, y], color="black", linewidth=2.5)
        axes.plot(ends, [y] * len(ends), "o", color="black", markersize=DOTS)
    for names, is_left in ((left, True), (right, False)):
        for number, variant in enumerate(names):
            y = ABOVE + bars + (number + 0.5) * LINE
            end = SIDE - 0.01 if is_left else 1 - SIDE + 0.01
            at = x(ranks[variant])
            axes.plot([at, at, end], [ABOVE, y, y], color="0.35", linewidth=0.8)
            axes.plot([at], [ABOVE], "o", color="black", markersize=DOTS)
            if interval := intervals.get(variant):
                axes.plot(
                    [x(e) for e in interval], [ABOVE] * 2, color="C0", linewidth=3, alpha=0.35
                )
            text = f"{_short(variant)}  {ranks[variant]:.2f}"
            where: dict[str, Any] = {"ha": "right" if is_left else "left", "va": "center"}
            axes.text(end - 0.008 if is_left else end + 0.008, y, text, fontsize=SIZE, **where)
    _save(figure, path)


def save_profiles(
    path: Path, steps: Mapping[str, Sequence[tuple[float, float]]], most: float, title: str
) -> None:
    """Write of each variant the share of trials that reach the target within a multiple of time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for number, (variant, found) in enumerate(steps.items()):
        places = [1.0, *(at for at, _ in found), most]
        shares = [0.0, *(share for _, share in found)]
        axes.step(
            places, [*shares, shares[-1]], where="post", label=_short(variant),
            linestyle=STYLES[number // 10 % len(STYLES)],
        )  # fmt: skip
    axes.set_xlim(1, most)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("time to the target, in multiples of the fastest")
    axes.set_ylabel("share of trials")
    axes.set_title(title, fontsize=SIZE + 1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=SIZE - 1, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    _save(figure, path)


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _save(figure: Figure, path: Path) -> None:
    import matplotlib as mpl

    form = path.suffix.lower().removeprefix(".")
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
    plain: Any = {
        "svg.hashsalt": "ganbench",
        "svg.fonttype": "none",
        "text.usetex": False,
        "text.parse_math": False,
    }
    with mpl.rc_context(plain):
        write_atomically(path, lambda to: figure.savefig(to, format=form, dpi=150, metadata=dated))
