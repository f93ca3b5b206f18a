"""`ganbench sample`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import model_options
from ganbench.errors import ConfigError, GanbenchError

if TYPE_CHECKING:
    from ganbench.models.saved.model import Samples, SavedModel

IMAGES = 64
OURS = re.compile(r"\d{5,}(-[A-Za-z0-9.-]+)?\.png")


@click.command("sample")
@click.option("-n", "count", type=int, metavar="N", help=f"How many images.  [default: {IMAGES}]")
@click.option(
    "--label",
    metavar="CLASS",
    help="All of this class, by name, or #0 for the first; or of this vector, as in 0.2,-1.",
)
@click.option("--per-label", type=int, metavar="N", help="So many of every class, in its own row.")
@click.option(
    "--truncation",
    type=float,
    metavar="T",
    help="Draw latents' coordinates beyond ±T again: fewer odd images, and less variety.",
)
@click.option(
    "--sampler",
    metavar="NAME",
    help="How to draw: one of `ganbench plugins`, such as 'rejection(percentile=95)'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.png|FILE.npz|FOLDER",
    help="A page, arrays, or a PNG each.",
)
@model_options.model
def command(
    model: Path,
    count: int | None,
    label: str | None,
    per_label: int | None,
    truncation: float | None,
    sampler: str | None,
    out: Path,
    force: bool,
    seed: int,
    **loading: Any,
) -> int:
    """Draw new images from a trained model: RUN/TRIAL, or any folder with model.safetensors and
    config.json.

    Labels are drawn as often as in the training data. The .npz has `images` (N, H, W, C) as uint8,
    or float32 in [-1, 1] for points, `latents` (N, Z) but for a --sampler, and, where there are
    any, `labels` (N,), or (N, C) where they are vectors.

    \b
    ganbench sample results/mnist/bce -n 64 --out grid.png
    ganbench sample results/mnist/bce --per-label 10 --truncation 1.5 --out classes.png
    ganbench sample results/mnist/bce --sampler rejection --out grid.png
    ganbench sample results/mnist/bce -n 50000 --seed 1 --out samples.npz
    """  # noqa: D205
    model_options.at_least(1, n=count, per_label=per_label)
    if sum(option is not None for option in (label, per_label)) > 1:
        raise ConfigError("--label and --per-label exclude each other")
    if count is not None and per_label is not None:
        raise ConfigError("-n and --per-label exclude each other: every class has as many")
    model_options.check_out(out, (".png", ".npz", ""), force)
    if not out.suffix:
        model_options.check_folder(out, _is_ours, force)
    found = model_options.load(model, **loading)
    if per_label is None:
        asked = None if label is None else model_options.label_of(found, "--label", label)
        samples = found.sample(count or IMAGES, asked, seed, truncation, sampler)
    else:
        found.require_labels()
        found.require_classes()
        labels = [c for c in range(found.image.num_classes) for _ in range(per_label)]
        samples = found.sample(len(labels), labels, seed, truncation, sampler)
    with model_options.writing(out):
        _write(found, samples, per_label, out, force)
    print(out)
    return 0


def _write(
    model: SavedModel, samples: Samples, per_label: int | None, out: Path, force: bool
) -> None:
    from ganbench.pictures import montage

    if out.suffix.lower() == ".npz":
        _save_arrays(samples, out)
    elif model.image.resolution == 1:
        _save_points(model, samples, out)
    elif out.suffix:
        montage.save(_page(model, samples, per_label), out)
    else:
        _save_each(model, samples, out, force)


def _page(model: SavedModel, samples: Samples, per_label: int | None) -> Any:
    """Draw a row for every class where each has as many, else all in order with their classes."""
    from ganbench.pictures import montage

    if per_label is not None:
        rows = [
            montage.Row([montage.Tile(image) for image in part], name)
            for name, part in zip(model.class_names, samples.images.split(per_label), strict=True)
        ]
        return montage.draw(rows)
    captions = [""] * len(samples.images)
    if samples.labels is not None:
        captions = [model.label_name(label) for label in samples.labels]
    columns = math.ceil(len(captions) ** 0.5)
    tiles = [montage.Tile(*pair) for pair in zip(samples.images, captions, strict=True)]
    return montage.sheet(tiles, columns)


def _save_each(model: SavedModel, samples: Samples, out: Path, force: bool) -> None:
    """NUMBER-CLASS.png, or NUMBER.png where there are no classes."""
    from ganbench.pictures import montage
    from ganbench.records import cells

    names = [cells.slug(name) or str(i) for i, name in enumerate(model.class_names)]
    labels = [] if samples.labels is None or not names else samples.labels.tolist()
    with model_options.whole_folder(out, _is_ours, force) as folder:
        for i, image in enumerate(samples.images):
            end = f"-{names[labels[i]]}" if labels else ""
            montage.plain(image).save(folder / f"{i:05d}{end}.png", format="PNG")


def _save_points(model: SavedModel, samples: Samples, out: Path) -> None:
    from ganbench import pictures

    if not out.suffix or model.image.channels != 2:
        what = "points of the plane" if model.image.channels == 2 else "vectors"
        possible = "a .png or .npz" if model.image.channels == 2 else "a .npz"
        raise ConfigError(f"--out {out}: these are {what}, not pictures; write {possible}")
    try:
        mixture = model.dataset().mixture()
    except GanbenchError:  # a data set that is not at hand: the points show without it
        mixture = None
    pictures.save_scatter(samples.images.flatten(1), mixture, out)


def _save_arrays(samples: Samples, out: Path) -> None:
    import numpy as np

    from ganbench.util import files

    arrays = {"images": samples.images.permute(0, 2, 3, 1).contiguous().numpy()}
    if samples.latents is not None:
        arrays["latents"] = samples.latents.numpy()
    if samples.labels is not None:
        arrays["labels"] = samples.labels.numpy()

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # a path would get another ending
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    files.write_atomically(out, write)


def _is_ours(name: str) -> bool:
    return OURS.fullmatch(name) is not None
