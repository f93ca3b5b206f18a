"""Images that were made elsewhere, read and held to the data set that they are judged beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench.config.choices import DatasetChoice
from ganbench.config.workshop import Workshop
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import LabeledImages
from ganbench.errors import DataError
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.models.saved import find
from ganbench.models.saved.files import CONFIG, WEIGHTS, read_config
from ganbench.models.saved.model import load_model
from ganbench.records.cells import Reference, Samples, Spec
from ganbench.records.run_folder import TRIAL, TRIALS
from ganbench.registry.registry import Registry
from ganbench.util import files
from ganbench.util.messages import shown, suggestion
from ganbench.util.picture_files import open_picture
from ganbench.util.random_streams import stream

MODEL = "model"  # the kind of a source that draws
SAMPLER = "elsewhere"  # what protocols say in the place of a sampler
MARKS = "not trained here"


@dataclass(frozen=True)
class Reading:
    """With which plugins samples are read or drawn, and where."""

    registry: Registry
    plugins: tuple[str, ...] = ()  # of --plugin
    device: str = "cpu"
    allow_other_versions: bool = False  # of the plugins of a trained model


def title(name: str) -> str:
    """Return what tables call a row of somebody's samples."""
    return f"{name} ({MARKS})"


def model_in(path: Path) -> Path | None:
    """Return the folder of a trained model that a path means; None: it is something else.

    Raises DataError where there is nothing, and RunError where no one model is meant.
    """
    if path.is_dir():
        marks = (CONFIG, WEIGHTS, TRIAL, TRIALS)
        return find.find(path) if any((path / name).exists() for name in marks) else None
    if path.exists():
        return None
    run = path.parent.parent if path.parent.name == TRIALS else path.parent
    if (run / TRIALS).is_dir():
        return find.find(path)
    raise DataError(
        f"{path}: there is no such file or folder; samples are a folder of pictures, a .npz, .npy "
        "or .pt file, or a trained model"
    )


def samples_at(
    path: Path,
    options: Mapping[str, Any],
    dataset: Spec,
    count: int | None,
    reading: Reading,
) -> tuple[Samples, int]:
    """Return the samples that lie at a path, and how many: `count`, or all.

    `options` are those of the data set that reads them. Raises GanbenchError where they cannot be
    judged beside `dataset`, and says what differs.
    """
    if not isinstance(count, int | None) or (count is not None and count < 2):
        raise DataError(f"{path}: expected two samples or more, found {shown(count)}")
    if (model := model_in(path)) is not None:
        return _of_model(model, options, dataset, count, reading)
    built = reading.registry.build_spec(dataset)
    if built.image_spec().resolution == 1:
        raise DataError(
            f"{path}: data set '{dataset.name}' is of points; of those, samples of a trained model "
            "alone are judged"
        )
    source = _source(path, options, built, Workshop(reading.registry))
    found, told = _read(source, built, count, reading.registry)
    return Samples(source, digest(found), told), len(found)


def images_of(reference: Reference, dataset: Dataset, reading: Reading) -> LabeledImages:
    """Return the images of a row of samples. Raises DataError where they are others by now."""
    samples = reference.samples
    assert samples is not None
    if samples.source.kind == MODEL:
        return _drawn(samples.source, reference.num_samples, reading)
    found, _ = _read(samples.source, dataset, reference.num_samples, reading.registry)
    if digest(found) != samples.sha256:
        raise DataError(
            f"{samples.source.options['path']}: the samples are not those that the run began with; "
            "put the former back, or begin another run"
        )
    return found


def as_data(path: Path, options: Mapping[str, Any]) -> DatasetChoice:
    """Return samples as a data set of their own, where there are no real images.

    Raises DataError where nothing is there.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    said = {"path": str(path), **options}
    if path.is_file():
        return DatasetChoice.model_validate({"name": "tensor", **said})
    names = sorted(name for name in path.rglob("*") if name.is_file() and name.name[0] != ".")
    for name in names[:1]:
        with open_picture(name) as picture:
            grey = picture.mode in ("1", "L", "LA", "I;16", "I", "F")
            said = {"resolution": picture.height, "channels": 1 if grey else 3, **said}
    return DatasetChoice.model_validate({"name": "image-folder", **{"max_bad": 0, **said}})


def _of_model(
    directory: Path,
    options: Mapping[str, Any],
    dataset: Spec,
    count: int | None,
    reading: Reading,
) -> tuple[Samples, int]:
    if options:
        raise DataError(f"{directory}: a trained model has no options to be read by; leave -o out")
    config, built = read_config(directory), reading.registry.build_spec(dataset)
    image, own = built.image_spec(), config.image
    if (image.channels, image.resolution) != (own.channels, own.resolution):
        raise DataError(
            f"{directory}: the model draws images of {own}, and those of data set "
            f"'{dataset.name}' are {image}"
        )
    trained_on = config.networks.dataset
    if trained_on.name == dataset.name:
        made = reading.registry.build_spec(trained_on).protocol()
        if told := _differing(made, built.protocol()):
            raise DataError(f"{directory}: its training images were prepared otherwise: {told}")
    others = reading.allow_other_versions
    model = load_model(directory, plugins=reading.plugins, allow_other_versions=others)
    about: dict[str, Any] = {"seed": config.seed, "trained_on": trained_on.name}
    told_of: dict[str, Any] = {"model": config.weights_sha256, "seed": config.seed}
    if others and model.notes:
        about["allow_other_versions"] = True
        told_of["versions"] = list(model.notes)
    source = Spec(MODEL, str(directory), about, f"weights {config.weights_sha256}")
    return Samples(source, "", told_of), count or int(config.cell["num_samples"])


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say what of two ways to prepare images differs."""
    return ", ".join(
        f"{key} {shown(theirs.get(key))} there, {shown(ours.get(key))} here"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
    )


def _drawn(source: Spec, count: int, reading: Reading) -> LabeledImages:
    """Return what a trained model draws with its own seed: of its trial, the same images."""
    model = load_model(
        source.name,
        device=reading.device,
        plugins=reading.plugins,
        allow_other_versions=source.options.get("allow_other_versions", False),
    )
    if f"weights {model.config.weights_sha256}" != source.source:
        raise DataError(f"{source.name}: the model is not the one that the run began with")
    drawn = model.sample(count, seed=source.options["seed"])
    return LabeledImages(drawn.images, drawn.labels)


def _source(path: Path, options: Mapping[str, Any], dataset: Dataset, workshop: Workshop) -> Spec:
    """Return the data set that reads pictures or arrays as they are."""
    image, said = dataset.image_spec(), {"path": str(path), **options}
    if path.is_file():
        return workshop.spec(DatasetChoice.model_validate({"name": "tensor", **said}))
    said = {"resolution": image.resolution, "channels": image.channels, "max_bad": 0, **said}
    spec = workshop.spec(DatasetChoice.model_validate({"name": "image-folder", **said}))
    _check_pictures(workshop.build(spec), dataset, options)
    return spec


def _check_pictures(source: Any, dataset: Dataset, asked: Mapping[str, Any]) -> None:
    """Refuse pictures of another size, or coloured ones of grey data, unless that is asked for."""
    image, listing = dataset.image_spec(), source.listing("train")
    side = image.resolution
    for name in listing.names:
        with open_picture(listing.root / name) as picture:
            if picture.size != (side, side) and "resolution" not in asked:
                width, height = picture.size
                raise DataError(
                    f"{listing.root / name}: {width}×{height}, and images of data set "
                    f"'{dataset.name}' are {side}×{side}; prepare them as its own were, or have "
                    f"them resized with -o resolution={side}, which protocols tell"
                )
            if image.channels == 1 and "channels" not in asked and _is_coloured(picture):
                raise DataError(
                    f"{listing.root / name}: a coloured picture, and data set '{dataset.name}' is "
                    "grey; have them made grey with -o channels=1, which protocols tell"
                )


def _is_coloured(picture: Any) -> bool:
    """Whether a picture is other than grey, in whatever mode it was saved."""
    if picture.mode in ("1", "L", "LA", "I;16", "I", "F"):
        return False
    red, green, blue = picture.convert("RGB").split()
    return not (red.tobytes() == green.tobytes() == blue.tobytes())


def _read(
    source: Spec, dataset: Dataset, count: int | None, registry: Registry
) -> tuple[LabeledImages, dict[str, Any]]:
    """Return so many images, always the same ones, or all; and how they were read."""
    built: Dataset = registry.build_spec(source)
    path = source.options["path"]
    whole = load(built, "train", files.data())
    _check_shape(path, whole.images, dataset)
    labels = _labels(path, whole.labels, built, dataset)
    available = len(whole)
    if count is not None and count > available:
        raise DataError(
            f"{path}: {available:,} samples, and {count:,} are judged; give as many, or judge "
            "fewer (evaluation.num_samples of a file, -n of ganbench evaluate): numbers depend on "
            "how many there are"
        )
    found = LabeledImages(whole.images, labels)
    told: dict[str, Any] = {"read": built.protocol(), "of": available}
    if whole.ids and (kinds := Counter(Path(name).suffix.lower() for name in whole.ids)):
        told["files"] = sorted(kinds)
    if count is not None and count < available:
        order = torch.randperm(available, generator=stream(0, "samples from elsewhere"))
        return found.take(order[:count].sort().values), told
    return found, told


def _check_shape(path: str, images: Tensor, dataset: Dataset) -> None:
    image = dataset.image_spec()
    found, expected = tuple(images.shape[1:]), (image.channels, image.resolution, image.resolution)
    if found != expected:
        told, cure = "×".join(map(str, found)), "prepare them as its own were"
        if found[0] == image.channels:
            side = image.resolution
            cure += f", or have them resized with -o resolution={side}, which protocols tell"
        raise DataError(
            f"{path}: images of {told}, and those of data set '{dataset.name}' are {image}; {cure}"
        )
    if len(images) < 2:
        raise DataError(f"{path}: one sample; numbers need two or more")


def _labels(path: str, labels: Tensor | None, source: Dataset, dataset: Dataset) -> Tensor | None:
    """Return labels as the data set's own: classes by name, or by number. Raises DataError."""
    image = dataset.image_spec()
    if labels is None or image.label_kind is None:
        return None
    if image.condition_dim or labels.ndim > 1:
        if labels.ndim > 1 and labels.shape[1] == image.condition_dim:
            return labels
        raise DataError(
            f"{path}: its labels are {source.image_spec().labels}, and those of data set "
            f"'{dataset.name}' {image.labels}; leave them aside with -o labels=none"
        )
    names = source.class_names() or tuple(map(str, range(source.image_spec().num_classes)))
    ids = _ids(path, names, dataset)
    return torch.tensor(ids)[labels]


def _ids(path: str, names: Sequence[str], dataset: Dataset) -> list[int]:
    """Return the data set's class of each of the samples' classes."""
    classes = dataset.image_spec().num_classes
    own = dataset.class_names() or tuple(map(str, range(classes)))
    by_name = {name: i for i, name in enumerate(own)}
    if all(name in by_name for name in names):
        return [by_name[name] for name in names]
    no_number = [name for name in names if not name.isdecimal() or int(name) >= classes]
    if not no_number:
        return [int(name) for name in names]
    other = next((name for name in no_number if name not in by_name), no_number[0])
    raise DataError(
        f"{path}: '{other}' is no class of data set '{dataset.name}'{suggestion(other, own)}; call "
        f"classes as it does ({', '.join(own[:5])}{', …' if len(own) > 5 else ''}), by their "
        "numbers from 0, or leave them aside with -o labels=none"
    )
