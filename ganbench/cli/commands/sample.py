"""`ganbench sample`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import completion, model_options
from ganbench.errors import ConfigError, GanbenchError

if TYPE_CHECKING:
    from ganbench.models.saved.model import Samples, SavedModel
    from ganbench.pictures.montage import Tile

IMAGES = 64
ONE_ROW = 16  # images of one label that still stand side by side
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
    "--same-latents",
    is_flag=True,
    help="With --per-label: a column is one latent, so that rows differ in their label alone.",
)
@click.option(
    "--columns",
    type=int,
    metavar="N",
    help=f"Images side by side.  [default: as many as rows; of one label, all up to {ONE_ROW}]",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    metavar="RUN/TRIAL",
    shell_complete=completion.models,
    help="As many of another model, of the same seed, in rows below the first one's.",
)
@click.option(
    "--enlarge",
    type=int,
    metavar="N",
    help="Show each pixel as N×N, to look for checkerboards, say.",
)
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
    same_latents: bool,
    columns: int | None,
    beside: Path | None,
    enlarge: int | None,
    truncation: float | None,
    sampler: str | None,
    out: Path,
    force: bool,
    seed: int,
    **loading: Any,
) -> int:
    """Draw new images from a trained model: RUN/TRIAL, or any folder with model.safetensors and
    config.json.

    Labels are drawn as often as in the training data, or uniform over its classes where the model's
    file has evaluation.labels: uniform. The .npz has `images` (N, H, W, C) as uint8,
    or float32 in [-1, 1] for points, `latents` (N, Z) but for a --sampler, and, where there are
    any, `labels` (N,), or (N, C) where they are vectors.

    \b
    ganbench sample results/mnist/bce -n 64 --out grid.png
    ganbench sample results/mnist/bce --label 4 -n 10 --out fours.png
    ganbench sample results/mnist/bce --per-label 10 --truncation 1.5 --out classes.png
    ganbench sample results/blond/bce --per-label 8 --same-latents --out with-and-without.png
    ganbench sample results/mnist/bce --sampler rejection --out grid.png
    ganbench sample results/bricks --beside results/upsampling -n 8 --enlarge 3 --out both.png
    ganbench sample results/mnist/bce -n 50000 --seed 1 --out samples.npz
    """  # noqa: D205
    model_options.counts(1, n=count, per_label=per_label, columns=columns, enlarge=enlarge)
    if sum(option is not None for option in (label, per_label)) > 1:
        raise ConfigError("--label and --per-label exclude each other")
    if count is not None and per_label is not None:
        raise ConfigError("-n and --per-label exclude each other: every class has as many")
    if same_latents and (per_label is None or sampler is not None):
        raise ConfigError("--same-latents needs --per-label, and latents as they are: no --sampler")
    pages = {"columns": columns, "beside": beside, "enlarge": enlarge}
    for name, value in pages.items():
        if value is not None and out.suffix.lower() != ".png":
            raise ConfigError(f"--{name} is of a page; give --out FILE.png")
        if value is not None and per_label is not None and name != "enlarge":
            raise ConfigError(f"--{name} and --per-label exclude each other")
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
        samples = _of_each(found, per_label, seed, truncation, sampler, same_latents=same_latents)
    if columns is None:
        in_rows = label is not None or beside is not None
        columns = _columns(len(samples.images), in_rows=in_rows)
    page = Page(per_label, columns, enlarge or 1)
    if beside is not None:
        other = model_options.load(beside, **loading)
        asked = None if label is None else model_options.label_of(other, "--label", label)
        drawn = other.sample(count or IMAGES, asked, seed, truncation, sampler)
        page.others.append((other, drawn))
    with model_options.writing(out):
        _write(found, samples, page, out, force)
    print(out)
    return 0


def _of_each(
    model: SavedModel,
    count: int,
    seed: int,
    truncation: float | None,
    sampler: str | None,
    *,
    same_latents: bool,
) -> Samples:
    """Draw so many of every class, class by class."""
    from ganbench.models.saved.model import Samples

    classes = model.image.num_classes
    labels = [c for c in range(classes) for _ in range(count)]
    if not same_latents:
        return model.sample(len(labels), labels, seed, truncation, sampler)
    import torch

    latents = model.sample(count, [0] * count, seed, truncation).latents
    assert latents is not None  # as no sampler draws
    latents = latents.repeat(classes, 1)
    asked = torch.tensor(labels)
    return Samples(model.images(latents, asked), asked, latents)


def _columns(count: int, *, in_rows: bool) -> int:
    return count if in_rows and count <= ONE_ROW else math.ceil(count**0.5)


@dataclass(frozen=True)
class Page:
    """How a page of samples is laid out."""

    per_label: int | None  # a row for each class
    columns: int
    enlarge: int
    others: list[tuple[SavedModel, Samples]] = field(default_factory=list)  # below each row


def _write(model: SavedModel, samples: Samples, page: Page, out: Path, force: bool) -> None:
    from ganbench.pictures import montage

    if out.suffix.lower() == ".npz":
        _save_arrays(samples, out)
    elif model.image.resolution == 1:
        _save_points(model, samples, out)
    elif out.suffix:
        montage.save(_page(model, samples, page), out)
    else:
        _save_each(model, samples, out, force)


def _page(model: SavedModel, samples: Samples, page: Page) -> Any:
    """Draw a row for every class where each has as many, else all in order with their classes."""
    from ganbench.pictures import montage

    tiles = _tiles(model, samples, page)
    if (size := page.per_label) is not None:
        plain = [montage.Tile(tile.image) for tile in tiles]
        rows = [
            montage.Row(plain[i * size : (i + 1) * size], name)
            for i, name in enumerate(model.class_names)
        ]
        return montage.draw(rows)
    if not page.others:
        return montage.sheet(tiles, page.columns)
    models = [(model, samples), *page.others]
    names = [one.config.benchmark for one, _ in models]
    if len(set(names)) < len(names):
        names = [one.config.trial for one, _ in models]
    drawn = [_tiles(one, found, page) for one, found in models]
    rows = [
        montage.Row(of_model[at : at + page.columns], name)
        for at in range(0, len(tiles), page.columns)
        for name, of_model in zip(names, drawn, strict=True)
    ]
    return montage.draw(rows)


def _tiles(model: SavedModel, samples: Samples, page: Page) -> list[Tile]:
    from ganbench.pictures import montage

    captions = [""] * len(samples.images)
    if samples.labels is not None:
        captions = [model.label_name(label) for label in samples.labels]
    times = page.enlarge
    images = samples.images.repeat_interleave(times, 2).repeat_interleave(times, 3)
    return [montage.Tile(*pair) for pair in zip(images, captions, strict=True)]


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
