r"""Draws pictures in the layouts of the textbooks' data sets, for readers who have not got them.

    python benchmarks/textbook/draw.py bricks data/lego-brick-images
    python benchmarks/textbook/draw.py bricks bricks --folders     # a folder for each kind of brick
    python benchmarks/textbook/draw.py celeba data/celeba
    python benchmarks/textbook/draw.py glasses data/glasses --wrong 0.05

Bricks are grey and turned; faces are round, with hair, smiles and glasses that vary, and nobody's.
The same --seed draws the same pictures. The ids of labels that --wrong made wrong are listed, with
the right labels, in wrong_labels.csv.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ATTRIBUTES = ("Blond_Hair", "Eyeglasses", "Smiling")  # in the order of CelebA's file
SHARES = (0.4, 0.2, 0.5)
KINDS = ((1, 1), (1, 2), (2, 2), (2, 3), (2, 4))  # studs of a brick, across and along


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("what", choices=("bricks", "celeba", "glasses"))
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--count", type=int, default=4500, help="pictures (4500)")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--folders", action="store_true", help="bricks: one for each kind")
    arguments.add_argument("--wrong", type=float, default=0.0, help="glasses: share of labels")
    given = arguments.parse_args()
    if given.folder.exists() and any(given.folder.iterdir()):
        arguments.error(f"{given.folder} is not empty; name another folder")
    if given.count < 1 or not 0 <= given.wrong <= 1:
        arguments.error("--count must be positive, and --wrong a share from 0 to 1")
    rng = np.random.default_rng(given.seed)
    if given.what == "bricks":
        draw_bricks(rng, given.folder, given.count, given.folders)
    elif given.what == "celeba":
        draw_celeba(rng, given.folder, given.count)
    else:
        draw_glasses(rng, given.folder, given.count, given.wrong)
    print(f"{given.count:,} pictures are in {given.folder}")


def draw_bricks(rng: np.random.Generator, folder: Path, count: int, folders: bool) -> None:
    """All in the folder `dataset`, or in a folder for each kind."""
    for i in range(count):
        across, along = KINDS[i % len(KINDS)]
        kind = f"brick {across}x{along}"
        name = f"{i:05d}.png" if folders else f"{kind} {i:05d}.png"
        path = folder / (kind if folders else "dataset") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        brick(rng, across, along).save(path)


def draw_celeba(rng: np.random.Generator, folder: Path, count: int) -> None:
    """As its authors lay it out: img_align_celeba and list_attr_celeba.txt."""
    pictures = folder / "img_align_celeba"
    pictures.mkdir(parents=True)
    lines = [str(count), " ".join(ATTRIBUTES)]
    for i in range(1, count + 1):
        blond, glasses, smiling = has = rng.random(3) < SHARES
        face(rng, (178, 218), blond, glasses, smiling).save(pictures / f"{i:06d}.jpg", quality=92)
        lines.append("  ".join([f"{i:06d}.jpg", *("1" if one else "-1" for one in has)]))
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n", "utf-8")


def draw_glasses(rng: np.random.Generator, folder: Path, count: int, wrong: float) -> None:
    """As Kaggle packs them: train.csv with columns `id` and `glasses`, and the pictures below."""
    pictures = folder / "faces-spring-2020" / "faces-spring-2020"
    pictures.mkdir(parents=True)
    right = rng.permutation(np.arange(count) % 2)
    said = right.copy()
    planted = np.sort(rng.permutation(count)[: round(wrong * count)])
    said[planted] = 1 - right[planted]
    for i in range(count):
        blond, smiling = rng.random(2) < (SHARES[0], SHARES[2])
        face(rng, (256, 256), blond, bool(right[i]), smiling).save(pictures / f"face-{i + 1}.png")
    write_labels(folder / "train.csv", range(count), said)
    if len(planted):
        write_labels(folder / "wrong_labels.csv", planted, right)


def write_labels(path: Path, rows, labels: np.ndarray) -> None:
    """Write the ids of these rows, counted from 1, with their labels."""
    with path.open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file)
        written.writerow(["id", "glasses"])
        written.writerows([i + 1, labels[i]] for i in rows)


def brick(rng: np.random.Generator, across: int, along: int) -> Image.Image:
    """Return a brick seen from above one corner, 256×256 and grey."""
    page = Image.new("L", (256, 256), 24)
    pen = ImageDraw.Draw(page)
    turn, rise = rng.uniform(0, 2 * math.pi), rng.uniform(0.55, 0.75)
    light = rng.uniform(0.85, 1.1)
    cos, sin, high = math.cos(turn), math.sin(turn), 1.2

    def at(x: float, y: float, z: float) -> tuple[float, float]:
        x, y = x - across / 2, y - along / 2
        depth = sin * x + cos * y
        return 128 + 44 * (cos * x - sin * y), 140 + 44 * (rise * depth - 0.8 * z)

    corners = [(0, 0), (across, 0), (across, along), (0, along)]
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if sin * (y1 - y0) - cos * (x1 - x0) > 0:  # this side looks at us
            shade = 95 + 50 * (cos * (y1 - y0) + sin * (x1 - x0)) / math.hypot(x1 - x0, y1 - y0)
            wall = [at(x0, y0, 0), at(x1, y1, 0), at(x1, y1, high), at(x0, y0, high)]
            pen.polygon(wall, int(light * shade))
    pen.polygon([at(x, y, high) for x, y in corners], int(light * 185))
    studs = [(x + 0.5, y + 0.5) for x in range(across) for y in range(along)]
    for x, y in sorted(studs, key=lambda stud: sin * stud[0] + cos * stud[1]):
        stud(pen, at(x, y, high), at(x, y, high + 0.22), 44 * 0.3, rise, light)
    return page


def stud(pen, low, top, radius: float, rise: float, light: float) -> None:
    """Draw a knob: its wall, and its top."""
    (x, below), (_, above), deep = low, top, radius * rise
    pen.ellipse([x - radius, below - deep, x + radius, below + deep], int(light * 110))
    pen.rectangle([x - radius, above, x + radius, below], int(light * 110))
    pen.ellipse([x - radius, above - deep, x + radius, above + deep], int(light * 225))


def face(rng, size: tuple[int, int], blond: bool, glasses: bool, smiling: bool) -> Image.Image:
    """Return a face from the front, drawn twice as large."""
    (width, height), paper = size, tuple(rng.integers(90, 200, 3).tolist())
    page = Image.new("RGB", (2 * width, 2 * height), paper)
    pen = ImageDraw.Draw(page)
    x, y = width + width * rng.normal(0, 0.04), 1.05 * height + height * rng.normal(0, 0.03)
    wide, high = width * rng.uniform(0.56, 0.66), height * rng.uniform(0.66, 0.76)
    skin = np.array([228, 180, 145]) * rng.uniform(0.55, 1.05)
    hair = np.array([235, 205, 110]) if blond else np.array([70, 45, 30])
    hair = shaded(hair * rng.uniform(0.75, 1.1))
    below = y + high * rng.uniform(0.3, 1.0)
    pen.ellipse([x - 1.25 * wide, y - 1.25 * high, x + 1.25 * wide, below], hair)
    pen.ellipse(around(x, y, wide, high), shaded(skin))
    pen.chord(around(x, y - 0.05 * high, 1.02 * wide, 1.02 * high), 205, 335, hair)
    apart, level, eye = 0.42 * wide, y - 0.1 * high, 0.15 * wide
    iris = shaded(rng.integers(20, 120, 3))
    for middle in (x - apart, x + apart):
        pen.ellipse(around(middle, level, 1.5 * eye, eye), (240, 240, 240))
        pen.ellipse(around(middle, level, 0.8 * eye, 0.9 * eye), iris)
    nose = [x, level + eye, x - 0.1 * wide, y + 0.25 * high, x, y + 0.27 * high]
    pen.line(nose, shaded(0.7 * skin), 4)
    mouth(pen, (x, y + 0.52 * high), 0.38 * wide, 0.2 * high, smiling)
    if glasses:
        frames(rng, pen, (x, level), apart, wide)
    return page.resize(size, Image.Resampling.LANCZOS)


def mouth(pen, middle, half: float, deep: float, smiling: bool) -> None:
    """Draw an open mouth that smiles, or a straight one."""
    x, y = middle
    if smiling:
        pen.chord(around(x, y - deep / 2, half, deep), 0, 180, (150, 40, 50))
    else:
        pen.ellipse(around(x, y, 0.7 * half, 0.25 * deep), (165, 70, 70))


def frames(rng, pen, middle, apart: float, wide: float) -> None:
    """Draw round or square glasses, thick and dark, some of them sunglasses."""
    x, y = middle
    rim, thick = shaded(rng.integers(0, 60, 3)), int(rng.uniform(0.06, 0.1) * wide)
    across, down = apart * rng.uniform(0.75, 0.85), apart * rng.uniform(0.55, 0.8)
    draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
    glass = rim if rng.random() < 0.25 else None
    for eye in (x - apart, x + apart):
        draw(around(eye, y, across, down), glass, rim, thick)
    pen.line([x - apart + across, y, x + apart - across, y], rim, thick)
    for side in (-1, 1):
        pen.line([x + side * (apart + across), y, x + side * wide, y], rim, thick)


def around(x: float, y: float, across: float, down: float) -> list[float]:
    return [x - across, y - down, x + across, y + down]


def shaded(color) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(color, 0, 255))


if __name__ == "__main__":
    main()
