"""progress.gif: the same latents at growing parts of a training, also of one that was killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench import Mixture
from ganbench.pictures import ProgressFrames, draw_grid, points, progress
from ganbench.pictures.progress import HEADER, HELD, MILLISECONDS, WIDEST


def shades(value: int, channels: int = 1, size: int = 8, count: int = 4) -> torch.Tensor:
    return torch.full((count, channels, size, size), value, dtype=torch.uint8)


def noise(channels: int, size: int, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(256, (count, channels, size, size), generator=generator)
    return values.to(torch.uint8)


def shown(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """The frames (H, W, 3), and how long each is shown."""
    frames, milliseconds = [], []
    with Image.open(path) as picture:
        assert picture.format == "GIF"
        assert picture.info["loop"] == 0
        for i in range(picture.n_frames):
            picture.seek(i)
            frames.append(np.array(picture.convert("RGB")))
            milliseconds.append(picture.info["duration"])
    return frames, milliseconds


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("total", "expected"), [
    (100_000, [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 100_000]),
    (1000, [10, 20, 40, 80, 160, 320, 640, 1000]),
    (50, [1, 2, 4, 8, 16, 32, 50]),
    (2, [1, 2]),
    (1, [1]),
])  # fmt: skip
def test_frames_double_up_to_the_whole_budget(total, expected):
    assert points(total) == expected


def test_gif_shows_the_frames_in_order_and_holds_the_last(tmp_path):
    frames = ProgressFrames(tmp_path, columns=2)
    for kimg, shade in ((0.5, 40), (2.0, 90), (10.0, 200)):
        frames.add(kimg, shades(shade))
    assert names(tmp_path) == ["progress"]
    assert frames.finish() == tmp_path / "progress.gif"
    assert names(tmp_path) == ["progress.gif"]
    found, milliseconds = shown(tmp_path / "progress.gif")
    assert milliseconds == [MILLISECONDS, MILLISECONDS, HELD]
    for frame, shade in zip(found, (40, 90, 200), strict=True):
        assert (frame[HEADER : HEADER + 56, :56] == shade).all()
        assert (frame[:HEADER] < 100).any()  # the kimg


@pytest.mark.parametrize("channels", [1, 3])
def test_frames_are_laid_out_as_samples_are(tmp_path, channels):
    images = noise(channels, 28, 4)
    frames = ProgressFrames(tmp_path, 2, ["cat", "dog"], "2 of 9 classes")
    frames.add(1.0, images)
    frames.finish()
    (frame,), _ = shown(tmp_path / "progress.gif")
    wanted = np.array(draw_grid(images, 2, ["cat", "dog"], "2 of 9 classes")).astype(int)
    frame = frame[HEADER:].astype(int)
    assert frame.shape == wanted.shape
    difference = np.abs(frame - wanted)
    assert difference.max() == 0 if channels == 1 else difference.mean() < 40


def test_colours_share_a_palette_that_is_near_to_them(tmp_path):
    frames = ProgressFrames(tmp_path, columns=1)
    colours = [[250, 10, 30], [20, 200, 40], [10, 20, 220]]
    for i, colour in enumerate(colours):
        flat = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
        frames.add(i + 1.0, flat)
    frames.finish()
    found, _ = shown(tmp_path / "progress.gif")
    for frame, colour in zip(found, colours, strict=True):
        middle = frame[HEADER + 16 : HEADER + 48, 16:48].reshape(-1, 3).mean(0)
        assert np.abs(middle - colour).max() <= 4
        assert (frame[2, -2] == 255).all()  # the paper is white


def test_killed_and_resumed_trial_has_all_its_frames_once(tmp_path):
    first = ProgressFrames(tmp_path, columns=2)
    first.rewind()
    for kimg, shade in ((1.0, 10), (2.0, 20), (4.0, 30)):
        first.add(kimg, shades(shade))
    (tmp_path / "progress" / ".000000008000.png.x1").write_bytes(b"half a frame")
    second = ProgressFrames(tmp_path, columns=2)  # from a checkpoint at 3 kimg
    second.rewind(3.0)
    second.add(4.0, shades(130))
    second.add(4.0, shades(140))  # again: overwritten
    second.add(8.0, shades(150))
    second.finish()
    found, _ = shown(tmp_path / "progress.gif")
    assert [int(frame[HEADER + 5, 5, 0]) for frame in found] == [10, 20, 140, 150]
    assert names(tmp_path) == ["progress.gif"]


def test_training_that_begins_anew_forgets_the_old_frames(tmp_path):
    frames = ProgressFrames(tmp_path)
    frames.add(1.0, shades(10))
    frames.rewind()
    assert frames.finish() is None
    assert names(tmp_path) == []


def test_large_images_are_shrunk_and_names_are_not(tmp_path):
    frames = ProgressFrames(tmp_path, 10, ["eyeglasses", "none"])
    frames.add(1.0, shades(80, size=256, count=20))
    frames.finish()
    (frame,), _ = shown(tmp_path / "progress.gif")
    assert frame.shape[1] <= WIDEST
    rows, _ = (frame[HEADER:, :60] < 60).any(2).nonzero()
    assert 8 <= rows[rows < 90].max() - rows.min() <= 14  # letters of their own size


def test_file_stays_within_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LARGEST", 300_000)
    frames = ProgressFrames(tmp_path, columns=5)
    for i in range(4):
        frames.add(2.0**i, noise(3, 64, 25, seed=i))
    frames.finish()
    assert 100_000 < (tmp_path / "progress.gif").stat().st_size <= 300_000
    found, _ = shown(tmp_path / "progress.gif")
    assert len(found) == 4
    assert 200 <= found[0].shape[1] < 320
    assert (found[0][:HEADER] < 100).any()  # the kimg is still there


def test_file_that_cannot_be_small_enough_is_still_written(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LARGEST", 10)
    frames = ProgressFrames(tmp_path, columns=5)
    frames.add(1.0, noise(1, 64, 25))
    frames.finish()
    assert shown(tmp_path / "progress.gif")[0][0].shape[1] == 200


@pytest.mark.parametrize("shape", [(300, 2), (300, 2, 1, 1)])
def test_points_of_the_plane_move_over_the_centres(tmp_path, shape):
    mixture = Mixture(torch.tensor([[0.5, 0.5]]), 0.01)
    frames = ProgressFrames(tmp_path, mixture=mixture)
    for kimg, at in ((1.0, -0.5), (2.0, 0.5)):
        frames.add(kimg, torch.full(shape, at))
    frames.finish()
    found, _ = shown(tmp_path / "progress.gif")
    for frame, low in zip(found, (True, False), strict=True):
        assert frame.shape == (500 + HEADER, 500, 3)
        picture = frame[HEADER:].astype(int)
        blue = picture[:, :, 2] - picture[:, :, 0] > 60
        assert blue[250:, :250].any() == low


def test_images_that_are_all_the_same_still_have_a_frame_each(tmp_path):
    frames = ProgressFrames(tmp_path)
    for kimg in (1.0, 2.0, 4.0):
        frames.add(kimg, shades(0))
    frames.finish()
    assert len(shown(tmp_path / "progress.gif")[0]) == 3
