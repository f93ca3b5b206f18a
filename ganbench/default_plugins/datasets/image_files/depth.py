"""How many bits the values of pictures have, and what looks wrong with that.

All data sets are looked at once they are loaded (`evaluation/loading.py`), with 8 bits a value.
What files had before, and so which range would be right, is known here alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DARK = 2**14  # of 16 bits: below it white is not full scale, but that of 14 bits or fewer
FEW = 0.1  # of the pictures with 16 bits may be dark for their own reasons


@dataclass(frozen=True)
class SixteenBits:
    """Those pictures of a listing that have 16 bits a value."""

    count: int = 0
    dark: int = 0
    brightest: int = 0  # value of the dark ones

    @classmethod
    def of(cls, brightest: Sequence[int]) -> SixteenBits:
        """Return what their brightest values come to."""
        dark = [value for value in brightest if value < DARK]
        return cls(len(brightest), len(dark), max(dark, default=0))

    def remarks(self, total: int, scale: tuple[float, float] | None) -> Iterator[str]:
        """Yield what may be wrong, as sentences; `scale` has the values of black and white."""
        others = total - self.count
        if scale is None and self.brightest and self.dark > FEW * self.count:
            white = 2 ** self.brightest.bit_length() - 1
            alike = (
                "; save the others alike before, as range is of all" if total > self.dark else ""
            )
            yield (
                f"{self.dark:,} of {total:,} pictures have 16 bits a value and none above "
                f"{self.brightest:,} of 65,535, which is nearly black; where {white:,} is white, "
                f"give range: [0, {white}]{alike}"
            )
        if scale is not None and max(scale) > 255 and self.count and others:
            yield (
                f"{others:,} of {total:,} pictures have 8 bits a value, and range "
                f"[{scale[0]:g}, {scale[1]:g}] is of all: they come out dark; save all alike"
            )
