r"""Plants wrong labels in a data set, and counts how many the small judge suspects first.

    python benchmarks/labels/planted.py faces
    python benchmarks/labels/planted.py mnist --planting 2
    python benchmarks/labels/planted.py train-images-idx3-ubyte.gz \
        -o labels=train-labels-idx1-ubyte.gz

5 % of 4,500 labels become another class's, drawn by --planting. `faces` are drawn: 64×64, of any
colours, half of them with glasses of many shapes, thin or dark.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from PIL import Image, ImageDraw

from ganbench.cli.commands.datasets.chosen import chosen
from ganbench.contracts.images import LabeledImages
from ganbench.evaluation import loading, small_judge
from ganbench.util import files

COUNT, WRONG, SUSPECTS = 4500, 225, 600
SIZE, LARGER = 64, 256  # pixels of a picture, and while it is drawn


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("data", help="faces, or a data set as `ganbench datasets` takes it")
    arguments.add_argument("--planting", type=int, default=1)
    arguments.add_argument("-o", "--option", dest="settings", action="append", default=[])
    given = arguments.parse_args()
    torch.set_num_threads(1)
    data = faces() if given.data == "faces" else some_of(given.data, given.settings)
    assert data.labels is not None
    classes = int(data.labels.max()) + 1
    generator = torch.Generator().manual_seed(given.planting)
    wrong = torch.randperm(len(data), generator=generator)[:WRONG]
    labels = data.labels.clone()
    labels[wrong] += torch.randint(1, classes, (WRONG,), generator=generator)
    planted = LabeledImages(data.images, labels % classes)
    started = time.process_time()
    found = small_judge.doubts(planted, classes, COUNT).suspects
    seconds = time.process_time() - started
    rows = torch.tensor([one.row for one in found])
    hit = torch.isin(rows, wrong)
    right = sum(bool(data.labels[one.row] == one.judged) for one in found[:SUSPECTS])
    print(
        f"{given.data}: {hit[:SUSPECTS].float().sum() / WRONG:.1%} of {WRONG} planted labels are "
        f"among the first {SUSPECTS} suspects of {len(data):,}, {hit[:WRONG].sum() / WRONG:.1%} "
        f"among the first {WRONG}; of {right} suspects the judge names the right class; "
        f"{seconds:.0f} s of one core"
    )


def some_of(name: str, settings: list[str]) -> LabeledImages:
    """Return as many images of a data set, drawn."""
    data = loading.load(chosen(name, settings, ()).dataset, "train", files.data())
    return data.take(torch.randperm(len(data), generator=torch.Generator().manual_seed(5))[:COUNT])


def faces() -> LabeledImages:
    """Return drawn faces; those of class 1 wear glasses."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(COUNT) % 2)
    images = np.stack([face(rng, bool(label)) for label in labels])
    return LabeledImages(
        torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)
    )


def face(rng: np.random.Generator, glasses: bool) -> np.ndarray:
    """Return one picture, (H, W, 3)."""
    background = color(rng, 20, 236)
    page = Image.new("RGB", (LARGER, LARGER), background)
    pen = ImageDraw.Draw(page)
    for _ in range(6):
        x, y, r = rng.integers(0, LARGER), rng.integers(0, LARGER), rng.integers(16, 64)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=color(rng, 0, 256))
    x, y = LARGER / 2 + rng.normal(0, 10, 2)
    wide, high = LARGER * rng.uniform(0.26, 0.36), LARGER * rng.uniform(0.34, 0.44)
    skin = np.array([224, 172, 130]) * rng.uniform(0.35, 1.1) + rng.normal(0, 8, 3)
    hair = color(rng, 10, 160)
    below = y + high * rng.uniform(0.2, 1.1)
    pen.ellipse([x - wide * 1.15, y - high * 1.2, x + wide * 1.15, below], fill=hair)
    pen.ellipse([x - wide, y - high, x + wide, y + high], fill=tuple(map(int, skin.clip(0, 255))))
    level, apart = y - high * rng.uniform(0.1, 0.25), wide * rng.uniform(0.38, 0.5)
    eye = wide * rng.uniform(0.1, 0.16)
    features(rng, pen, (x, y, wide, high), (level, apart, eye), hair)
    if glasses:
        draw_glasses(rng, pen, (x, level, apart, eye, wide))
    page = page.rotate(rng.normal(0, 6), Image.Resampling.BILINEAR, fillcolor=background)
    values = np.asarray(page.resize((SIZE, SIZE), Image.Resampling.LANCZOS), float)
    noise = rng.normal(0, 8, values.shape)
    return (values * rng.uniform(0.7, 1.15) + noise).clip(0, 255).astype(np.uint8)


def features(rng, pen, head, eyes, hair) -> None:
    """Draw eyes, brows, nose and mouth."""
    (x, y, wide, high), (level, apart, eye) = head, eyes
    iris = color(rng, 10, 140)
    for middle in (x - apart, x + apart):
        pen.ellipse([middle - 1.6 * eye, level - eye, middle + 1.6 * eye, level + eye], "#f0f0f0")
        inner = 0.8 * eye
        pen.ellipse([middle - inner, level - inner, middle + inner, level + inner], iris)
        brow = level - eye * rng.uniform(1.8, 2.8)
        thick = int(LARGER * rng.uniform(0.008, 0.025))
        pen.line([middle - 2 * eye, brow, middle + 2 * eye, brow + rng.normal(0, 4)], hair, thick)
    pen.line(
        [x, level + eye, x - wide * 0.1, y + high * 0.25, x + wide * 0.08, y + high * 0.25], hair, 3
    )
    mouth, at = wide * rng.uniform(0.25, 0.5), y + high * 0.5
    box = [x - mouth, at - high * 0.15, x + mouth, at + high * rng.uniform(0.05, 0.2)]
    pen.arc(box, 10, 170, (150, 50, 50), int(LARGER * rng.uniform(0.01, 0.03)))


def draw_glasses(rng, pen, where) -> None:
    """Draw round or square ones, a quarter of them dark."""
    x, level, apart, eye, wide = where
    across, down = apart * rng.uniform(0.62, 0.85), eye * rng.uniform(1.8, 3.2)
    frame, thick = color(rng, 0, 200), max(2, int(LARGER * rng.uniform(0.006, 0.022)))
    draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
    fill = tuple(int(0.4 * v) for v in frame) if rng.random() < 0.25 else None
    for middle in (x - apart, x + apart):
        draw([middle - across, level - down, middle + across, level + down], fill, frame, thick)
    pen.line([x - apart + across, level, x + apart - across, level], frame, thick)
    for side in (-1, 1):
        ear = [x + side * (apart + across), level, x + side * wide, level - eye * 0.3]
        pen.line(ear, frame, thick)


def color(rng: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, 3).tolist())


if __name__ == "__main__":
    main()
