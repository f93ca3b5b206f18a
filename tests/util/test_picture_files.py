"""Pictures of the usual kinds are opened, whatever their names; others, and bombs, are refused."""

from __future__ import annotations

from io import BytesIO

import pytest
from helpers.folders_of_pictures import bomb
from PIL import Image

from ganbench import DataError, open_picture
from ganbench.util import picture_files


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP", "ICO", "TGA"])
def test_usual_kinds_are_opened(kind):
    stream = BytesIO()
    Image.new("RGB", (16, 16), "lime").save(stream, kind)
    stream.seek(0)
    with open_picture(stream) as found:
        assert found.size == (16, 16)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "SPIDER"])
def test_other_kinds_are_refused(kind):
    stream = BytesIO()
    Image.new("F" if kind == "SPIDER" else "RGB", (16, 16)).save(stream, kind)
    stream.seek(0)
    with pytest.raises(DataError, match="not a picture of a kind that is read here"):
        open_picture(stream)


def test_bombs_are_refused_also_where_a_program_lifted_the_limit(tmp_path, monkeypatch):
    bomb(tmp_path / "a.png")
    for limit in (Image.MAX_IMAGE_PIXELS, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match=f"more than {picture_files.MOST_PIXELS:,} pixels"):
            open_picture(tmp_path / "a.png")
