"""Where the labels come from that a generator is asked for when it is not trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.contracts.images import ImageSpec
from ganbench.util.random_streams import stream


@dataclass(frozen=True, eq=False)
class LabelSource:
    """Labels as they are in training data: class ids by their shares, or vectors of its images."""

    shares: Tensor | None = None  # (K,) of the classes
    vectors: Tensor | None = None  # (M, C)

    @classmethod
    def of(cls, labels: Tensor, *, uniform: bool = False) -> LabelSource:
        """Take the labels of the training data, (N,) or (N, C); `uniform` as `of_counts` has it."""
        if labels.ndim > 1:
            return cls(vectors=labels)
        return cls.of_counts(labels.bincount(), uniform=uniform)

    @classmethod
    def of_counts(cls, counts: Tensor, *, uniform: bool = False) -> LabelSource:
        """Take how often the training data have each class, (K,).

        With `uniform` each class that they have is drawn as often as any other.
        """
        return cls(shares=(counts > 0 if uniform else counts).double())

    def draw(self, count: int, seed: int, name: str = "labels") -> Tensor:
        """Return class ids (count,), as often as in the data, or vectors (count, C) of images."""
        rng = stream(seed, name)
        if self.vectors is not None:
            return self.vectors[torch.randint(len(self.vectors), (count,), generator=rng)]
        assert self.shares is not None
        return torch.multinomial(self.shares, count, replacement=True, generator=rng)

    def spread(self, count: int) -> Tensor:
        """Return labels that show what there is: each class in turn, or vectors far apart.

        Vectors of one number are in order, from the smallest to the largest.
        """
        if self.vectors is None:
            assert self.shares is not None
            return torch.arange(count) % len(self.shares)
        vectors = self.vectors.sort(0).values if self.vectors.shape[1] == 1 else self.vectors
        return vectors[torch.linspace(0, len(vectors) - 1, count).round().long()]


def stand_ins(image: ImageSpec, count: int) -> Tensor | None:
    """Return labels of the kind that images have, where their values do not matter."""
    if image.condition_dim:
        return torch.zeros(count, image.condition_dim)
    return torch.arange(count) % image.num_classes if image.num_classes else None
