"""`ganbench frames`."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import completion, model_options, options
from ganbench.errors import ConfigError, RunError

if TYPE_CHECKING:
    from ganbench.pictures.frames import Frame

MOST = 10  # moments of a page, where none are named
HOW = "evaluation.frames in the benchmark file keeps them: {epochs: [1, 5, 10]}"


@click.command("frames")
@click.argument(
    "trial",
    metavar="RUN/TRIAL",
    type=click.Path(path_type=Path),
    shell_complete=completion.models,
)
@click.option(
    "--at",
    metavar="N,N,…",
    help="At these moments, in the unit in which they were kept.  [default: ten, evenly spread]",
)
@click.option("--label", metavar="CLASS", help="All latents of this label, not the first of each.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.png", help="The page."
)
@options.force
def command(trial: Path, at: str | None, label: str | None, out: Path, force: bool) -> int:
    """Show the same latents at chosen moments of a training: a row for each moment, a column for
    each label.

    A benchmark file keeps the frames: `evaluation: {frames: {epochs: [1, 5, 10, 50]}}`, or `{every:
    {epochs: 1}}`; each is a whole grid in the trial's folder `frames`.

    \b
    ganbench frames results/mnist/bce --out epochs.png
    ganbench frames results/mnist/bce --at 1,5,50 --label 4 --out fours.png
    """  # noqa: D205
    from ganbench.pictures import frames, montage

    model_options.check_out(out, (".png",), force)
    folder = _folder(trial)
    chosen = _chosen(frames.kept(folder), at, folder)
    if label is None:
        page = frames.by_moments(chosen, folder.name)
    else:
        row = _row(chosen, label, folder)
        page = frames.of_label(chosen, row, f"{folder.name}: {chosen[0].rows[row]}")
    with model_options.writing(out):
        montage.save(page, out)
    print(out)
    return 0


def _folder(path: Path) -> Path:
    """Return the folder of the trial that a path means, by the beginning of its name too."""
    from ganbench.pictures.frames import FOLDER
    from ganbench.records.run_folder import TRIALS

    if (path / FOLDER).is_dir():
        return path
    inner = path if (path / TRIALS).is_dir() else path.parent
    beginning = "" if inner is path else path.name
    trials = inner / TRIALS if (inner / TRIALS).is_dir() else inner
    found = sorted(
        folder for folder in trials.glob(f"{glob.escape(beginning)}*") if (folder / FOLDER).is_dir()
    )
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunError(f"{path}: no trial with frames; {HOW}")
    names = "".join(f"\n  {folder.name}" for folder in found[:30])
    raise RunError(f"{path}: {len(found)} trials have frames; name one{names}")


def _chosen(kept: Sequence[Frame], at: str | None, folder: Path) -> list[Frame]:
    if not kept:
        raise RunError(f"{folder}: its folder of frames is empty; {HOW}")
    if at is None:
        count = min(MOST, len(kept))
        step = (len(kept) - 1) / max(1, count - 1)
        return [kept[round(i * step)] for i in range(count)]
    by_number = {_number(frame.title): frame for frame in kept}
    found = []
    for text in at.split(","):
        frame = by_number.get(_number(text))
        if frame is None:
            titles = ", ".join(frame.title for frame in kept[:30])
            raise ConfigError(
                f"--at {at}: no frame of '{text.strip()}' was kept; there are {titles}"
            )
        found.append(frame)
    return found


def _number(text: str) -> float | None:
    """Return the number in a title such as `epoch 5`, or of the command line."""
    for word in text.split():
        try:
            return float(word)
        except ValueError:
            continue
    return None


def _row(chosen: Sequence[Frame], label: str, folder: Path) -> int:
    rows = chosen[0].rows
    name = label.removeprefix("#") if label not in rows else label
    if name in rows:
        return rows.index(name)
    there = f"the rows are {', '.join(rows)}" if rows else "the images have no labels"
    raise ConfigError(f"{folder}: --label {label}: no row of this label; {there}")
