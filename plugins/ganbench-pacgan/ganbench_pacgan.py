"""PacGAN for ganbench."""

from dataclasses import dataclass, replace

from torch import Tensor

from ganbench import ImageSpec, Transform, hookimpl


@dataclass(kw_only=True)
class PacGAN(Transform):
    """Packing: D judges m samples at once, stacked along their channels (Lin et al., 2018)."""

    name = "pacgan"
    per_sample = False
    packing: int = 2  # m

    def __post_init__(self) -> None:
        if self.packing < 1:
            raise ValueError(f"packing must be positive, found {self.packing}")

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        if batch_size % self.packing:
            return (
                f"a batch of {batch_size} images makes no whole packs of {self.packing}; use a "
                "multiple as training.batch_size"
            )
        return None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=self.packing * image.channels)

    def apply(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N / m, m C, H, W)
        return images.unflatten(0, (-1, self.packing)).flatten(1, 2)


@hookimpl
def register_transforms(register):
    register(PacGAN)
