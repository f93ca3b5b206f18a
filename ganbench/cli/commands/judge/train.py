"""`ganbench judge train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.cli.commands.datasets import bars, chosen
from ganbench.cli.output import print_json
from ganbench.cli.places import check_writable
from ganbench.errors import ConfigError, DataError
from ganbench.util import allocator

if TYPE_CHECKING:
    from ganbench.evaluation.judges.judge import Judge


@click.command("train")
@chosen.arguments
@options.offline
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to keep it; judge-NAME here, where it is left out.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of its training.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="[default: all cores]")
@options.force
def command(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    as_json: bool,
    quiet: bool,
    out: Path | None,
    seed: int,
    threads: int | None,
    force: bool,
) -> int:
    """Train a small network to tell the classes of the data set NAME, of a FOLDER, whose subfolders
    are classes, of a CSV file's labels, or of a benchmark FILE's data.

    The recipe is fixed: images moved a little, no smoothed labels, weights averaged, stopped by
    images that were held out. It is checked on the test set, or without one on others that were
    held out. Minutes on one core for 60,000 images of 28×28.

    \b
    ganbench judge train fashion-mnist --out judge/
    ganbench judge train ~/bricks
    ganbench judge train ~/faces/labels.csv -o pattern={id}.jpg -o resolution=64
    """  # noqa: D205
    allocator.keep_memory()
    from ganbench.evaluation.judges import judge as folders
    from ganbench.evaluation.judges import training
    from ganbench.evaluation.loading import load
    from ganbench.util import files

    subject = chosen.chosen(target, settings, plugins, trusts_file=trusts_file)
    directory = out or Path(f"judge-{subject.label}")
    _check_place(directory, force)
    root = files.data()
    with bars.shown(quiet), training.threads(threads):
        data = load(subject.dataset, "train", root)
        about = {"options": chosen.as_mapping(subject.dataset)}
        judge = training.train(subject.dataset, data, root, seed, about)
    _write(directory, judge)
    if as_json:
        print_json({"path": str(directory), **vars(judge.card)})
        return 0
    card = judge.card
    print(directory)
    print(
        f"{card.accuracy:.2%} of {card.checked_on} judged right (95 %: {card.low:.2%} to "
        f"{card.high:.2%}), worst {card.worst.name} {card.worst.accuracy:.1%}; trained in "
        f"{card.seconds:,.0f} s"
    )
    if why := folders.weakness(card.accuracy, card.worst.name, card.worst.accuracy):
        print(f"note: {why}; tables that use it say so")
    print(f"to use:   evaluation: {{judge: {directory}}}")
    return 0


def _write(directory: Path, judge: Judge) -> None:
    """Write it where it was asked for, and else, as minutes of training are in it, to the cache."""
    from ganbench.evaluation.judges import judge as folders
    from ganbench.util import files

    try:
        folders.write(directory, judge)
    except DataError as error:
        kept = files.cache() / "kept" / f"judge-{judge.card.weights_sha256[:12]}"
        folders.write(kept, judge)
        raise DataError(f"{error}; the trained judge is in {kept}") from error


def _check_place(directory: Path, force: bool) -> None:
    """Refuse a place before any work is done for it."""
    from ganbench.evaluation.judges.judge import CARD, TOLD, WEIGHTS

    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"--out {directory}: this is a file; name a folder")
    check_writable(directory, directory)
    if not directory.exists():
        return
    there = sorted(path.name for path in directory.iterdir())
    if there and not force:
        raise ConfigError(f"--out {directory}: the folder is not empty; --force replaces a judge")
    if foreign := [name for name in there if name not in (CARD, TOLD, WEIGHTS)]:
        raise ConfigError(
            f"--out {directory}: '{foreign[0]}' in it is of no judge, and nothing else is replaced"
        )
