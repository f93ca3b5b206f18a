"""Where features of images come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ganbench.contracts.images import ImageSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Features(NamedTuple):
    """What an extractor says of a batch of N images."""

    embedding: Tensor  #: (N, F) float32
    probabilities: Tensor | None = None  #: (N, K) of classes


class FeatureExtractor(ABC):
    """A fixed map from images to features. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  #: in benchmark files
    slow: ClassVar[bool] = False  #: whether it is too large to be asked while a cell trains

    def unsupported(self, image: ImageSpec) -> str | None:
        """Return why images of this shape have no features here, or None."""
        return None

    def missing(self, root: Path) -> str | None:
        """Return why there are no features on this machine, such as missing weights, or None.

        Downloads nothing. The text says what to do, and tables show it in the numbers' place.
        """
        return None

    def fetch(self, root: Path) -> Path | None:
        """Download what `missing` misses, checked, and say where it is; None: nothing to download.

        Only `ganbench weights NAME` calls it: no run downloads anything. Raises DataError.
        """
        return None

    @abstractmethod
    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        """Return a function of images (N, C, H, W) as data sets hold them: uint8, or float32.

        The images lie on `device`, to which its networks are brought, and the features stay there:
        what brings each batch back to the CPU waits for the device each time.

        Raises Unavailable where weights are missing, DataError where they are not the right ones.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes when the features do, part of caches' keys and protocols."""

    def protocol(self) -> dict[str, Any]:
        """Say what a reader must know of the features: weights, layer, resizing, value range."""
        return {}


class Unavailable(Exception):
    """The reason why a number does not exist here; its text is what tables show in its place."""
