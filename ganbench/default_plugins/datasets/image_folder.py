"""Images from a folder of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ganbench import DataError, Dataset, DatasetStatus, ImageSpec, LabeledImages, Split, hookimpl

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


@dataclass(kw_only=True)
class ImageFolder(Dataset):
    """A folder of pictures; where they lie in subfolders, each of these is a class."""

    name = "image-folder"
    splits = ("train",)
    features = "pixels"
    path: str
    resolution: int = 64  # pictures are resized so that the shorter side fits, then cropped
    channels: Literal[1, 3] = 3

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ValueError(f"resolution must be positive, found {self.resolution}")

    def image_spec(self) -> ImageSpec:
        return ImageSpec(self.channels, self.resolution, len(self._classes()))

    def load(self, split: Split, root: Path) -> LabeledImages:
        found = list(self._pictures())
        if not found:
            raise DataError(
                f"{self.path}: no picture in it; looked for {', '.join(sorted(SUFFIXES))}"
            )
        images = torch.empty(
            len(found), self.channels, self.resolution, self.resolution, dtype=torch.uint8
        )
        for i, (picture, _) in enumerate(found):
            images[i] = self._read(picture)
        labels = torch.tensor([label for _, label in found]) if self._classes() else None
        return LabeledImages(images, labels)

    def status(self, root: Path) -> DatasetStatus:
        try:
            count = sum(1 for _ in self._pictures())
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        return DatasetStatus(self.path, count > 0, None, f"{count:,} pictures")

    def _classes(self) -> list[str]:
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            raise DataError(f"image-folder: {folder} is not a folder")
        return sorted(
            sub.name for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith(".")
        )

    def _pictures(self) -> Iterator[tuple[Path, int]]:
        """Every picture with its class, in an order that is the same everywhere."""
        folder = Path(self.path).expanduser()
        for label, name in enumerate(self._classes() or ["."]):
            below = folder / name
            for path in sorted(below.rglob("*"), key=Path.as_posix):
                hidden = any(part.startswith(".") for part in path.relative_to(below).parts)
                if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
                    yield path, label

    def _read(self, path: Path) -> torch.Tensor:
        from PIL import Image, ImageOps

        try:
            with Image.open(path) as picture:
                if picture.mode[0] in "IF":  # Pillow would clip them to white
                    raise DataError(f"{path}: more than 8 bits a value; save it with 8 bits")
                plain = ImageOps.exif_transpose(picture).convert(
                    "L" if self.channels == 1 else "RGB"
                )
                fitted = ImageOps.fit(plain, (self.resolution,) * 2, Image.Resampling.LANCZOS)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{path}: not readable as a picture: {error}") from error
        values = torch.frombuffer(bytearray(fitted.tobytes()), dtype=torch.uint8)
        return values.view(self.resolution, self.resolution, self.channels).permute(2, 0, 1)


@hookimpl
def register_datasets(register) -> None:
    register(ImageFolder)
