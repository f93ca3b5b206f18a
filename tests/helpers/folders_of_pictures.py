"""Folders laid out as users have them, with pictures of every kind that Pillow meets in them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Color = str | int | tuple[int, ...]


def picture(path: Path, color: Color, size=(8, 8), mode: str = "RGB", **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **how)


def bricks(folder: Path, count: int = 12) -> None:
    """Grey renderings in one folder below (LEGO bricks, as Kaggle packs them)."""
    for i in range(count):
        values = np.full((40, 40), 60, np.uint8)
        values[8:32, 8 : 12 + i] = 200
        name = f"{3000 + i} brick {1 + i % 3}x{1 + i % 4} {i:03d}L.png"
        path = folder / "dataset" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).convert("RGB").save(path)


def glasses(folder: Path, labels: Iterable[object], latents: int = 3) -> None:
    """`face-1.png`, … in a folder, and train.csv above it (faces with and without glasses)."""
    header = ["id", *(f"v{i}" for i in range(1, latents + 1)), "glasses"]
    lines = [",".join(header)]
    for i, label in enumerate(labels, start=1):
        picture(folder / "faces" / f"face-{i}.png", (i, 0, 0), (16, 16))
        lines.append(",".join([str(i), *["0.25"] * latents, str(label)]))
    (folder / "train.csv").write_text("\n".join(lines) + "\n")


def celeba(folder: Path, faces: Mapping[str, Mapping[str, int]], *, csv: bool = False) -> None:
    """Faces of 178×218 pixels with their attributes, laid out as the authors or as Kaggle do."""
    columns = list(next(iter(faces.values())))
    images = folder / "img_align_celeba"
    images = images / "img_align_celeba" if csv else images
    for i, name in enumerate(faces, start=1):
        picture(images / name, (i, 0, 0), (178, 218), quality=95)
    rows = [[name, *map(str, values.values())] for name, values in faces.items()]
    if csv:
        text = "\n".join(map(",".join, [["image_id", *columns], *rows]))
        (folder / "list_attr_celeba.csv").write_text(text + "\n")
    else:
        text = "\n".join([str(len(faces)), " ".join(columns), *("  ".join(row) for row in rows)])
        (folder / "list_attr_celeba.txt").write_text(text + "\n")


def digits(path: Path, count: int = 40) -> None:
    """Arrays as scikit-learn has its handwritten digits."""
    values = np.random.default_rng(0).integers(0, 17, (count, 8, 8)).astype(np.float64)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=values, labels=np.arange(count) % 10)


def parquet(path: Path, count: int = 200) -> None:
    """Pictures and labels as the columns of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)
    files = [BytesIO() for _ in pixels]
    for file, values in zip(files, pixels, strict=True):
        Image.fromarray(values).save(file, "PNG")
    columns = {"image": [file.getvalue() for file in files], "label": np.arange(count) % 10}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def shipped(folder: Path) -> None:
    """All that the files of benchmarks/ name below `data`, in `folder`."""
    textbook(folder)
    digits(folder / "digits.npz")


def textbook(folder: Path) -> None:
    """All that the files of benchmarks/textbook name below `data`, in `folder`."""
    bricks(folder / "lego-brick-images")
    hair = {f"{i:06d}.jpg": {"Bald": -1, "Blond_Hair": 1 - 2 * (i % 2)} for i in range(1, 21)}
    celeba(folder / "celeba", hair)
    glasses(folder / "glasses", [i % 2 for i in range(8)])
    kaggle = folder / "glasses" / "faces-spring-2020"
    kaggle.mkdir()
    (folder / "glasses" / "faces").rename(kaggle / "faces-spring-2020")


def truncated(path: Path, kind: str) -> None:
    """The first half of a picture of noise."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    """A PNG of a few bytes that says that it is of 30,000×30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def float_values(path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(path)


def wide_values(path: Path) -> None:
    Image.fromarray(np.full((8, 8), 70_000, np.int32)).save(path)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "half.jpg": (lambda path: truncated(path, "JPEG"), "damaged: image file is truncated"),
    "half.png": (lambda path: truncated(path, "PNG"), "damaged: image file is truncated"),
    "half.gif": (lambda path: truncated(path, "GIF"), "damaged: image file is truncated"),
    "half.webp": (lambda path: truncated(path, "WEBP"), "damaged: "),
    "empty.png": (lambda path: path.write_bytes(b""), "empty, 0 bytes"),
    "page.jpg": (
        lambda path: path.write_text("<html>404</html>"),
        "not a picture of a kind that is read here",
    ),
    "bomb.png": (bomb, "more than 178,956,970 pixels, too many to decode"),
    "float.tif": (float_values, "32 bits a value, without a range for black to white"),
    "wide.tif": (wide_values, "32 bits a value, without a range for black to white"),
}
"""Files that give no image: how to make each, and what is said of it."""


def unusable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, _) in UNUSABLE.items():
        make(folder / name)


def _sixteen_bits(value: int) -> Image.Image:
    return Image.fromarray(np.full((8, 8), value, np.uint16))


def _half_clear(mode: str) -> Image.Image:
    return Image.merge("RGBA", [Image.new("L", (8, 8), v) for v in (255, 0, 0, 51)]).convert(mode)


def _palette(path: Path) -> None:
    Image.new("RGB", (8, 8), (10, 200, 30)).quantize(2).save(path)


def _palette_with_a_clear_color(path: Path) -> None:
    indexed = Image.new("P", (8, 8), 1)
    indexed.putpalette([0, 0, 0, 9, 9, 9])
    indexed.save(path, transparency=1)


def _palette_with_clear_colors(path: Path) -> None:
    indexed = Image.new("P", (8, 8), 1)
    indexed.putpalette([0, 0, 0, 255, 0, 0])
    indexed.save(path, transparency=bytes([255, 51]))


def _color_key(path: Path) -> None:
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path, transparency=(1, 2, 3))


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _corrupt_exif(path: Path) -> None:
    Image.new("RGB", (8, 8), "white").save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")


ODD: dict[str, tuple[Callable[[Path], object], tuple[int, int, int], int]] = {
    "grey.png": (lambda p: picture(p, 77, mode="L"), (77, 77, 77), 0),
    "bits.png": (lambda p: picture(p, 1, mode="1"), (255, 255, 255), 0),
    "deep.png": (lambda p: _sixteen_bits(77 * 257).save(p), (77, 77, 77), 0),
    "deep.tif": (lambda p: _sixteen_bits(65_535).save(p), (255, 255, 255), 0),
    "deep.pgm": (lambda p: _sixteen_bits(128 * 257 + 128).save(p), (128, 128, 128), 0),
    "palette.png": (_palette, (10, 200, 30), 0),
    "palette.gif": (_palette, (10, 200, 30), 0),
    "palette-with-a-clear-color.png": (_palette_with_a_clear_color, (255, 255, 255), 0),
    "palette-with-clear-colors.png": (_palette_with_clear_colors, (255, 204, 204), 0),
    "color-key.png": (_color_key, (255, 255, 255), 0),
    "alpha.png": (lambda p: _half_clear("RGBA").save(p), (255, 204, 204), 0),
    "alpha.webp": (lambda p: _half_clear("RGBA").save(p, lossless=True), (255, 204, 204), 0),
    "grey-alpha.png": (lambda p: _half_clear("LA").save(p), (219, 219, 219), 0),
    "cmyk.jpg": (lambda p: picture(p, (0, 255, 255, 0), mode="CMYK"), (255, 0, 0), 2),
    "cmyk.tif": (lambda p: picture(p, (255, 0, 255, 0), mode="CMYK"), (0, 255, 0), 0),
    "luma.jpg": (lambda p: picture(p, (0, 0, 255), (64, 64)), (0, 0, 255), 2),
    "luma.tif": (lambda p: picture(p, (255, 128, 128), mode="YCbCr"), (255, 255, 255), 2),
    "animation.gif": (_animation, (255, 0, 0), 0),
    "animation.webp": (_animation, (255, 0, 0), 4),
    "exif.jpg": (_corrupt_exif, (255, 255, 255), 0),
    "thin.png": (lambda p: picture(p, "lime", (300, 1)), (0, 255, 0), 0),
    "dot.png": (lambda p: picture(p, "lime", (1, 1)), (0, 255, 0), 0),
    "no-picture-by-name.png": (lambda p: picture(p, "red", format="BMP"), (255, 0, 0), 0),
}
"""Files that are pictures all the same: how to make each, the colour it shows, to within what."""
