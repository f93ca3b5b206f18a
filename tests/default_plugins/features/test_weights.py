"""Weights are found, checked before anything is unpickled, and downloaded whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from helpers import tiny
from torch import nn

from ganbench import DataError, Features, ImageSpec, Unavailable
from ganbench.cli import cli
from ganbench.default_plugins.features import inception, weights
from ganbench.default_plugins.features.weights import DINOV2_L14, INCEPTION, Weights, frozen


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


CONTENT = saved({"a": torch.arange(3)})
RIGHT = Weights(
    "some", ("some.pth", "other.pth"), len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """Torch's downloads, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("GANBENCH_WEIGHTS", "GANBENCH_OFFLINE", "TORCH_HUB"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "data" / "weights").mkdir(parents=True)
    return tmp_path / "data"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_first_place_that_has_them_wins(home, root, tmp_path, monkeypatch):
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(named))
    assert RIGHT.find(root) is None
    for path in (
        root / "weights" / "other.pth",
        root / "weights" / "some.pth",
        home / "other.pth",
        home / "some.pth",
        named / "some.pth",
    ):
        path.write_bytes(CONTENT)
        assert RIGHT.find(root) == path
        assert torch.equal(RIGHT.load(root)["a"], torch.arange(3))


def test_named_file_may_be_called_anything_if_its_size_is_right(root, tmp_path, monkeypatch):
    for name, content, counts in (
        ("x.bin", CONTENT, True),
        ("y.bin", CONTENT + b"!", False),  # another extractor's
        ("some.pth", CONTENT + b"!", True),  # meant, and refused when it is read
    ):
        path = tmp_path / name
        path.write_bytes(content)
        monkeypatch.setenv("GANBENCH_WEIGHTS", str(path))
        assert RIGHT.find(root) == (path if counts else None)


def test_tilde_is_the_home_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("GANBENCH_WEIGHTS", "~/w")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "some.pth").write_bytes(CONTENT)
    assert RIGHT.find(root) == tmp_path / "w" / "some.pth"


def test_missing_weights_are_a_sentence(root, monkeypatch):
    why = "its weights, some.pth, are not on this machine; GANBENCH_WEIGHTS names the file or its f"
    assert RIGHT.missing(root).startswith(why)
    with pytest.raises(Unavailable, match=r"its weights, some\.pth, are not on this m"):
        RIGHT.load(root)
    command = "`ganbench weights inception` downloads them (96 MB), or GAN"
    assert command in INCEPTION.missing(root)
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    assert "downloads" not in INCEPTION.missing(root)
    monkeypatch.setenv("GANBENCH_WEIGHTS", "/nowhere")
    assert INCEPTION.missing(root).endswith("(now '/nowhere', where they are not)")


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("change", ["other", "truncated", "empty", "longer", "bomb"])
def test_other_files_are_refused_unread(change, root, tmp_path):
    content = {
        "other": CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]),
        "truncated": CONTENT[:100],
        "empty": b"",
        "longer": CONTENT + b"!",
        "bomb": pickle.dumps(Bomb(tmp_path / "exploded")),
    }[change]
    path = root / "weights" / "some.pth"
    path.write_bytes(content)
    assert RIGHT.missing(root) is None
    with pytest.raises(DataError) as caught:
        RIGHT.load(root)
    found, wanted = hashlib.sha256(content).hexdigest()[:12], RIGHT.sha256[:12]
    assert str(caught.value) == (
        f"{path}: not the weights of some: {len(content):,} bytes with SHA-256 {found}…, expected "
        f"{len(CONTENT):,} with {wanted}…; remove the file and put it there anew"
    )
    assert not (tmp_path / "exploded").exists()


def test_nothing_but_tensors_is_unpickled(root, tmp_path):
    content = saved(Bomb(tmp_path / "exploded"))
    known = replace(RIGHT, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    (root / "weights" / "some.pth").write_bytes(content)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        known.load(root)
    assert not (tmp_path / "exploded").exists()


def test_file_that_cannot_be_read_is_explained(tmp_path):
    with pytest.raises(DataError, match=r"Is a directory; it holds some's weights|Permission"):
        RIGHT.read(tmp_path)


@pytest.mark.parametrize("known", [INCEPTION, DINOV2_L14], ids=lambda w: w.extractor)
def test_known_weights_are_well_formed(known):
    assert len(known.sha256) == 64
    assert int(known.sha256, 16)
    assert all(url.startswith("https://") for url in known.urls)
    assert all(url.rpartition("/")[2] in known.names for url in known.urls)
    assert known.protocol() == {"file": known.names[0], "sha256": known.sha256}


def test_names_of_inception_hold_the_hash_as_torch_wants_it():
    assert all(name.endswith(f"-{INCEPTION.sha256[:8]}.pth") for name in INCEPTION.names)


class Serving(BaseHTTPRequestHandler):
    """Files by what is wrong with them."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body, length = {
            "/right": (CONTENT, len(CONTENT)),
            "/wrong": (CONTENT[::-1], len(CONTENT)),
            "/short": (CONTENT[:50], 50),
            "/interrupted": (CONTENT[:50], len(CONTENT)),
            "/endless": (CONTENT + bytes(weights.CHUNK * 3), len(CONTENT) + weights.CHUNK * 3),
        }.get(self.path, (None, 0))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # of a client that has had enough
            super().handle()


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def at(server, monkeypatch):
    """RIGHT, at these paths of the server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def at(*paths: str) -> Weights:
        port = server.server_address[1]
        return replace(RIGHT, urls=tuple(f"http://127.0.0.1:{port}{path}" for path in paths))

    return at


def test_download_is_found_where_torch_looks(at, home, root):
    assert at("/right").download(weights.downloads()) == home / "some.pth" == RIGHT.find(root)
    assert (home / "some.pth").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/wrong", "sent 1,"),
        ("/short", "sent 50 bytes with SHA-256"),
        ("/interrupted", "(sent 50 bytes with SHA-256|IncompleteRead)"),
        ("/endless", "sent [0-9,]+ bytes with SHA-256"),
        ("/absent", "HTTP Error 404: Not Found"),
    ],
)
def test_download_that_is_not_whole_and_right_leaves_nothing(at, tmp_path, path, why):
    folder = tmp_path / "new"
    with pytest.raises(DataError, match=rf"{path}: {why}.*; nothing was kept\. Try again later"):
        at(path).download(folder)
    assert names(folder) == []


def test_failed_download_leaves_the_file_that_was_there(at, tmp_path):
    (tmp_path / "some.pth").write_bytes(b"older")
    with pytest.raises(DataError):
        at("/interrupted").download(tmp_path)
    assert (tmp_path / "some.pth").read_bytes() == b"older"


def test_next_address_is_tried(at, tmp_path, server):
    at("/absent", "/wrong", "/right", "/short").download(tmp_path)
    assert server.asked == ["/absent", "/wrong", "/right"]
    assert (tmp_path / "some.pth").read_bytes() == CONTENT


def test_server_that_is_not_there_is_explained(tmp_path):
    nowhere = replace(RIGHT, urls=("http://127.0.0.1:9/x",))
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/x: .*Connection refused.*; nothing was k"):
        nowhere.download(tmp_path)


def test_folder_that_cannot_be_made_is_explained(at, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"(File exists|Not a directory).*; nothing was kept"):
        at("/right").download(tmp_path / "file")


@pytest.mark.parametrize(("value", "forbidden"), [("1", True), ("0", False), ("", False)])
def test_offline_forbids_downloads(at, tmp_path, monkeypatch, server, value, forbidden):
    monkeypatch.setenv("GANBENCH_OFFLINE", value)
    if forbidden:
        with pytest.raises(DataError, match="GANBENCH_OFFLINE forbids downloads; unset it, or cop"):
            at("/right").download(tmp_path)
    else:
        at("/right").download(tmp_path)
    assert server.asked == ([] if forbidden else ["/right"])


def test_what_is_there_is_not_fetched_again(at, home, server, caplog, capsys):
    for told in ([f"ganbench: downloading 0 MB to {home}"], []):
        assert at("/right").fetch() == home / "some.pth"
        assert caplog.messages == told
        assert capsys.readouterr() == ("", "")
        caplog.clear()
    assert server.asked == ["/right"]


def test_damaged_file_is_fetched_again(at, home):
    home.mkdir(parents=True, exist_ok=True)
    (home / "some.pth").write_bytes(CONTENT[:9])
    at("/right").fetch()
    assert (home / "some.pth").read_bytes() == CONTENT


def test_command_lists_what_is_missing_and_fetches_it(at, home, monkeypatch):
    monkeypatch.setattr(inception, "WEIGHTS", at("/right"))
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    listed = CliRunner().invoke(cli, ["weights"])
    assert "pixels: ready" in listed.output
    assert "inception: its weights, some.pth, are not on this machine" in listed.output
    fetched = CliRunner().invoke(cli, ["weights", "inception"])
    assert (fetched.exit_code, fetched.stdout) == (0, f"{home / 'some.pth'}\n")
    assert "inception: ready" in CliRunner().invoke(cli, ["weights"]).output
    assert "needs no download" in CliRunner().invoke(cli, ["weights", "pixels"]).output


def test_command_says_why_it_fails(tmp_path):
    changes = {"GANBENCH_OFFLINE": "1", "TORCH_HOME": str(tmp_path)}
    done = tiny.ganbench("weights", "inception", cwd=tmp_path, **changes)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: GANBENCH_OFFLINE forbids downloads; unset it, or copy" in done.stderr
    unknown = tiny.ganbench("weights", "incepton", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "did you mean 'inception'?" in unknown.stderr


class Doubling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        return x * self.factor


def test_frozen_network_works_in_parts():
    net = Doubling()
    extract = frozen(net, lambda x: Features(net(x), net(x)), at_once=4)
    found = extract(torch.arange(10, dtype=torch.uint8).view(10, 1))
    assert net.seen == [4, 4, 4, 4, 2, 2]
    assert torch.equal(found.embedding, 2 * torch.arange(10.0).view(10, 1))
    assert torch.equal(found.probabilities, found.embedding)
    assert found.embedding.is_inference()
    assert not net.training
    assert not net.factor.requires_grad


def test_frozen_network_sees_fractions_as_bytes_that_are_not_rounded():
    net = Doubling()
    found = frozen(net, lambda x: Features(net(x)))(torch.tensor([[-1.0], [0.0], [0.5], [1.0]]))
    assert found.embedding.flatten().tolist() == [0.0, 255.0, 382.5, 510.0]


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        (ImageSpec(1, 28), True),
        (ImageSpec(3, 2), True),
        (ImageSpec(2, 28), False),
        (ImageSpec(2, 1), False),
        (ImageSpec(3, 1), False),
    ],
    ids=str,
)
def test_pictures_are_grey_or_coloured(image, seen):
    why = weights.no_picture(image)
    assert (why is None) == seen
    assert seen or why == f"it sees grey and colour pictures of 2×2 and more, and these are {image}"


def test_grey_is_three_times_the_same():
    grey, colour = torch.rand(2, 1, 4, 4), torch.rand(2, 3, 4, 4)
    assert torch.equal(weights.in_colour(grey), grey.repeat(1, 3, 1, 1))
    assert torch.equal(weights.in_colour(colour), colour)
