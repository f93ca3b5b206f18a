"""Which pictures are of a size that says little of what networks will see of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.default_plugins.datasets.image_files.decoding import Preparation

ENLARGED = 4  # times, beyond which pixels are mostly invented
LONG = 4  # times as wide as high, or the other way round, beyond which a picture is a strip
TOLD = 3  # pictures that a remark names

LEAVES = {
    "fit": "crop: fit takes the middle",
    "squash": "crop: squash makes squares",
    "pad": "crop: pad leaves most of the square empty",
}


@dataclass(frozen=True)
class Size:
    """One picture of a listing, by its place there, and its pixels."""

    place: int
    width: int
    height: int


@dataclass(frozen=True)
class OddSizes:
    """How many pictures are much enlarged and how many are strips, and the first of each."""

    enlarged: int = 0
    long: int = 0
    first_enlarged: tuple[Size, ...] = ()
    first_long: tuple[Size, ...] = ()

    @classmethod
    def of(cls, sizes: Sequence[Size], how: Preparation) -> OddSizes:
        """Return what the sizes come to. A square of `crop_size` is what somebody asked for."""
        if how.crop_size is not None:
            return cls()
        side = max if how.crop == "pad" else min
        enlarged = [s for s in sizes if how.resolution > ENLARGED * side(s.width, s.height)]
        long = [s for s in sizes if max(s.width, s.height) > LONG * min(s.width, s.height)]
        return cls(len(enlarged), len(long), tuple(enlarged[:TOLD]), tuple(long[:TOLD]))

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> OddSizes:
        """Return what JSON has kept. Raises KeyError or TypeError for anything else."""
        first = (tuple(Size(**one) for one in plain[f"first_{of}"]) for of in ("enlarged", "long"))
        return cls(int(plain["enlarged"]), int(plain["long"]), *first)

    def remarks(self, names: Sequence[str], how: Preparation) -> Iterator[str]:
        """Yield what may be wrong, as sentences; `names` are those of all pictures."""
        square = f"{how.resolution}×{how.resolution}"
        enlarged = f"enlarged more than {ENLARGED} times to {square}"
        strip = "a strip" if self.long == 1 else "strips"
        for count, first, what in (
            (self.enlarged, self.first_enlarged, enlarged),
            (self.long, self.first_long, f"{strip}, of which {LEAVES[how.crop]}"),
        ):
            if count:
                told = ", ".join(f"{names[s.place]} of {s.width}×{s.height}" for s in first)
                more = ", …" if count > len(first) else ""
                are = "is" if count == 1 else "are"
                yield f"{count:,} of {len(names):,} pictures {are} {what}: {told}{more}"
