"""Data sets to open: whole ones whose bytes were changed at random, and ones that lie on purpose.

Each maker takes a generator and an empty folder, and returns the data set's name and options.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image

Made = tuple[str, dict[str, Any]]
NUMBERS = (0, 1, 2, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, -1, -(2**31))
PICTURES = ("png", "jpg", "gif", "tif", "webp", "bmp", "ppm", "ico", "tga")


def warm() -> None:
    """Make once what takes long."""
    _zeros()


@cache
def _zeros() -> bytes:
    """Return three gigabytes of zeros, packed three times over into few bytes each."""
    return gzip.compress(bytes(2**26)) * 48


def damaged(rng: Generator, content: bytes) -> bytes:
    """Return it with a few changes: bits, bytes, pieces lost, doubled, zeroed or moved."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(len(found) + 1))
        size = int(rng.integers(1, 1 + max(1, len(found) // 8)))
        change = int(rng.integers(7))
        if change == 0 and at < len(found):
            found[at] ^= 1 << int(rng.integers(8))
        elif change == 1:
            found[at : at + 4] = rng.bytes(4)
        elif change == 2:
            del found[at : at + size]
        elif change == 3:
            found[at:at] = found[at : at + size]
        elif change == 4:
            found[at : at + size] = bytes(size)
        elif change == 5:
            packed = struct.pack(_pick(rng, "<>") + "q", min(_pick(rng, NUMBERS), 2**63 - 1))
            found[at : at + 8] = packed
        else:
            del found[at:]
    return bytes(found)


def _pick(rng: Generator, of: Sequence[Any]) -> Any:
    return of[int(rng.integers(len(of)))]


def _images(rng: Generator) -> np.ndarray:
    return rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def _tensor(path: Path, content: bytes, **options: Any) -> Made:
    path.write_bytes(content)
    return "tensor", {"path": str(path), **options}


def _saved(save: Callable[..., Any], *arguments: Any, **named: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, *arguments, **named)
    return stream.getvalue()


def npz(rng: Generator, folder: Path) -> Made:
    """Give an archive of arrays, damaged."""
    labels = _pick(rng, [np.arange(6), np.arange(5), np.eye(6), np.arange(6) / 2, list("abcabc")])
    save = _pick(rng, [np.savez, np.savez_compressed])
    content = _saved(save, images=_images(rng), labels=labels)
    return _tensor(folder / "a.npz", damaged(rng, content))


def npy(rng: Generator, folder: Path) -> Made:
    """Give an array, damaged."""
    values = _images(rng).astype(_pick(rng, ["u1", "f4", "f8", ">i4", "f2"]))
    content = _saved(np.save, values, allow_pickle=False)
    return _tensor(folder / "a.npy", damaged(rng, content))


def _lying_header(rng: Generator) -> bytes:
    shape = ", ".join(str(_pick(rng, NUMBERS)) for _ in range(int(rng.integers(1, 5))))
    descr = _pick(rng, ["|u1", "<f8", "|S0", "<U0", "|V0", "|O", "<f99", "|u1", ">c16"])
    text = _pick(rng, ["{{'descr': '{0}', 'fortran_order': False, 'shape': ({1},), }}", "{0}{1}("])
    header = text.format(descr, shape).ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + bytes(100)


def npy_lies(rng: Generator, folder: Path) -> Made:
    """Give an array whose header claims anything, alone or in an archive that may be packed."""
    content = _lying_header(rng)
    if rng.integers(2):
        return _tensor(folder / "a.npy", content)
    stream = io.BytesIO()
    method = _pick(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("images.npy", content)
        archive.writestr("labels.npy", _lying_header(rng))
    return _tensor(folder / "a.npz", stream.getvalue())


def _torch_values(rng: Generator) -> Any:
    images = torch.from_numpy(_images(rng))
    tangled: list[Any] = [images]
    for _ in range(40):
        tangled = [tangled, tangled]
    deep: Any = images
    for _ in range(400):
        deep = {"a": deep}
    return _pick(
        rng,
        [
            {"images": images, "labels": torch.arange(6)},
            {"images": images, "labels": torch.arange(5).float()},
            images[:1, :1, :1].expand(10**9, 8, 8, 3),
            torch.zeros(1).expand(2**40, 1, 8, 8),
            images.float().to_sparse(),
            torch.empty(10**9, 3, 64, 64, device="meta"),
            tangled,
            deep,
            [list(range(30_000)), images],
            {i: torch.zeros(1) for i in range(11_000)},
            {"images": images.to(torch.complex64)},
            images.bfloat16(),
        ],
    )


def pt(rng: Generator, folder: Path) -> Made:
    """Give tensors of any layout; half of them damaged."""
    new = bool(rng.integers(4))
    content = _saved(
        lambda f: torch.save(_torch_values(rng), f, _use_new_zipfile_serialization=new)
    )
    content = damaged(rng, content) if rng.integers(2) else content
    return _tensor(folder / "a.pt", content)


def idx(rng: Generator, folder: Path) -> Made:
    """Give an IDX file, plain or packed, with sizes that may be lies, and maybe a bomb behind."""
    sizes = [6, 8, 8]
    if rng.integers(2):
        sizes = [min(abs(_pick(rng, NUMBERS)), 2**32 - 1) for _ in range(int(rng.integers(0, 6)))]
    start = bytes([0, 0, _pick(rng, [8, 8, 8, 9, 14, 99]), len(sizes)])
    content = start + struct.pack(f">{len(sizes)}I", *sizes) + rng.bytes(6 * 8 * 8)
    if rng.integers(2):
        return _tensor(folder / "a-idx3-ubyte", damaged(rng, content))
    packed = gzip.compress(content) + (_zeros() if rng.integers(2) else b"")
    packed = damaged(rng, packed) if rng.integers(2) else packed
    return _tensor(folder / "a-idx3-ubyte.gz", packed)


def _picture(rng: Generator, kind: str) -> bytes:
    picture = Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    name = {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind.upper())
    return _saved(picture.save, name)


def _png_of(width: int, height: int, depth: int, color: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _odd_file(rng: Generator, path: Path) -> None:
    odd = int(rng.integers(6))
    if odd == 0:
        os.mkfifo(path)
    elif odd == 1:
        path.mkdir()
    elif odd == 2:
        path.symlink_to(_pick(rng, [path.name, "/dev/zero", "nowhere"]))
    elif odd == 3:
        path.touch()
        os.truncate(path, 2**31)
    elif odd == 4:
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    else:
        sizes = [min(abs(_pick(rng, NUMBERS)), 2**31 - 1) for _ in range(2)]
        depth, color = _pick(rng, [1, 8, 16]), _pick(rng, [0, 2, 3, 6])
        path.write_bytes(_png_of(*sizes, depth, color))


def _fill(rng: Generator, folder: Path, count: int) -> list[str]:
    names = []
    for i in range(count):
        kind = _pick(rng, PICTURES)
        path = folder / f"{i}.{kind}"
        names.append(path.name)
        if rng.integers(5) == 0:
            _odd_file(rng, path)
            continue
        content = _picture(rng, kind)
        path.write_bytes(damaged(rng, content) if rng.integers(3) else content)
    return names


def pictures(rng: Generator, folder: Path) -> Made:
    """Give a folder of pictures of many kinds, most of them damaged, some of them no pictures."""
    (folder / "p").mkdir()
    _fill(rng, folder / "p", 8)
    options = _pick(rng, [{}, {"range": [0, 255]}, {"draft": True}, {"channels": 1, "crop": "pad"}])
    return "image-folder", {"path": str(folder / "p"), "resolution": 8, **options}


def _table(rng: Generator, names: Sequence[str]) -> bytes:
    rows = [
        ["id", "label"],
        *([name, _pick(rng, ["cat", "Cat", "nan", "1", ""])] for name in names),
    ]
    text = "\n".join(map(",".join, rows)).encode()
    odd = int(rng.integers(7))
    if odd == 0:
        return b",".join(b"c%d" % i for i in range(200_000)) + b"\n" + text
    if odd == 1:
        return text + b"\n" + b"x" * 20_000_000
    if odd == 2:
        return text + b'\n"' + b"y" * 2_000_000
    if odd == 3:
        return text.decode().encode(_pick(rng, ["utf-16", "utf-8-sig", "utf-32"]))
    return damaged(rng, text) if odd < 6 else text


def _corrections(rng: Generator) -> bytes:
    texts = [
        b"0.png: cat\n0.png: nan\n",
        b"a: " + b"[" * int(rng.integers(1, 5000)),
        b"{" * 3000,
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        b"!!python/object/apply:os.system [ls]: x\n",
        b"? [a, b]\n: c\n",
        b"a: \xff\xfe\n",
        b"0: 1\n" * 5000,
    ]
    return damaged(rng, _pick(rng, texts)) if rng.integers(2) else _pick(rng, texts)


def csv(rng: Generator, folder: Path) -> Made:
    """Give pictures with a table of their labels, damaged or odd, and maybe corrections."""
    names = _fill(rng, folder, 6)
    (folder / "t.csv").write_bytes(_table(rng, names))
    options = {"path": str(folder), "csv": "t.csv", "pattern": "{id}", "resolution": 8}
    if rng.integers(2):
        (folder / "fix.yaml").write_bytes(_corrections(rng))
        options["relabel"] = "fix.yaml"
    return "image-csv", options


def celeba(rng: Generator, folder: Path) -> Made:
    """Give faces with a list of attributes, damaged."""
    (folder / "img_align_celeba").mkdir()
    for i in range(3):
        (folder / "img_align_celeba" / f"{i}.jpg").write_bytes(_picture(rng, "jpg"))
    first = _pick(rng, ["3", "9" * 5000, "-1", "3" + " " * 100])
    rows = [f"{i}.jpg 1 {2 * (i % 2) - 1}" for i in range(3)]
    text = "\n".join([first, "Bald Male", *rows]).encode()
    listed = folder / "list_attr_celeba.txt"
    if rng.integers(8) == 0:
        os.mkfifo(listed)
    else:
        listed.write_bytes(damaged(rng, text) if rng.integers(3) else text)
    options = {"resolution": 8, "crop_size": None, "attributes": ["Male"], "max_bad": 2}
    return "celeba-attributes", {"path": str(folder), **options}


KINDS: dict[str, Callable[[Generator, Path], Made]] = {
    "npz": npz,
    "npy": npy,
    "npy-lies": npy_lies,
    "pt": pt,
    "idx": idx,
    "pictures": pictures,
    "csv": csv,
    "celeba": celeba,
}
