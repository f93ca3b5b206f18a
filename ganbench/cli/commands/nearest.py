"""`ganbench nearest`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import model_options
from ganbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.contracts.images import LabeledImages
    from ganbench.models.saved.model import Samples, SavedModel

MEANINGS = {
    "l1": "mean absolute difference of pixels, from 0 to 255",
    "l2": "root mean squared difference of pixels, from 0 to 255",
}


@click.command("nearest")
@click.option("-n", "count", type=int, default=16, show_default=True, metavar="N", help="Samples.")
@click.option("--label", metavar="CLASS", help="All of this class, by name or id.")
@click.option(
    "--by",
    type=click.Choice(["l1", "l2", "features"]),
    default="l2",
    show_default=True,
    help="Differences of pixels, or Euclidean distances of features.",
)
@click.option(
    "--features",
    metavar="EXTRACTOR",
    help="Which, as in mnist-cnn-v1 or random-conv(seed=3).  [default: the data set's own]",
)
@click.option("--k", type=int, default=5, show_default=True, metavar="N", help="Training images.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.png", help="The page."
)
@model_options.model
def command(
    model: Path,
    count: int,
    label: str | None,
    by: str,
    features: str | None,
    k: int,
    out: Path,
    force: bool,
    seed: int,
    **loading: Any,
) -> int:
    """Show each sample beside the training images nearest to it, the nearest first: is it new?

    Distances stand below. The training data must be where the trial found it.

    \b
    ganbench nearest results/mnist/bce --out nearest.png
    ganbench nearest results/mnist/bce --by features --features mnist-cnn-v1 --out nearest.png
    """  # noqa: D400
    model_options.counts(1, n=count, k=k)
    if features and by != "features":
        raise ConfigError(f"--features {features}: add --by features")
    model_options.check_out(out, (".png",), force)
    found = model_options.load(model, **loading)
    model_options.require_pictures(found, "ganbench nearest")
    data = _training_data(found)
    samples = found.sample(count, label, seed)
    k = min(k, len(data))
    distances, indices, meaning = (
        (*_by_pixels(samples.images, data.images, by, k), MEANINGS[by])
        if by != "features"
        else _by_features(found, samples, data, features, k)
    )
    from ganbench.contracts.images import LabeledImages
    from ganbench.pictures import save_neighbours

    with model_options.writing(out):
        save_neighbours(
            LabeledImages(samples.images, samples.labels),
            data,
            distances,
            indices,
            out,
            meaning=f"{by}: {meaning}",
            class_names=found.class_names,
        )
    print(out)
    return 0


def _training_data(model: SavedModel) -> LabeledImages:
    """Return the data that the model was trained on.

    Raises DataError where it is not there, or is no longer the same.
    """
    from ganbench.evaluation import loading
    from ganbench.util import files

    root, begins = files.data().absolute(), _where_paths_begin(model.directory)
    with _inside(begins):
        dataset = model.dataset()
        status = dataset.status(root)
        if status.verified is False or not (status.present or status.on_use):
            raise DataError(
                f"{model.directory}: the training data, data set '{dataset.name}', is not usable "
                f"here: {status.location}: {status.note or 'missing'}; relative paths begin in "
                f"{begins}"
            )
        data = loading.load(dataset, "train", root)
    _check_the_same(model, dataset.name, data, begins)
    return data


def _check_the_same(model: SavedModel, name: str, data: LabeledImages, begins: Path) -> None:
    from ganbench.evaluation.real_data import digest
    from ganbench.records.run_folder import result_in

    known = result_in(model.directory).data
    same = digest(data) == known.sha256 if known else len(data) == model.config.num_images
    if not same:
        raise DataError(
            f"{model.directory}: data set '{name}' is not what the model was trained on: "
            f"{len(data):,} images here, {model.config.num_images:,} then, and not the same ones; "
            f"relative paths begin in {begins}"
        )


def _where_paths_begin(directory: Path) -> Path:
    """Where the run was begun; of a copied folder, here."""
    from ganbench.records.run_folder import info_in

    info = info_in(directory.absolute().parent.parent)
    begun = Path(info.cwd) if info else Path.cwd()
    return begun if begun.is_dir() else Path.cwd()


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _by_pixels(samples: Tensor, train: Tensor, by: str, k: int) -> tuple[Tensor, Tensor]:
    """Distances per value, (N, k), and indices."""
    from ganbench.default_plugins.metrics.neighbours import nearest
    from ganbench.default_plugins.metrics.pixel_neighbours import Manhattan

    values = samples[0].numel()
    levels = 127.5 if samples.is_floating_point() else 1.0
    if by == "l1":
        distances, indices = Manhattan(train).nearest(samples, k)
        return distances * (levels / values), indices
    distances, indices = nearest(samples, train, k)
    return distances * (levels / values**0.5), indices


def _by_features(
    model: SavedModel, samples: Samples, data: LabeledImages, features: str | None, k: int
) -> tuple[Tensor, Tensor, str]:
    from ganbench.contracts.feature_extractors import Unavailable
    from ganbench.contracts.images import LabeledImages
    from ganbench.default_plugins.metrics.neighbours import nearest
    from ganbench.evaluation.trial_evaluation import TrialEvaluation
    from ganbench.util import files

    dataset = model.dataset()
    name = features or dataset.features or "pixels"
    fake = LabeledImages(samples.images, samples.labels)
    judge = TrialEvaluation(dataset, data, fake, model.registry, files.data(), device=model.device)
    try:
        found = judge.features(name).embedding, judge.real_features(name).embedding
    except Unavailable as why:
        raise ConfigError(f"--by features: {why}") from why
    return (*nearest(*found, k), f"Euclidean distance of {name}")
