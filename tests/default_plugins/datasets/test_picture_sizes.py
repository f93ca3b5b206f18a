"""Pictures that are blown up, or of which most is cut, are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.folders_of_pictures import picture

from ganbench.default_plugins.datasets.image_folder import ImageFolder


@pytest.fixture
def mess(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    for i in range(4):
        picture(tmp_path / "mess" / f"{i}.png", (i, 0, 0), (20 + i, 30))
    picture(tmp_path / "mess" / "dot.png", "red", (1, 1))
    picture(tmp_path / "mess" / "strip.png", "red", (4000, 20))
    return tmp_path / "mess"


def remarks(folder: Path, **options) -> list[str]:
    data = ImageFolder(path=str(folder), **{"resolution": 64, **options})
    found = data.load("train", Path()).remarks
    assert data.load("train", Path()).remarks == found  # which a second start has noted
    return list(found)


ENLARGED = "1 of 6 pictures is enlarged more than 4 times to 64×64: dot.png of 1×1"


@pytest.mark.parametrize(
    ("crop", "said"),
    [
        ("fit", "crop: fit takes the middle"),
        ("squash", "crop: squash makes squares"),
        ("pad", "crop: pad leaves most of the square empty"),
    ],
)
def test_what_is_enlarged_or_a_strip_is_named(mess, crop, said):
    strip = f"1 of 6 pictures is a strip, of which {said}: strip.png of 4000×20"
    assert remarks(mess, crop=crop) == [ENLARGED, strip]


def test_many_are_counted_and_the_first_named(tmp_path, mess):
    for i in range(4):
        picture(mess / f"small{i}.png", (i, 0, 0), (15, 40))
        picture(mess / f"usual{i}.png", (i, 0, 0), (16, 64))
    enlarged, _ = remarks(mess)
    assert enlarged == (
        "5 of 14 pictures are enlarged more than 4 times to 64×64: dot.png of 1×1, small0.png of "
        "15×40, small1.png of 15×40, …"
    )
    assert not [one for one in remarks(mess, resolution=4) if "enlarged" in one]
    assert len(remarks(mess, crop="pad")) == 2


def test_a_square_that_was_asked_for_is_no_accident(mess):
    (mess / "dot.png").unlink()
    assert remarks(mess, crop_size=10) == []
