"""The cache of decoded pictures: found again by content, never half, made once, mapped."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from helpers.folders_of_pictures import picture

from ganbench import DataError
from ganbench.default_plugins.datasets.image_files import fingerprints, prepared
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.util import progress

COUNT = 20


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def folder(tmp_path) -> Path:
    for i in range(COUNT):
        picture(tmp_path / "own" / f"{i:02d}.png", (i, 0, 0))
    return tmp_path / "own"


@pytest.fixture
def work(monkeypatch) -> list[str]:
    """What is read and decoded, one letter each."""
    done: list[str] = []

    def noted(letter: str, function):
        def call(*arguments):
            done.append(letter)
            return function(*arguments)

        return call

    monkeypatch.setattr(prepared, "decode", noted("d", prepared.decode))
    monkeypatch.setattr(fingerprints, "content", noted("r", fingerprints.content))
    monkeypatch.setattr(fingerprints, "SETTLED", -3600.0)  # the times of files just made are good
    return done


def loaded(folder: Path, **options):
    return ImageFolder(path=str(folder), **{"resolution": 8, **options}).load("train", folder)


def reds(found) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


def test_second_start_reads_no_picture(home, folder, work):
    first = loaded(folder)
    assert work.count("r") == work.count("d") == COUNT
    work.clear()
    again = loaded(folder)
    assert work == []
    assert torch.equal(first.images, again.images)


def test_times_alone_do_not_decode_again(home, folder, work):
    loaded(folder)
    work.clear()
    os.utime(folder / "03.png")
    loaded(folder)
    shutil.move(folder, folder.with_name("moved"))
    loaded(folder.with_name("moved"))
    assert "d" not in work
    assert work.count("r") == 2 * COUNT
    assert len(list(home.glob("*.u8"))) == 1


def test_changed_content_is_seen_though_size_and_time_are_the_same(home, folder, work):
    loaded(folder)
    before = (folder / "03.png").stat()
    picture(folder / "03.png", (99, 0, 0))
    os.utime(folder / "03.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder / "03.png").stat().st_size == before.st_size
    assert reds(loaded(folder))[3] == 99


def test_times_of_files_just_made_are_not_trusted(home, folder, work, monkeypatch):
    """Within a tick of the clock a file may change without another time."""
    monkeypatch.setattr(fingerprints, "SETTLED", 3600.0)
    loaded(folder)
    work.clear()
    loaded(folder)
    assert work == ["r"] * COUNT


@pytest.mark.parametrize(
    "options", [{"resolution": 9}, {"channels": 1}, {"crop": "pad"}, {"filter": "box"}], ids=str
)
def test_other_preparations_are_other_sets(home, folder, options):
    loaded(folder)
    loaded(folder, **options)
    assert len(list(home.glob("*.u8"))) == 2


def test_order_and_names_are_of_the_listing(home, folder):
    assert reds(loaded(folder)) == list(range(COUNT))
    (folder / "00.png").rename(folder / "zz.png")
    assert reds(loaded(folder)) == [*range(1, COUNT), 0]


def test_unusable_files_are_remembered_with_their_reasons(home, folder, work):
    (folder / "05.png").write_bytes(b"")
    (folder / "07.png").write_bytes(b"no picture")
    first = loaded(folder)
    work.clear()
    again = loaded(folder)
    assert work == []
    assert first.problems == again.problems
    assert [problem.partition(":")[0] for problem in again.problems] == ["05.png", "07.png"]
    assert reds(again) == [i for i in range(COUNT) if i not in (5, 7)]
    with pytest.raises(DataError, match="max_bad is 1"):
        loaded(folder, max_bad=1)  # no other set is made for it


def test_images_are_mapped_and_changes_to_them_are_private(home, folder):
    found = loaded(folder)
    (path,) = home.glob("*.u8")
    with path.open("r+b") as file:
        file.write(b"\xfa")
    assert found.images[0, 0, 0, 0] == 0xFA
    found.images.zero_()
    assert path.read_bytes()[0] == 0xFA


@pytest.mark.parametrize(
    "damage", ["short", "long", "gone", "no json", "empty json", "bit", "pipe"]
)
def test_set_that_is_not_whole_is_made_again(home, folder, work, damage):
    expected = loaded(folder).images.clone()
    (values,), (about,) = home.glob("*.u8"), home.glob("*.json")
    match damage:
        case "short":
            os.truncate(values, values.stat().st_size - 1)
        case "long":
            os.truncate(values, values.stat().st_size + 1)
        case "gone":
            values.unlink()
        case "no json":
            about.unlink()
        case "bit":
            values.write_bytes(values.read_bytes()[:-1] + b"\xfa")
        case "pipe":
            about.unlink()
            os.mkfifo(about)
        case "empty json":
            about.write_text("")
    work.clear()
    assert torch.equal(loaded(folder).images, expected)
    assert work.count("d") == COUNT


KILLED = """
import sys, time
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.image_files import prepared

decode = prepared.decode

def slowly(content, how):
    time.sleep(0.05)
    return decode(content, how)

prepared.decode = slowly
ImageFolder(path=sys.argv[1], resolution=64).load("train", None)
"""


def test_nothing_half_is_left_after_a_kill(home, folder, tmp_path):
    for i in range(COUNT, 120):
        picture(folder / f"{i}.png", (i, 0, 0))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), folder], env=env)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in home.glob(".*.u8.*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(home.glob("*.u8"))
    found = loaded(folder, resolution=64)
    assert len(found) == 120
    assert sorted(reds(found)) == list(range(120))
    assert not list(home.glob(".*"))


def test_leftovers_of_other_sets_go_unless_somebody_makes_them(home, folder):
    home.mkdir(parents=True)
    (home / ".abc.u8.x1").write_bytes(b"left")
    (home / ".def.u8.x2").write_bytes(b"in the making")
    with prepared.filelock.FileLock(home / "def.lock"):
        loaded(folder)
    assert [path.name for path in home.glob(".*")] == [".def.u8.x2"]


def test_two_at_once_decode_once(home, folder, work):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(loaded, [folder, folder])
    assert torch.equal(first.images, second.images)
    assert work.count("d") == COUNT


def test_disk_without_room_is_known_beforehand(home, folder, work, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 3000, 3000)
    monkeypatch.setattr(prepared.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        DataError, match=r"decoding needs 3\.8 kB, and 3\.0 kB are free; .* GANBENC"
    ):
        loaded(folder)
    assert "d" not in work


def test_disk_that_fills_up_is_a_sentence_and_leaves_nothing(home, folder):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"File too large; pictures of .* are decoded into it"):
            loaded(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [*home.glob("*.u8"), *home.glob("*.json"), *home.glob(".*")]
    assert len(loaded(folder)) == COUNT


def test_cache_that_is_no_folder_is_a_sentence(home, folder, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="GANBENCH_CACHE names another folder"):
        loaded(folder)


def test_file_that_changes_meanwhile_is_a_sentence(home, folder, monkeypatch):
    digests = fingerprints.content_digests

    def then_changed(listing):
        found = digests(listing)
        picture(folder / "03.png", "white")
        return found

    monkeypatch.setattr(prepared, "content_digests", then_changed)
    with pytest.raises(
        DataError, match=r"03\.png: changed while it was being decoded; start again"
    ):
        loaded(folder)
    assert not list(home.glob("*.u8"))


def test_observer_hears_of_reading_and_decoding(home, folder):
    heard = []
    with progress.observing(lambda *what: heard.append(what)):
        loaded(folder)
    ends = [told for told in heard if told[1] == told[2]]
    assert ends == [("reading pictures", COUNT, COUNT), ("decoding pictures", COUNT, COUNT)]


def test_few_large_images_wait_at_once(home, folder, monkeypatch):
    sizes = []
    in_threads = prepared.in_threads
    monkeypatch.setattr(
        prepared, "in_threads", lambda f, items, n: sizes.append(n) or in_threads(f, items, n)
    )
    loaded(folder, resolution=1024)
    assert sizes == [21]  # of 3 MB each


def test_what_was_made_is_told(home, folder, caplog):
    loaded(folder)
    told = caplog.text
    assert str(home) in told
    assert "all prepared pictures there take 3.8 kB, and may be removed" in told
    (about,) = home.glob("*.json")
    assert json.loads(about.read_text())["made_from"] == str(folder)


def test_every_file_is_held_to_what_was_prepared_of_it(home, folder, work):
    (folder / "05.png").write_bytes(b"")
    own = ImageFolder(path=str(folder), resolution=8)
    own.load("train", folder)
    assert list(own.damage(folder)) == []
    (values,) = home.glob("*.u8")
    with values.open("r+b") as file:
        file.seek(6 * 192)  # the row of 07.png, as 05.png has none
        file.write(b"\xfa")
    (found,) = own.damage(folder)
    assert found.startswith(f"07.png: differs from {values}; where the file is right, remove")


def test_error_that_passes_is_not_kept(home, folder, work, monkeypatch):
    """What a disk or a network says once is not asked of the next start."""
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    own = ImageFolder(path=str(folder), resolution=8)
    plain = fingerprints.content

    def failing(path):
        if path.name == "07.png":
            raise OSError(errno.EIO, "Input/output error")
        return plain(path)

    with monkeypatch.context() as patch:
        for module in (fingerprints, prepared):
            patch.setattr(module, "content", failing)
        assert len(own.load("train", folder).problems) == 1
    assert own.load("train", folder).problems == ()


def test_file_that_rots_is_found(home, folder, work, monkeypatch):
    own = ImageFolder(path=str(folder), resolution=8)
    own.load("train", folder)
    same = fingerprints.times(own.listing("train"))
    monkeypatch.setattr(prepared, "times", lambda listing: same)  # a disk tells nobody
    (folder / "03.png").write_bytes((folder / "03.png").read_bytes()[:40])
    (found,) = own.damage(folder)
    assert found.startswith("03.png: ")
