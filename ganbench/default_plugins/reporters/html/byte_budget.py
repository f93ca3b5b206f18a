"""How much of the page a part of it may take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

Text = TypeVar("Text", bound=str)


@dataclass
class Room:
    """Bytes that are left."""

    left: int

    def takes(self, text: str) -> bool:
        """Whether the text fits, and then the room is smaller by it."""
        size = len(text.encode("utf-8"))
        if size > self.left:
            return False
        self.left -= size
        return True


def fitting(texts: Iterable[Text], room: Room) -> tuple[list[Text], int]:
    """The first texts that fit, and how many there are after them."""
    kept: list[Text] = []
    rest = 0
    for text in texts:
        if rest or not room.takes(text):
            rest += 1
        else:
            kept.append(text)
    return kept, rest
