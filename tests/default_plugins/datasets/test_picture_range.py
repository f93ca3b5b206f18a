"""Which values are black and white: of dark arrays, and of pictures with few of 16 bits."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers import folders_of_pictures
from PIL import EpsImagePlugin, Image

from ganbench import DataError
from ganbench.contracts.options import counted_options
from ganbench.default_plugins.datasets.image_files.decoding import Preparation, Unusable, decode
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.tensor import Tensors
from ganbench.evaluation.loading import load

DIGITS = (np.arange(4 * 64) % 17).reshape(4, 8, 8)  # of 0 to 16, as scikit-learn's are


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint16, np.uint8])
@pytest.mark.parametrize("add", [0, 0.5])
def test_dark_arrays_are_not_taken_for_0_to_255(tmp_path, dtype, add):
    values = np.minimum(DIGITS.astype(dtype) + np.array(add, dtype), 16).astype(dtype)
    path = str(tmp_path / "a.npy")
    np.save(path, values)
    with pytest.raises(
        DataError, match=r"no value is above 16.* give range: \[0, 16\] where 16 is"
    ):
        Tensors(path=path).load("train", Path())
    meant = Tensors(path=path, range=(0, 16)).load("train", Path()).images.numpy()[:, 0]
    assert (meant == np.rint(values.astype(float) / 16 * 255)).all()
    dark = Tensors(path=path, range=(0, 255)).load("train", Path()).images.numpy()[:, 0]
    assert (dark == np.rint(values.astype(float))).all()


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_arrays_that_may_be_dark_are_taken(tmp_path, dtype):
    np.save(tmp_path / "a.npy", (DIGITS * 4).astype(dtype))
    found = load(Tensors(path=str(tmp_path / "a.npy")), "train", Path())
    assert found.images.max() == 64
    assert "the brightest value of its images is 64 of 255" in found.remarks[0]


PLAIN = {
    "resolution": 8,
    "channels": 1,
    "crop": "fit",
    "crop_size": None,
    "filter": "box",
    "background": "white",
}


def decoded(picture: Image.Image, kind: str = "PNG", **how) -> np.ndarray:
    stream = BytesIO()
    picture.save(stream, kind)
    preparation = Preparation(**{**PLAIN, **how})
    found = np.frombuffer(decode(stream.getvalue(), preparation).values, np.uint8)
    return found.reshape(preparation.channels, 8, 8)


def of(value: float, dtype) -> Image.Image:
    return Image.fromarray(np.full((8, 8), value, dtype))


@pytest.mark.parametrize(
    ("picture", "kind", "scale", "expected"),
    [
        (of(4095, np.uint16), "PNG", (0, 4095), 255),
        (of(2047, np.uint16), "PNG", (0, 4095), 127),
        (of(2047, np.uint16), "TIFF", (4095, 0), 128),
        (of(0.5, np.float32), "TIFF", (0, 1), 128),
        (of(70_000, np.int32), "TIFF", (0, 140_000), 128),
        (of(15, np.uint8), "PNG", (0, 15), 255),
        (Image.new("RGB", (8, 8), (15, 15, 15)), "PNG", (0, 30), 128),
    ],
)
def test_range_says_what_is_white(picture, kind, scale, expected):
    assert (decoded(picture, kind, range=scale) == expected).all()
    assert (decoded(picture, kind, range=scale, channels=3) == expected).all()


def test_values_outside_of_the_range_make_a_picture_unusable():
    for value, dtype in ((5000, np.uint16), (np.nan, np.float32)):
        kind = "TIFF" if dtype == np.float32 else "PNG"
        with pytest.raises(Unusable, match=r"outside of range \[0, 4095\]"):
            decoded(of(value, dtype), kind, range=(0, 4095))


def remarks(folder: Path, **options) -> tuple[str, ...]:
    options = {"path": str(folder), "resolution": 8, "channels": 1, **options}
    found = load(ImageFolder(**options), "train", Path()).remarks
    return tuple(remark for remark in found if "exactly like" not in remark)  # plain ones are


def test_a_folder_of_twelve_bits_is_remarked_on(tmp_path):
    for i in range(3):
        of(4000 + i, np.uint16).save(tmp_path / f"{i}.png")
    for _ in range(2):  # decoded now, and at an earlier start
        why, looks = remarks(tmp_path)
        assert why == (
            "3 of 3 pictures have 16 bits a value and none above 4,002 of 65,535, which is nearly "
            "black; where 4,095 is white, give range: [0, 4095]"
        )
        assert looks.startswith("the brightest value of its images is 16 of 255, which is nearly b")
    scaled = load(
        ImageFolder(path=str(tmp_path), resolution=8, channels=1, range=(0, 4095)), "train", Path()
    )
    assert remarks(tmp_path, range=(0, 4095)) == ()
    assert scaled.images.min() == 249


def test_pictures_of_few_bits_among_others_are_remarked_on(tmp_path):
    of(1000, np.uint16).save(tmp_path / "0.png")
    of(200, np.uint8).save(tmp_path / "1.png")
    remark, *_ = remarks(tmp_path)
    assert remark.startswith("1 of 2 pictures have 16 bits a value and none above 1,000 of 65,535")
    assert remark.endswith(
        "give range: [0, 1023]; save the others alike before, as range is of all"
    )
    remark, *_ = remarks(tmp_path, range=(0, 1023))
    assert remark == (
        "1 of 2 pictures have 8 bits a value, and range [0, 1023] is of all: they come out dark; "
        "save all alike"
    )
    of(60_000, np.uint16).save(tmp_path / "1.png")
    remark, *_ = remarks(tmp_path)
    assert remark.startswith("1 of 2 pictures have 16 bits a value and none above 1,000 of 65,535")


@pytest.mark.parametrize(
    ("values", "dtype"), [((90, 100), np.uint8), ((60_000, 20_000), np.uint16), ((0, 0), np.uint8)]
)
def test_pictures_that_may_well_be_meant_so_are_not_told_of_bits(tmp_path, values, dtype):
    for i, value in enumerate(values):
        of(value, dtype).save(tmp_path / f"{i}.png")
    assert not [remark for remark in remarks(tmp_path) if "bits" in remark]
    assert not remarks(tmp_path) or max(values) == 0


def test_sixteen_bits_in_color_of_which_eight_are_read_are_seen(tmp_path):
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    pixels = (b"\0" + struct.pack(">H", 4000) * 24) * 8
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    content += chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    assert "1 of 1 pictures have 16 bits a value and none above 3,855" in remarks(tmp_path)[0]


def test_new_options_count_only_where_they_are_set(tmp_path):
    plain = ImageFolder(path=str(tmp_path))
    assert not {"range", "draft"} & {*counted_options(plain), *plain.protocol()}
    assert not {"range", "draft"} & {*plain.preparation().key()}
    asked = ImageFolder(path=str(tmp_path), range=(0, 4095), draft=True)
    sixteen = [dataset.protocol()["16_bits"] for dataset in (plain, asked)]
    assert sixteen == ["divided by 257", "by range"]
    for counted in (counted_options(asked), asked.protocol(), asked.preparation().key()):
        assert {"range", "draft"} <= {*counted}


@pytest.mark.parametrize(
    "options", [{"range": (3, 3)}, {"draft": True, "crop_size": 100}], ids=["range", "draft"]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match=r"two different values|exclude each other"):
        ImageFolder(path=".", **options)


def test_drafts_of_jpegs_are_nearly_the_same_pictures():
    y, x = np.mgrid[:400, :600] / 100
    waves = Image.fromarray(np.uint8(127 + 60 * np.sin(3 * x) + 60 * np.cos(2 * y + x)))
    whole, draft = (
        decoded(waves, "JPEG", filter="lanczos", draft=asked).astype(int) for asked in (False, True)
    )
    assert 0 < abs(whole - draft).mean() < 2
    assert abs(whole - draft).max() < 10
    small = waves.resize((15, 15))  # of which no fraction is large enough
    assert (decoded(small, "JPEG", draft=True) == decoded(small, "JPEG")).all()


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(ran) print
showpage
%%EOF
"""


def test_no_picture_starts_another_program(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    ran = tmp_path / "ran"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # which is looked for once a process
    below = tmp_path / "pictures"
    folders_of_pictures.picture(below / "b.png", "white")
    (below / "a.png").write_bytes(EPS)
    with pytest.raises(OSError, match="cannot identify"), Image.open(below / "a.png") as picture:
        picture.load()  # the program's output, which is none
    assert ran.exists(), "where all kinds are opened, it starts the program"
    ran.unlink()
    found = load(ImageFolder(path=str(below), resolution=8), "train", Path())
    assert found.problems == ("a.png: not a picture of a kind that is read here",)
    assert not ran.exists()
