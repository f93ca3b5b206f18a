"""`ganbench frames` draws chosen moments of a training from the frames that it has kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from ganbench.cli import cli
from ganbench.errors import GanbenchError
from ganbench.pictures import frames
from ganbench.pictures.montage import GAP

TILE = 56


def ran(*arguments: object) -> str:
    done = CliRunner().invoke(cli, ["frames", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def run(tmp_path: Path, monkeypatch) -> Path:
    """A run of two trials, one of which has kept twelve epochs of three labels, four latents."""
    monkeypatch.chdir(tmp_path)
    trial = tmp_path / "run" / "trials" / "bce-concat-0123456789-s0"
    trial.mkdir(parents=True)
    (tmp_path / "run" / "trials" / "lsgan-concat-0123456789-s0").mkdir()
    for epoch in range(1, 13):
        samples = torch.full((12, 1, 28, 28), 10 * epoch, dtype=torch.uint8)
        frames.keep(trial, 100 * epoch, f"epoch {epoch}", samples, 4, ("plain", "7", "hat"))
    return tmp_path / "run"


def rows(path: str) -> int:
    with Image.open(path) as page:
        return (page.height - 2 * GAP) // (TILE + GAP)


def test_a_page_has_ten_moments_where_none_are_named(run: Path) -> None:
    assert ran(run, "--out", "a.png") == "a.png\n"
    assert rows("a.png") == 10
    ran(run / "bce", "--at", "1,5,12", "--out", "b.png")
    assert rows("b.png") == 3
    ran(run / "trials" / "bce-concat-0123456789-s0", "--at", "12", "--out", "c.png")
    assert rows("c.png") == 1


def test_one_label_has_all_its_latents(run: Path) -> None:
    ran(run, "--label", "hat", "--at", "2,4", "--out", "a.png")
    ran(run, "--at", "2,4", "--out", "b.png")
    with Image.open("a.png") as of_one, Image.open("b.png") as of_all:
        assert of_one.width - of_all.width == pytest.approx(TILE + GAP, abs=1)  # four and three
    ran(run, "--label", "7", "--out", "c.png")
    ran(run, "--label", "#7", "--out", "d.png")
    assert Path("c.png").read_bytes() == Path("d.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--at", "13"], "--at 13: no frame of '13' was kept; there are epoch 1, epoch 2"),
        (["run", "--at", "1,soon"], "no frame of 'soon' was kept"),
        (["run", "--label", "scarf"], "no row of this label; the rows are plain, 7, hat"),
        (["run/lsgan"], r"run/lsgan: no trial with frames; evaluation.frames in the benchmark"),
        (["nowhere"], "nowhere: no trial with frames"),
        (["run", "--out", "a.gif"], "--out a.gif: expected .png"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(run: Path, arguments: list[str], said: str) -> None:
    given = arguments if "--out" in arguments else [*arguments, "--out", "a.png"]
    with pytest.raises(GanbenchError, match=said):
        ran(*given)
    assert not Path("a.png").exists()


def test_two_trials_with_frames_want_a_choice(run: Path) -> None:
    plot = Image.new("RGB", (90, 80), "red")
    frames.keep_plot(run / "trials" / "lsgan-concat-0123456789-s0", 5, "5 kimg", plot)
    with pytest.raises(GanbenchError, match=r"(?s)2 trials have frames; name one.*bce-.*lsgan-"):
        ran(run, "--out", "a.png")
    ran(run / "lsgan", "--out", "a.png")
    with pytest.raises(GanbenchError, match="no row of this label; the images have no labels"):
        ran(run / "lsgan", "--label", "hat", "--out", "b.png")


def test_nothing_is_replaced_without_force(run: Path) -> None:
    Path("a.png").write_text("mine", "utf-8")
    with pytest.raises(GanbenchError, match="--force replaces it"):
        ran(run, "--out", "a.png")
    ran(run, "--out", "a.png", "--force")
    assert rows("a.png") == 10
