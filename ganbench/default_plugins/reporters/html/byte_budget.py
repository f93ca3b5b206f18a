"""How much of the page a part of it may take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

Text = TypeVar("Text", bound=str)


@dataclass
class ByteBudget:
    """Bytes that are left of what a part may take; texts are counted in UTF-8."""

    left: int

    def takes(self, text: str) -> bool:
        """Return whether the text fits, and spend its bytes if it does."""
        size = len(text.encode("utf-8"))
        if size > self.left:
            return False
        self.left -= size
        return True

    def fitting(self, texts: Iterable[Text]) -> tuple[list[Text], int]:
        """Return the first texts that fit, and how many there are after them."""
        kept: list[Text] = []
        rest = 0
        for text in texts:
            if rest or not self.takes(text):
                rest += 1
            else:
                kept.append(text)
        return kept, rest
