"""Whether code keeps to the device of what it is given, proven without having another device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch

READS = ("item()", "Cannot copy out of meta tensor", "convert meta device type tensor")


@contextmanager
def on_meta(what: str) -> Iterator[None]:
    """Run what is given tensors of the meta device, which mix with no others and have no values.

    Some operators, such as masks, cannot be run there: they prove nothing.
    """
    try:
        with (
            patch.multiple(torch, autocast=_autocast),
            patch.multiple(torch.amp, autocast=_autocast),
        ):
            yield
    except (RuntimeError, TypeError) as error:
        text = str(error)
        if any(part in text for part in READS):
            raise AssertionError(
                f"{what} reads a tensor's values back (item(), bool(), cpu() or the like), for "
                "which a GPU would have to be waited for; stay in tensors, as torch.where does"
            ) from error
        if isinstance(error, TypeError):
            raise
        if isinstance(error, NotImplementedError) or "device" not in text:
            return
        raise AssertionError(
            f"{what} makes a tensor on the CPU beside one of another device ({_line(text)}); use "
            "rand_like and the like, or device=x.device; in a module, register_buffer"
        ) from error


def _autocast(device_type: str, *rest: Any, **options: Any) -> Any:
    """torch's, which does not know the meta device."""
    return AUTOCAST("cpu" if device_type == "meta" else device_type, *rest, **options)


AUTOCAST = torch.autocast


def _line(text: str) -> str:
    return text.strip().split("\n")[0].rstrip(".!")
