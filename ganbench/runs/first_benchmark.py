"""A first benchmark of somebody's own images, of a size that this machine finishes in minutes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.records.cells import Cell
from ganbench.registry.registry import Registry
from ganbench.training.time_estimate import Estimate, Estimator
from ganbench.util import machine

LARGEST, SMALLEST, STARTED = 64, 28, 32  # sides in pixels: STARTED is what smaller images become
WIDTHS = (64, 32, 16)  # of the networks, next to the image
ENOUGH = {64: 400, 32: 60, 16: 0}  # kimg that a width is worth it for
MOST_KIMG = 1000
TRAINED = 0.7  # of the time; the rest is for starts, samples and metrics
BATCH = 64
AUGMENTED = 5000  # images; of fewer, D learns each by heart
OF_A_CLASS = 8  # images on average, from which labels tell anything
SAMPLES = (200, 2000)  # at least and at most


@dataclass(frozen=True)
class Look:
    """What somebody's images are like."""

    name: str  # for the benchmark and its files
    source: str  # what it was made from, for people
    dataset: Mapping[str, Any]  # the `dataset:` of a benchmark file, without a size
    side: int  # of the pictures as they are, or a typical one
    sized: bool  # whether the data set can be asked for another size
    train: int
    test: int
    classes: int
    border: float  # the usual value at the images' edges, from -1 (black) to 1
    remarks: tuple[str, ...] = ()
    file: str | None = None  # that the benchmark is written to; None: by its name
    plugins: tuple[str, ...] = ()  # that it is run with


@dataclass(frozen=True)
class Choice:
    """What is decided by measuring."""

    side: int
    width: int
    kimg: float


@dataclass(frozen=True)
class First:
    """A benchmark file's text, and what was decided in it."""

    text: str
    choice: Choice
    minutes: float  # that it is expected to take


def written(look: Look, registry: Registry, *, minutes: float, device: str) -> First:
    """Return the largest benchmark that takes about so many minutes on this device.

    Raises ConfigError where no network here can make such images.
    """
    seconds = 60 * minutes * TRAINED
    estimator = Estimator(registry, device, machine.cores(), are_small=True)
    choice, estimate = None, None
    for tried in _candidates(look):
        cell = _cell(look, registry, tried, device)
        estimate = estimator.estimate(cell)
        assert estimate
        choice = replace(tried, kimg=_kimg(seconds, cell, estimate))
        if choice.kimg >= ENOUGH[tried.width]:
            break
    assert choice
    assert estimate
    trained = 1000 * choice.kimg * estimate.per_image / TRAINED / 60
    return First(text(look, choice, trained), choice, trained)


def sides(side: int, sized: bool = True) -> list[int]:
    """Return the sizes to try of pictures of this one, the largest first."""
    if not sized:
        return [side]
    if side < SMALLEST:
        return [STARTED]
    largest = min(LARGEST, side)
    return [largest, STARTED] if largest > 1.25 * STARTED else [largest]


def _candidates(look: Look) -> Iterator[Choice]:
    """Yield what to try: a smaller network before a smaller image, as far as that helps."""
    tried = sides(look.side, look.sized)
    for side in tried:
        last = side == tried[-1]
        for width in WIDTHS:
            if width > WIDTHS[-1] or last:
                yield Choice(side, width, 1.0)


def _kimg(seconds: float, cell: Cell, estimate: Estimate) -> float:
    """Return a budget of two digits that takes so long, and at least an iteration."""
    left = max(0.1 * seconds, seconds - cell.num_samples * estimate.per_sample)
    found = min(MOST_KIMG, left / estimate.per_image / 1000)
    return max(1.0, float(f"{found:.2g}"))


def _cell(look: Look, registry: Registry, choice: Choice, device: str) -> Cell:
    found = text(look, choice, 0)
    asked = benchmark_file.parse(Document.parse(found, f"{look.name}.yaml"), registry)
    (cell,) = plan.make(asked, registry, device=device).cells
    return cell


def text(look: Look, choice: Choice, minutes: float) -> str:
    """Return the benchmark file, with the reason of each line that was chosen."""
    return "\n".join(
        [
            *_head(look, minutes),
            *_data(look, choice),
            *_networks(look, choice),
            *_augmentation(look),
            *_training(look, choice, minutes),
            *_evaluation(look),
            "",
        ]
    )


def _head(look: Look, minutes: float) -> Iterator[str]:
    yield f"# A first benchmark of {look.source}, written by `ganbench new`: change any line."
    yield f"# About {minutes:.0f} minutes on the machine that wrote it. Look at the data, train,"
    yield "# and draw new images:"
    yield "#"
    for command in commands(look.name, look.file, look.plugins):
        yield f"#   {command}"
    for remark in look.remarks:
        yield f"# Note: {remark}"
    yield "version: 1"
    yield f"name: {json.dumps(look.name)}"
    yield "seeds: [0]  # a second seed shows what is luck: [0, 1]"


def commands(name: str, file: str | None = None, plugins: Sequence[str] = ()) -> list[str]:
    """Return the commands that follow, in their order."""
    file = shlex.quote(file or f"{name}.yaml")
    named = "".join(f" --plugin {shlex.quote(plugin)}" for plugin in plugins)
    return [
        f"ganbench datasets preview {file} --out {name}-data.png",
        f"ganbench run {file} --out {name}-run{named}",
        f"ganbench sample {name}-run -n 64 --out {name}-samples.png",
    ]


def _data(look: Look, choice: Choice) -> Iterator[str]:
    counted = f"{look.train:,} images to train on"
    counted += f", {look.test:,} held out" if look.test else ", none held out"
    yield f"dataset:  # {counted}"
    said = dict(look.dataset)
    if look.sized:
        said["resolution"] = choice.side
    for key, value in said.items():
        told = value if key == "name" else json.dumps(value, ensure_ascii=False)
        yield f"  {key}: {told}{_why(key, look, choice)}"


def _why(key: str, look: Look, choice: Choice) -> str:
    reasons = {
        "resolution": f"pixels; theirs are about {look.side}; twice as many take 4 times as long",
        "channels": "grey" if look.dataset.get("channels") == 1 else "colour",
        "test_share": "what real images reach is the table's first row",
        "range": "the values of black and white: the largest that there is is taken for white",
        "max_bad": "so many files cannot be used, and are skipped",
    }
    return f"  # {reasons[key]}" if key in reasons else ""


def _networks(look: Look, choice: Choice) -> Iterator[str]:
    yield f"architecture: {{name: dcgan, width: {choice.width}, init_std: null}}"
    if asks_classes(look):
        yield f"conditioning: projection  # G is asked for one of {look.classes:,} classes"
    elif look.classes:
        yield f"conditioning: none  # too few images of each of {look.classes:,} classes for more"
    else:
        yield "conditioning: none  # there are no labels"
    yield "loss: bce"


def asks_classes(look: Look) -> bool:
    """Whether there are classes, with images enough to learn them from."""
    return look.classes > 1 and look.train >= OF_A_CLASS * look.classes


def _augmentation(look: Look) -> Iterator[str]:
    if look.train >= AUGMENTED:
        return
    fill = max((-1, 0, 1), key=lambda value: -abs(value - look.border))
    yield "# Few images: D would learn each by heart, and so sees all moved and with a hole."
    yield f"transforms: [{{name: translation-cutout, fill: {fill}}}]"


def _training(look: Look, choice: Choice, minutes: float) -> Iterator[str]:
    epochs = 1000 * choice.kimg / look.train
    yield "training:"
    yield f"  batch_size: {min(BATCH, 2 ** (look.train.bit_length() - 1))}"
    yield f"  budget: {{kimg: {choice.kimg:g}}}  # thousand images shown to D: {epochs:,.3g} epochs"
    yield "  g_lr: 2e-3  # rates and averages of G's weights for so short a training"
    yield "  d_lr: 1e-3"
    yield "  betas: [0.5, 0.99]"
    yield "  ema: 0.999"


def _evaluation(look: Look) -> Iterator[str]:
    count = min(max(look.test or look.train, SAMPLES[0]), SAMPLES[1])
    yield "evaluation:"
    yield f"  num_samples: {count}"
    yield "  metrics:"
    yield "    - fid@random-conv"
    yield "    # coverage: the share of real images that a sample comes near"
    yield "    - {name: density-coverage, features: random-conv}"
    yield "    # nearest.png: samples beside the nearest training images"
    yield "    - {name: memorization, features: random-conv}"
    yield "    - throughput"
