"""`ganbench datasets` and the commands below it: what they say, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from helpers import stand_ins, tiny
from PIL import Image
from rich.cells import cell_len

from ganbench.cli import cli
from ganbench.cli.commands import doctor
from ganbench.cli.commands.datasets import bars
from ganbench.errors import ConfigError, DataError
from ganbench.util.progress import tracked


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    """The working directory; the cache and the data are elsewhere."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setenv("GANBENCH_OFFLINE", "0")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def shapes(here) -> Path:
    """Pictures of two classes, of two sizes, with one that is damaged."""
    for name, count, colour in (("blue", 3, (0, 0, 250)), ("red", 5, (250, 0, 0))):
        (here / "shapes" / name).mkdir(parents=True)
        for i in range(count):
            size = (20 + 4 * i, 16)
            Image.new("RGB", size, colour).save(here / "shapes" / name / f"{i}.png")
    whole = (here / "shapes" / "red" / "0.png").read_bytes()
    (here / "shapes" / "red" / "broken.png").write_bytes(whole[:60])
    return here / "shapes"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["datasets", *arguments], standalone_mode=False)


def said(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exception is None, done.output
    return done.stdout


def plain(*arguments: str) -> dict:
    return json.loads(said(*arguments, "--json", "--quiet"))


def test_list_tells_what_is_here_and_what_would_be_brought(monkeypatch):
    listed = {entry["name"]: entry for entry in json.loads(said("--json"))}
    assert listed["mnist"]["state"] == "there, verified"
    assert (listed["cifar10"]["state"], listed["tensor"]["state"]) == ("not here yet", "needs path")
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    listed = {entry["name"]: entry for entry in json.loads(said("--json"))}
    assert listed["cifar10"]["state"] == "missing"
    assert "downloads are forbidden by --offline or GANBENCH_OFFLINE" in listed["cifar10"]["note"]


def test_prepare_tells_what_is_in_a_folder(shapes):
    found = plain("prepare", "shapes", "-o", "resolution=8")
    assert (found["label"], found["plugin"], found["image"]) == ("shapes", "image-folder", "3×8×8")
    assert found["splits"]["train"]["per_class"] == {"blue": 3, "red": 5}
    assert found["splits"]["train"]["images"] == 8
    assert found["splits"]["train"]["bytes"] == 8 * 3 * 8 * 8
    assert found["bytes"] == sum(path.stat().st_size for path in shapes.rglob("*.png"))
    assert found["protocol"]["resolution"] == 8
    broken, alike = found["problems"]
    assert broken.startswith("red/broken.png: damaged")
    assert alike.startswith("6 of 8 images are exactly like another one, such as 'blue/1.png' and")


@pytest.mark.parametrize("pattern", ["{id}", "{id}.png", '"{id}"', "2024", "[a", "yes: {id}"])
def test_patterns_are_texts_whatever_yaml_makes_of_them(here, pattern):
    (here / "labels.csv").write_text("id,label\na,0\nb,1\n", "utf-8")
    asked = ["path=.", "csv=labels.csv", f"pattern={pattern}"]
    done = run("prepare", "image-csv", *(word for one in asked for word in ("-o", one)))
    written = pattern.strip('"').replace("{id}", "a")
    assert written in str(done.exception), "the file that is missing is named as the pattern says"


def test_prepare_prints_a_small_table(shapes):
    lines = said("prepare", "shapes").splitlines()
    assert lines[0] == "shapes (image-folder): 8 train images of 3×64×64"
    assert "classes:  2, of 3 (blue) to 5 (red) training images" in lines
    assert [line.split() for line in lines if line.startswith("  ")][:3] == [
        ["class", "train"],
        ["blue", "3"],
        ["red", "5"],
    ]
    path = Path("shapes").resolve()
    assert lines.pop() == f"to paste: dataset: {{name: image-folder, path: {path}}}"
    assert lines[-3] == "problems: 2"
    assert lines[-2].startswith("  - red/broken.png: damaged")


def test_no_name_of_a_class_breaks_the_table(here):
    names = ["a\nb", "c\td", "x\u200by", "日本", "plain"]
    np.savez(here / "a.npz", x=stand_ins.noise(1, 9, 8, 8), y=np.array([*names, *names])[:9])
    lines = said("prepare", "a.npz").splitlines()
    assert "classes:  5, of 1 (plain) to 2 (日本) training images" in lines
    table = [line for line in lines if line.startswith("  ") and "  - " not in line]
    shown = ["class", "a\\u000ab", "c\\u0009d", "plain", "x\\u200by", "日本"]
    assert [line.split() for line in table] == [
        [name, count] for name, count in zip(shown, ["train", *"22122"], strict=True)
    ]
    assert len({cell_len(line) for line in table}) == 1
    assert set(plain("prepare", "a.npz")["classes"]) == set(names)


def test_prepare_brings_what_is_published(monkeypatch, tmp_path):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with stand_ins.serving() as server:
        stand_ins.publish(server, monkeypatch)
        with monkeypatch.context() as patch:
            patch.setenv("GANBENCH_OFFLINE", "0")
            done = run("prepare", "fashion-mnist", "--offline")
            assert isinstance(done.exception, DataError)
            assert "forbidden by --offline" in str(done.exception)
            assert server.asked == []
        done = run("prepare", "fashion-mnist")
        assert "fashion-mnist: 20 train + 20 test images of 1×28×28" in done.stdout
        assert "Ankle boot" in done.stdout
        assert "there, verified" in done.stdout
        assert "downloading train-images-idx3-ubyte.gz: 1" in done.stderr
    part = tmp_path / "data" / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"
    about = part.stat()
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    os.utime(part, ns=(about.st_atime_ns, about.st_mtime_ns))  # as a disk does that forgets
    done = run("verify", "fashion-mnist")
    assert done.return_value == 3
    assert done.stdout.splitlines()[1] == "  - FashionMNIST/raw/t10k-labels-idx1-ubyte"


def test_class_without_images_is_a_problem(here):
    np.savez(here / "a.npz", x=stand_ins.noise(1, 4, 8, 8), y=[0, 0, 1, 1])
    np.savez(here / "b.npz", x=stand_ins.noise(2, 2, 8, 8), y=[1, 1])
    found = plain("prepare", "a.npz", "-o", "test_path=b.npz")
    assert found["plugin"] == "tensor"
    assert found["problems"] == ["no test image is of 1 of 2 classes: 0"]


def test_many_classes_are_summed_up():
    done = said("prepare", "stacked-mnist", "-o", "train_size=3000", "-o", "test_size=10")
    assert "classes:  1,000, of " in done
    assert "class  " not in done
    assert "  - no test image is of 99" in done


def test_unlabelled_data_says_so(here):
    np.save(here / "a.npy", stand_ins.noise(1, 4, 8, 8))
    assert "classes:  none; the images have no labels" in said("prepare", "a.npy")


def test_verify_reads_everything_and_names_damage(shapes):
    done = run("verify", "shapes")
    assert (done.return_value, done.exception) == (3, None)
    assert "  - red/broken.png: damaged" in done.stdout
    (shapes / "red" / "broken.png").unlink()
    done = run("verify", "shapes")
    assert (done.return_value, done.stdout) == (
        0,
        "shapes: all of it was read, and nothing is damaged\n",
    )
    assert plain("verify", "mnist")["damaged"] == []


def test_verify_names_a_damaged_file_of_mnist(tmp_path):
    folder = tmp_path / "data" / "MNIST" / "raw"
    said("prepare", "mnist")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"no labels")
    done = run("verify", "mnist", "--json")
    assert done.return_value == 3
    assert json.loads(done.stdout)["damaged"] == ["damaged: t10k-labels-idx1-ubyte"]


def test_verify_brings_nothing(monkeypatch):
    done = run("verify", "cifar10")
    assert isinstance(done.exception, DataError)
    assert "cifar10: not here: " in str(done.exception)
    assert "`ganbench datasets prepare cifar10` brings what can be had" in str(done.exception)
    assert os.environ["GANBENCH_OFFLINE"] == "1"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["prepare", ""], "an empty name; expected a data set's, or a folder"),
        (["prepare", "x", "-o", "path=y"], "x is the path already; leave -o path=y out"),
        (["prepare", "minst"], "unknown dataset 'minst'; did you mean 'mnist'?"),
        (["prepare", "minst"], "or a folder of pictures; there is none called 'minst'"),
        (["prepare", "./minst"], "./minst: there is no such folder"),
        (["prepare", "photos/"], "photos/: there is no such folder"),
        (["prepare", "x.npz"], "x.npz: there is no such folder"),
        (["prepare", "image-folder"], "dataset 'image-folder' needs path; give it with -o path="),
        (["prepare", "image-csv", "-o", "pth=x"], "has no option 'pth'; did you mean 'path'?"),
        (["prepare", "image-csv", "-o", "pth=x"], "dataset 'image-csv': 'csv' is missing"),
        (["prepare", "mnist", "-o", "rot=x"], "dataset 'mnist' has no option 'rot'; did you mean"),
        (["prepare", "mnist", "-o", "root"], "-o root: write it as -o some.setting=value"),
        (["prepare", ".", "-o", "resolution=big"], "resolution: expected a whole number, found 'b"),
        (["prepare", "."], "no picture in it"),
    ],
)
def test_mistakes_are_explained(arguments, why, here):
    (here / "x").mkdir()
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError | DataError)
    assert why in str(done.exception)


def test_mistakes_end_with_the_code_of_all_commands(here):
    done = tiny.ganbench("datasets", "prepare", "minst", "--json", cwd=here)
    assert done.returncode == 2
    assert "did you mean 'mnist'?" in json.loads(done.stdout)["error"]["message"]


def test_doctor_tells_whether_downloads_are_allowed(monkeypatch):
    for value, forbidden in (("1", True), ("0", False)):
        monkeypatch.setenv("GANBENCH_OFFLINE", value)
        assert doctor.examine()["offline"] is forbidden


def test_run_says_what_will_be_downloaded_and_offline_refuses(here, monkeypatch):
    (here / "b.yaml").write_text(
        "version: 1\nname: b\ndataset: cifar10\nloss: bce\narchitecture: dcgan\n"
        "conditioning: none\n"
    )
    done = CliRunner().invoke(cli, ["plan", "b.yaml", "--no-estimate"], standalone_mode=False)
    assert "data set 'cifar10': downloaded on first use" in done.stderr
    done = CliRunner().invoke(cli, ["run", "b.yaml", "--offline"], standalone_mode=False)
    assert isinstance(done.exception, DataError)
    assert "data set 'cifar10' is not usable" in str(done.exception)
    assert "downloads are forbidden by --offline or GANBENCH_OFFLINE" in str(done.exception)
    assert not (here / "results").exists()


def test_progress_in_a_pipe_is_a_line_for_each_loop(capsys):
    with bars.shown(quiet=False):
        assert list(tracked("abc", "counting letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "counting letters: 3\n")
    with bars.shown(quiet=True):
        list(tracked("abc", "counting letters", 3))
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_terminal_leaves_nothing_behind(capsys):
    with bars._bars():
        list(tracked("abc", "counting [letters]", 3))
        list(tracked("ab", "of unknown number", 0))
    assert capsys.readouterr().out == ""


def test_torchvision_is_not_needed_to_list():
    code = (
        "import sys; from pathlib import Path; from ganbench.registry import registry\n"
        "found = registry.load()\n"
        "for name in found.usable('dataset'):\n"
        "    found.build('dataset', name, {}).status(Path('nowhere'))\n"
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
