"""Pictures of every kind, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.folders_of_pictures import ODD, UNUSABLE, unusable
from PIL import Image

from ganbench import DataError, LabeledImages
from ganbench.default_plugins.datasets.image_files.decoding import Preparation, Unusable, decode
from ganbench.default_plugins.datasets.image_folder import ImageFolder

PLAIN = Preparation(
    resolution=8, channels=3, crop="fit", crop_size=None, filter="lanczos", background="white"
)


def decoded(picture: Image.Image | bytes, **how) -> np.ndarray:
    content = picture if isinstance(picture, bytes) else saved(picture)
    chosen = replace(PLAIN, **how)
    shape = (chosen.channels, chosen.resolution, chosen.resolution)
    return np.frombuffer(decode(content, chosen).values, np.uint8).reshape(shape)


def saved(picture: Image.Image, kind: str = "PNG", **how) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **how)
    return stream.getvalue()


def loaded(folder: Path, **options) -> LabeledImages:
    return ImageFolder(path=str(folder), **{"resolution": 8, **options}).load("train", folder)


@pytest.mark.parametrize("name", ODD)
def test_odd_file_shows_its_color(tmp_path, name):
    make, color, tolerance = ODD[name]
    make(tmp_path / name)
    found = loaded(tmp_path)
    assert found.problems == ()
    expected = torch.tensor(color, dtype=torch.float).view(1, 3, 1, 1)
    assert (found.images.float() - expected).abs().max() <= tolerance


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_file_is_named_with_the_reason(tmp_path, name):
    make, why = UNUSABLE[name]
    make(tmp_path / name)
    Image.new("RGB", (8, 8), "white").save(tmp_path / "white.png")
    found = loaded(tmp_path)
    assert len(found) == 1
    (problem,) = found.problems
    assert problem.startswith(f"{name}: {why}")


def test_nothing_usable_is_an_error_whatever_max_bad(tmp_path):
    unusable(tmp_path)
    with pytest.raises(DataError, match=r"9 of 9 pictures cannot be used:\n  bomb\.png: more") as e:
        loaded(tmp_path, max_bad=100)
    assert "max_bad is" not in str(e.value)


@pytest.mark.parametrize(("background", "value"), [("white", 204), ("black", 0)])
def test_background_shows_through(background, value):
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 51))
    red, green, _ = decoded(clear, background=background)[:, 0, 0]
    assert (red, green) == (255 if background == "white" else 51, value)


def test_sixteen_bits_are_rounded_to_the_nearest_of_eight():
    every = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    found = decoded(Image.fromarray(every), channels=1, resolution=256)[0].reshape(-1)
    assert (found == np.rint(np.arange(65_536) / 257)).all()


@pytest.mark.parametrize(("channels", "pixel"), [(3, [76, 150, 29]), (1, [119])])
def test_channels_are_those_asked_for(channels, pixel):
    assert decoded(Image.new("RGB", (8, 8), (76, 150, 29)), channels=channels)[
        :, 3, 3
    ].tolist() == (pixel if channels == 3 else [round(0.299 * 76 + 0.587 * 150 + 0.114 * 29)])


def striped(width: int = 32, height: int = 8) -> Image.Image:
    """Red in the middle, black beside it."""
    found = Image.new("RGB", (width, height), "black")
    middle = (width - height) // 2
    found.paste((255, 0, 0), (middle, 0, middle + height, height))
    return found


def test_fit_cuts_the_longer_side():
    assert (decoded(striped())[0] == 255).all()


def test_squash_keeps_all_of_the_picture():
    red = decoded(striped(), crop="squash", filter="box")[0]
    assert red[0].tolist() == [0, 0, 0, 255, 255, 0, 0, 0]


def test_pad_fills_the_shorter_side_with_the_background():
    red, green, _ = decoded(striped(), crop="pad", filter="box")
    assert green[:, 0].tolist() == [255, 255, 255, 0, 0, 255, 255, 255]
    assert red[3].tolist() == [0, 0, 0, 255, 255, 0, 0, 0]


def test_middle_is_cut_before_resizing():
    face = Image.new("L", (178, 218), 0)
    face.paste(255, (19, 39, 19 + 140, 39 + 140))
    assert (decoded(face, crop_size=140, resolution=64) == 255).all()
    outer = decoded(face, crop_size=142, resolution=142, channels=1)[0]
    assert outer[0].tolist() == [0] * 142
    assert outer[1].tolist() == [0, *[255] * 140, 0]


def test_picture_smaller_than_the_crop_is_unusable():
    with pytest.raises(Unusable, match="178×100 pixels, smaller than crop_size 140"):
        decoded(Image.new("RGB", (178, 100)), crop_size=140)


@pytest.mark.parametrize("name", ["lanczos", "bicubic", "bilinear", "box"])
def test_every_filter_is_antialiased(name):
    """Stripes of one pixel become grey, where picking pixels would leave them black or white."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    found = decoded(Image.fromarray(stripes), filter=name, resolution=8, channels=1)
    assert (abs(found[0, :, 1:-1].astype(int) - 127.5) < 8).all()


@pytest.mark.parametrize(("orientation", "lit"), [(1, "top"), (3, "bottom"), (6, "right")])
def test_pictures_are_turned_as_their_camera_says(orientation, lit):
    shot = Image.new("RGB", (8, 8), "black")
    shot.paste("white", (0, 0, 8, 4))  # the upper half, as the sensor saw it
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decoded(saved(shot, exif=exif))[0]
    halves = {"top": found[:4], "bottom": found[4:], "right": found[:, 4:]}
    assert (halves[lit] == 255).all()
    assert found.mean() == 127.5


def test_protocol_tells_what_numbers_depend_on():
    first = PLAIN.protocol()
    assert first["filter"] == "lanczos, antialiased"
    for option, value in {"crop": "pad", "crop_size": 9, "filter": "box"}.items():
        assert replace(PLAIN, **{option: value}).protocol() != first
