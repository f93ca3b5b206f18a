"""Tiny archives of the very layout of the data sets that torchvision knows, and their server."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torchvision import datasets

from ganbench.default_plugins.datasets.downloaded.dataset import DownloadedDataset
from ganbench.default_plugins.datasets.downloaded.flowers102 import Flowers102
from ganbench.default_plugins.datasets.downloaded.mnist_like import EMNIST
from ganbench.default_plugins.datasets.downloaded.stl10 import STL10

Files = dict[str, bytes]
CLASSES = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}
CELEBA = {
    "img_align_celeba.zip": "zip-id",
    "list_attr_celeba.txt": "attributes-id",
    "list_eval_partition.txt": "partition-id",
}


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def labels(classes: int, count: int | None = None) -> NDArray[np.uint8]:
    """Each class, one after another."""
    return (np.arange(count or classes) % classes).astype(np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def tar(files: Files) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def zipped(files: Files) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def jpeg(seed: int, width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.fromarray(noise(seed, height, width, 3)).save(target, "JPEG")
    return target.getvalue()


def matlab(**arrays: NDArray) -> bytes:
    io_ = pytest.importorskip("scipy.io")
    target = io.BytesIO()
    io_.savemat(target, arrays)
    return target.getvalue()


def mnist_like(seed: int) -> Files:
    return {
        f"{split}-{what}-ubyte.gz": gzip.compress(idx(array), mtime=0)
        for i, split in enumerate(("train", "t10k"))
        for what, array in (
            ("images-idx3", noise(seed + i, 20, 28, 28)),
            ("labels-idx1", labels(10, 20)),
        )
    }


def emnist() -> Files:
    files = {}
    for i, (name, classes) in enumerate(CLASSES.items()):
        ids = labels(classes) + (name == "letters")
        for j, split in enumerate(("train", "test")):
            pixels = noise(10 * i + j, classes, 28, 28)
            start = f"gzip/emnist-{name}-{split}"
            files[f"{start}-images-idx3-ubyte.gz"] = gzip.compress(idx(pixels), mtime=0)
            files[f"{start}-labels-idx1-ubyte.gz"] = gzip.compress(idx(ids), mtime=0)
    return {"gzip.zip": zipped(files)}


def cifar(theirs: type, key: str, classes: int) -> tuple[Files, Files]:
    """The archive, and what is in it."""
    names = [file for file, _ in (*theirs.train_list, *theirs.test_list)]
    inside = {
        f"{theirs.base_folder}/{name}": pickle.dumps(
            {"data": noise(i, classes, 3072), key: labels(classes).tolist()}, protocol=2
        )
        for i, name in enumerate(names)
    }
    meta = {theirs.meta["key"]: [f"class {i}" for i in range(classes)]}
    inside[f"{theirs.base_folder}/{theirs.meta['filename']}"] = pickle.dumps(meta, protocol=2)
    return {theirs.filename: tar(inside)}, inside


def svhn() -> Files:
    ids = np.roll(np.arange(1, 11), 3).reshape(-1, 1)  # 10 is the digit 0
    return {
        f"{split}_32x32.mat": matlab(X=noise(i, 32, 32, 3, 10), y=ids.astype(np.uint8))
        for i, split in enumerate(("train", "test"))
    }


def stl10() -> tuple[Files, Files]:
    inside = {
        "stl10_binary/train_X.bin": noise(1, 10, 3, 96, 96).tobytes(),
        "stl10_binary/train_y.bin": (labels(10) + 1).tobytes(),
        "stl10_binary/test_X.bin": noise(2, 10, 3, 96, 96).tobytes(),
        "stl10_binary/test_y.bin": (labels(10) + 1).tobytes(),
        "stl10_binary/unlabeled_X.bin": noise(3, 4, 3, 96, 96).tobytes(),
        "stl10_binary/class_names.txt": b"airplane\n",
    }
    return {"stl10_binary.tar.gz": tar(inside)}, inside


def flowers() -> Files:
    count = 3 * 102
    pictures = {f"jpg/image_{i:05d}.jpg": jpeg(i, 40 + i % 7, 48) for i in range(1, count + 1)}
    ids = np.arange(1, count + 1)
    return {
        "102flowers.tgz": tar(pictures),
        "imagelabels.mat": matlab(labels=labels(102, count).astype(np.int64)[None] + 1),
        "setid.mat": matlab(trnid=ids[None, :102], valid=ids[None, 102:204], tstid=ids[None, 204:]),
    }


def celeba() -> Files:
    names = [f"{i:06d}.jpg" for i in range(1, 13)]
    attributes = "Blond_Hair Smiling"
    rows = [f"{n}  {1 if i % 2 else -1} {1 if i % 4 > 1 else -1}" for i, n in enumerate(names)]
    parts = [f"{name} {0 if i < 8 else 2}" for i, name in enumerate(names)]
    pictures = {f"img_align_celeba/{n}": jpeg(i, 178, 218) for i, n in enumerate(names)}
    return {
        "img_align_celeba.zip": zipped(pictures),
        "list_attr_celeba.txt": "\n".join([str(len(names)), attributes, *rows, ""]).encode(),
        "list_eval_partition.txt": "\n".join([*parts, ""]).encode(),
    }


class Serving(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path.lstrip("/"))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *arguments: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # of a client that has had enough
            super().handle()


class Server(ThreadingHTTPServer):
    files: Files
    asked: list[str]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


def files_below(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Serving) as server:
        server.files, server.asked = {}, []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(server: Server, patch: pytest.MonkeyPatch) -> None:
    """Everything, where torchvision's classes now say that it is, and with the sums they have."""

    for ours in (DownloadedDataset, EMNIST, STL10, Flowers102):  # they are of few images
        patch.setattr(ours, "num_images", lambda self: None)

    def put(prefix: str, files: Files) -> None:
        server.files |= {prefix + name: content for name, content in files.items()}

    for i, theirs in enumerate((datasets.FashionMNIST, datasets.KMNIST)):
        files = mnist_like(100 * i)
        put(f"{theirs.__name__}/", files)
        patch.setattr(theirs, "mirrors", [f"{server.base}{theirs.__name__}/"])
        patch.setattr(theirs, "resources", [(n, md5(c)) for n, c in files.items()])
    _publish_archive(server, patch, datasets.EMNIST, "md5", emnist())
    for theirs, key, classes in (
        (datasets.CIFAR10, "labels", 10),
        (datasets.CIFAR100, "fine_labels", 100),
    ):
        files, inside = cifar(theirs, key, classes)
        _publish_archive(server, patch, theirs, "tgz_md5", files)
        _patch_lists(patch, theirs, inside, theirs.base_folder)
        name = f"{theirs.base_folder}/{theirs.meta['filename']}"
        patch.setattr(theirs, "meta", {**theirs.meta, "md5": md5(inside[name])})
    files, inside = stl10()
    _publish_archive(server, patch, datasets.STL10, "tgz_md5", files)
    _patch_lists(patch, datasets.STL10, inside, "stl10_binary")
    files = svhn()
    put("", files)
    listed = {n[:-10]: [f"{server.base}{n}", n, md5(c)] for n, c in files.items()}
    patch.setattr(datasets.SVHN, "split_list", listed)
    files = flowers()
    put("flowers/", files)
    patch.setattr(datasets.Flowers102, "_download_url_prefix", f"{server.base}flowers/")
    listed = dict(zip(("image", "label", "setid"), files, strict=True))
    sums = {key: (name, md5(files[name])) for key, name in listed.items()}
    patch.setattr(datasets.Flowers102, "_file_dict", sums)
    files = celeba()
    put("drive/", {CELEBA[name]: content for name, content in files.items()})
    listed = [(CELEBA[name], md5(content), name) for name, content in files.items()]
    patch.setattr(datasets.CelebA, "file_list", listed)


def _publish_archive(
    server: Server, patch: pytest.MonkeyPatch, theirs: type, key: str, files: Files
) -> None:
    for name, content in files.items():
        server.files[name] = content
        patch.setattr(theirs, "url", f"{server.base}{name}")
        patch.setattr(theirs, key, md5(content))


def _patch_lists(patch: pytest.MonkeyPatch, theirs: type, inside: Files, folder: str) -> None:
    for name in ("train_list", "test_list"):
        files = [file for file, _ in getattr(theirs, name)]
        patch.setattr(theirs, name, [[file, md5(inside[f"{folder}/{file}"])] for file in files])
