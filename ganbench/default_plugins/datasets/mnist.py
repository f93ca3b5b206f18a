"""MNIST (LeCun et al., 1998), carried in the package."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from ganbench import (
    DataError,
    Dataset,
    DatasetStatus,
    ImageSpec,
    LabeledImages,
    Split,
    hookimpl,
    write_atomically,
)

FILES: dict[Split, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(kw_only=True)
class MNIST(Dataset):
    """Handwritten digits, 60,000 + 10,000 images of 28×28; no download (LeCun et al., 1998)."""

    name = "mnist"
    features = "mnist-cnn-v1"
    judge = "mnist-cnn-v1"
    root: str | None = None  # a copy of your own, laid out as torchvision does

    def image_spec(self) -> ImageSpec:
        return ImageSpec(channels=1, resolution=28, num_classes=10)

    def load(self, split: Split, root: Path) -> LabeledImages:
        images, labels = (self._array(name, root) for name in FILES[split])
        return LabeledImages(images.unsqueeze(1), labels.long())

    def num_images(self) -> int | None:
        return 60_000

    def status(self, root: Path) -> DatasetStatus:
        folder = self._folder(root)
        names = [name for pair in FILES.values() for name in pair]
        there = [name for name in names if self._at(folder / name).is_file()]
        wrong = [name for name in there if not self._is_whole(folder / name)]
        if wrong:
            return DatasetStatus(str(folder), True, False, f"damaged: {', '.join(wrong)}")
        missing = [name for name in names if name not in there]
        if missing and self.root is not None:
            return DatasetStatus(str(folder), False, None, f"missing: {', '.join(missing)}")
        note = "carried in the package, unpacked on use" if missing else ""
        return DatasetStatus(str(folder), True, True, note, images=60_000)

    def _folder(self, root: Path) -> Path:
        """Return where torchvision's MNIST class would look."""
        return Path(os.path.expanduser(self.root or root)) / "MNIST" / "raw"

    def _at(self, path: Path) -> Path:
        """Return a file, or where a copy of your own has it packed, that."""
        packed = path.with_name(f"{path.name}.gz")
        return packed if self.root is not None and not path.is_file() and packed.is_file() else path

    def _is_whole(self, path: Path) -> bool:
        try:
            return _sha256(_content(self._at(path))) == _hashes()[path.name]
        except (OSError, EOFError, zlib.error):
            return False

    def _array(self, name: str, root: Path) -> Tensor:
        path = self._at(self._folder(root) / name)
        if self.root is None and not path.is_file():
            _unpack(name, path)
        try:
            content = _content(path)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: {getattr(error, 'strerror', None) or error}; MNIST's four files go into "
                f"{path.parent}, or leave `root` out to use the package's own copy"
            ) from error
        found, wanted = _sha256(content), _hashes()[name]
        if found != wanted:
            raise DataError(
                f"{path}: not MNIST's {name}: {len(content):,} bytes with SHA-256 {found[:12]}…, "
                f"expected {wanted[:12]}…; remove the file"
                + (
                    " to have it unpacked again"
                    if self.root is None
                    else " and put the right one there"
                )
            )
        return _parse(content)


def _content(path: Path) -> bytearray:
    if path.suffix == ".gz":
        return bytearray(gzip.decompress(path.read_bytes()))
    with path.open("rb") as file:
        content = bytearray(os.fstat(file.fileno()).st_size)
        del content[file.readinto(content) :]
    return content


def _hashes() -> dict[str, str]:
    text = (files("ganbench.default_plugins.data") / "mnist" / "SHA256SUMS").read_text("utf-8")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def _unpack(name: str, path: Path) -> None:
    packed = (files("ganbench.default_plugins.data") / "mnist" / f"{name}.xz").read_bytes()
    content = lzma.decompress(packed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; MNIST is unpacked there on first use, and GANBENCH_DATA "
            "names another folder"
        ) from error


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def _parse(content: bytearray) -> Tensor:
    """Return the array of an IDX file: two zeros, type 8, the rank, the sizes, the values.

    It is that memory, and no copy of it.
    """
    rank = content[3]
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return torch.frombuffer(content, dtype=torch.uint8, offset=4 + 4 * rank).view(*shape)


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(MNIST)
