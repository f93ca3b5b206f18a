"""Files of weights, found, checked and downloaded; and what frozen networks with them share.

Nothing is downloaded unless someone types `ganbench weights NAME`: a benchmark that fetches a
hundred megabytes by the way is a surprise, on a cluster a hundred ones.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import DataError, Features, ImageSpec, Unavailable, download, offline

CHUNK = 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """One file, known by its content; its names are only where to look for it."""

    extractor: str
    names: tuple[str, ...]  # what those who publish it call it
    size: int
    sha256: str
    urls: tuple[str, ...] = ()

    def find(self, root: Path) -> Path | None:
        """Return the first of GANBENCH_WEIGHTS, torch's downloads and `weights` in the data folder.

        GANBENCH_WEIGHTS is a folder, or a file of one of the names or of the right size. What is
        found is not read here.
        """
        return next((path for path in self._places(root) if os.path.isfile(path)), None)

    def missing(self, root: Path) -> str | None:
        """Return why they cannot be loaded and what to do, or None."""
        if self.find(root):
            return None
        named = os.environ.get("GANBENCH_WEIGHTS")
        return (
            f"its weights, {self.names[0]}, are not on this machine; "
            + ("" if offline() or not self.urls else f"{self._offer}, or ")
            + "GANBENCH_WEIGHTS names the file or its folder"
            + (f" (now '{named}', where they are not)" if named else "")
        )

    def load(self, root: Path) -> dict[str, Tensor]:
        """Return the tensors of the file that `find` gives. Raises Unavailable without one."""
        path = self.find(root)
        if path is None:
            raise Unavailable(self.missing(root))
        return self.read(path)

    def read(self, path: Path) -> dict[str, Tensor]:
        """Return the tensors of a file. Raises DataError for another one before unpickling it."""
        try:
            with path.open("rb") as file:
                if why := self._difference(file):
                    raise DataError(
                        f"{path}: not the weights of {self.extractor}: {why}; remove the file"
                        + (f" and run `{self._command}`" if self.urls else " and put it there anew")
                    )
                file.seek(0)
                return torch.load(file, map_location="cpu", weights_only=True)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; it holds {self.extractor}'s weights") from (
                error
            )

    def download(self, folder: Path) -> Path:
        """Download them into a folder, from the first URL that gives them.

        The file appears there whole or not at all. Raises DataError where no URL gives it.
        """
        target = folder / self.names[0]
        download(
            self.urls,
            target,
            self._difference_at,
            limit=self.size,
            otherwise="bring the file here another way and name it in GANBENCH_WEIGHTS",
        )
        return target

    def fetch(self) -> Path:
        """Download them into torch's own downloads, unless the right file is already there."""
        folder = downloads()
        for path in (folder / name for name in self.names):
            if os.path.isfile(path) and self._difference_at(path) is None:
                return path
        _log.warning("ganbench: downloading %s to %s", _megabytes(self.size), folder)
        return self.download(folder)

    def protocol(self) -> dict[str, str]:
        """Return the file's first name and its SHA-256, as extractors record them."""
        return {"file": self.names[0], "sha256": self.sha256}

    @property
    def _offer(self) -> str:
        return f"`{self._command}` downloads them ({_megabytes(self.size)})"

    @property
    def _command(self) -> str:
        return f"ganbench weights {self.extractor}"

    def _places(self, root: Path) -> Iterator[Path]:
        folders = [downloads(), root / "weights"]
        if named := os.environ.get("GANBENCH_WEIGHTS"):
            path = Path(os.path.expanduser(named))
            if os.path.isfile(path) and (path.name in self.names or _size(path) == self.size):
                yield path
            folders.insert(0, path)
        for folder in folders:
            yield from (folder / name for name in self.names)

    def _difference(self, file: BinaryIO) -> str | None:
        """Return what is wrong with a file's content, or None."""
        digest, size = hashlib.sha256(), 0
        while part := file.read(CHUNK):
            digest.update(part)
            size += len(part)
        if (size, digest.hexdigest()) == (self.size, self.sha256):
            return None
        return (
            f"{size:,} bytes with SHA-256 {digest.hexdigest()[:12]}…, "
            f"expected {self.size:,} with {self.sha256[:12]}…"
        )

    def _difference_at(self, path: Path) -> str | None:
        with path.open("rb") as file:
            return self._difference(file)


INCEPTION = Weights(
    "inception",
    ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),
    95_628_359,
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    (
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
    ),
)


def _dinov2(letter: str, size: int, sha256: str) -> Weights:
    """Return DINOv2's of one size, which lie side by side where they are published."""
    name = f"dinov2_vit{letter}14"
    url = f"https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
    return Weights(f"dinov2-{letter}14", (f"{name}_pretrain.pth",), size, sha256, (url,))


DINOV2_S14 = _dinov2(
    "s", 88_283_115, "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"
)
DINOV2_B14 = _dinov2(
    "b", 346_378_731, "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"
)
DINOV2_L14 = _dinov2(
    "l", 1_217_586_395, "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"
)


VGG16 = Weights(  # of ImageNet, for `lpips`
    "lpips",
    ("vgg16-397923af.pth",),
    553_433_881,
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ("https://download.pytorch.org/models/vgg16-397923af.pth",),
)


def downloads() -> Path:
    """Return where torch, and so torch-fidelity and pytorch-fid, keep what they download."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def no_picture(image: ImageSpec, least: int = 2) -> str | None:
    """Return why images are not grey or colour pictures of some size, or None."""
    if image.channels in (1, 3) and image.resolution >= least:
        return None
    return f"it sees grey and colour pictures of {least}×{least} and more, and these are {image}"


def as_bytes(images: Tensor) -> Tensor:
    """Return images as they are where they are bytes, and fractions from -1 to 1 as 0 to 255.

    Those are not rounded, so that a small step of the generator's is seen, too.
    """
    return images if images.dtype == torch.uint8 else images * 127.5 + 127.5


def in_colour(images: Tensor) -> Tensor:
    """Return images as (N, 3, H, W), grey ones three times."""
    return images.expand(-1, 3, -1, -1)


def as_pil_resizes(images: Tensor, size: int) -> Tensor:
    """Return uint8 images of size × size by PIL's bicubic, rounded between rows and columns too.

    So torch does of bytes on the CPU. Elsewhere it takes none, and a few values in a hundred are a
    step off, as the CPU's weights are rounded too.
    """
    if images.device.type == "cpu":
        return F.interpolate(images, (size, size), mode="bicubic", antialias=True)
    for shape in ((images.shape[2], size), (size, size)):
        values = F.interpolate(images.float(), shape, mode="bicubic", antialias=True)
        images = values.round().clamp(0, 255).byte()
    return images


def standardised(images: Tensor, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
    """Return uint8 images as floats, less a mean and by a deviation of each colour from 0 to 1."""
    pixels = images.float() / 255
    center, width = (pixels.new_tensor(v).view(1, 3, 1, 1) for v in (mean, deviation))
    return (pixels - center) / width


def frozen(
    net: nn.Module,
    features: Callable[[Tensor], Features],
    device: torch.device | str = "cpu",
    at_once: int = 16,
) -> Callable[[Tensor], Features]:
    """Return `features`, which uses `net`, for any number of images on a device.

    They are found without gradients. The CPU takes `at_once` images at a time, as large maps of a
    whole batch are slow there; a GPU takes as many as it is given.
    """
    net.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def extract(images: Tensor) -> Features:
        images = as_bytes(images)
        parts = images.split(at_once) if images.device.type == "cpu" else (images,)
        embeddings, probabilities = zip(*map(features, parts), strict=True)
        known = None if probabilities[0] is None else torch.cat(probabilities)
        return Features(torch.cat(embeddings), known)

    return extract


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _size(path: Path) -> int:
    return path.stat().st_size
