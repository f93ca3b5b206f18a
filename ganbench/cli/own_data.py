"""What somebody's own images are like, for the first benchmark of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages
    from ganbench.registry.registry import Registry
    from ganbench.runs.first_benchmark import Look

SEEN = 200  # pictures, evenly spread, by which size and colour are told
COLOUR = 12  # between channels of 0 to 255, beyond which a picture is no grey one
THUMB = 32  # pixels of the copy that is looked at
LEAST_HELD = 50  # images of a data set, from which some are held out
HELD, HELD_OF_MANY, MANY = 0.2, 0.1, 1000
MAX_BAD = 10  # the data sets' own


@dataclass(frozen=True)
class Pictures:
    """What the files of a folder are like."""

    side: int  # the usual shorter side
    is_grey: bool


def look(name: str, source: str, dataset: dict[str, Any], registry: Registry) -> Look:
    """Read the images of a `dataset:`, and return what they are like. Raises GanbenchError."""
    from ganbench.runs.first_benchmark import LARGEST, Look, sides

    fields = registry.options_model("dataset", dataset["name"]).model_fields
    said, side = dict(dataset), 0
    sized = "resolution" in fields and "resolution" not in said
    if "max_bad" in fields:
        seen = _pictures(_built(registry, said))
        side = said.get("resolution", seen.side)
        said.setdefault("channels", 1 if seen.is_grey else 3)
    elif "layout" in fields:
        said, side = _arrays(said)
        side = said.get("resolution", side)
    if "test_share" in fields:
        said |= _held_out(registry, said, "stratified" in fields)
    likely = {"resolution": sides(side or LARGEST)[0]} if sized else {}  # a run finds it decoded
    loose = {"max_bad": 10**9} if "max_bad" in fields else {}
    built = _built(registry, {**said, **likely, **loose})
    train, test = _loaded(built)
    spec = built.image_spec()
    if spec.resolution == 1:
        raise ConfigError(f"{source}: these are points, not pictures, and need other networks")
    if len(train.problems) > said.get("max_bad", MAX_BAD):
        said["max_bad"] = len(train.problems)
    return Look(
        name, source, said, side or spec.resolution, sized, len(train), test, spec.num_classes,
        _border(train.images), (*train.problems[:3], *train.remarks),
    )  # fmt: skip


def _built(registry: Registry, said: dict[str, Any]) -> Dataset:
    options = {key: value for key, value in said.items() if key != "name"}
    found: Dataset = registry.build("dataset", said["name"], options)
    return found


def _loaded(dataset: Dataset) -> tuple[LabeledImages, int]:
    from ganbench.evaluation.loading import load
    from ganbench.util import files

    train = load(dataset, "train", files.data())
    tested = len(load(dataset, "test", files.data())) if "test" in dataset.splits else 0
    return train, tested


def _held_out(registry: Registry, said: dict[str, Any], by_class: bool) -> dict[str, Any]:
    """Return what holds a share of the images out, where nothing else is for testing."""
    dataset = _built(registry, said)
    if "test" in dataset.splits:
        return {}
    count = _count(dataset)
    if count < LEAST_HELD:
        return {}
    held: dict[str, Any] = {"test_share": HELD_OF_MANY if count >= MANY else HELD}
    if by_class and dataset.image_spec().num_classes:
        held["stratified"] = True
    return held


def _count(dataset: Dataset) -> int:
    from ganbench.util import files

    listing = getattr(dataset, "listing", None)
    if listing:
        return len(listing("train").names)
    return dataset.num_images() or dataset.status(files.data()).images or 0


def _pictures(dataset: Any) -> Pictures:
    """Look at some of the files; those that cannot be read are told of later."""
    from ganbench.util.picture_files import open_picture

    listing = dataset.listing("train")
    step = -(-len(listing.names) // SEEN) or 1
    sides, grey = [], []
    for name in listing.names[::step]:
        try:
            with open_picture(listing.root / name) as picture:
                sides.append(min(picture.size))
                grey.append(_is_grey(picture))
        except (DataError, OSError, ValueError, SyntaxError):  # as Pillow raises of damaged ones
            continue
    if not sides:
        raise DataError(f"{listing.root}: none of its first pictures can be read")
    return Pictures(sorted(sides)[len(sides) // 2], all(grey))


def _is_grey(picture: Any) -> bool:
    import numpy as np

    if picture.mode in ("1", "L", "LA", "I;16", "I", "F"):
        return True
    small = picture.convert("RGBA").resize((THUMB, THUMB))
    values = np.asarray(small, dtype=np.int16)
    seen = values[..., :3][values[..., 3] > 0]
    return bool(not len(seen) or (seen.max(1) - seen.min(1)).max() <= COLOUR)


def _arrays(said: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the options of arrays with a range where theirs is no usual one, and the side."""
    from ganbench.default_plugins.datasets.arrays.choice import chosen
    from ganbench.default_plugins.datasets.arrays.images import DARK, Unsuitable, arranged

    found = chosen(Path(said["path"]), said.get("images"), said.get("labels"))
    try:
        (_, height, width), _ = arranged(found.images.shape, said.get("layout", "auto"))
    except Unsuitable as error:
        raise DataError(f"{found.where}: {error}") from error
    if "range" not in said:
        values = found.images.read()
        low, high = float(values.min()), float(values.max())
        if low >= 0 and 1 < high < DARK:
            said = {**said, "range": [0, int(high) if high.is_integer() else high]}
    return said, min(height, width)


def _border(images: Tensor) -> float:
    """Return the usual value along the edges, from -1 to 1."""
    some = images[:: -(-len(images) // SEEN)].float()
    edges = [some[..., 0, :], some[..., -1, :], some[..., :, 0], some[..., :, -1]]
    middle = sum(float(edge.flatten().median()) for edge in edges) / len(edges)
    return middle if images.dtype.is_floating_point else middle / 127.5 - 1


def named(label: str) -> str:
    """Return a name for a benchmark and its files, of what a user called the data."""
    from ganbench.records.cells import slug

    return slug(Path(label).stem).lower() or "images"
