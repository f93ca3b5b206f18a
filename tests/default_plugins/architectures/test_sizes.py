"""Sizes are halved to a smallest one, and options are positive."""

from __future__ import annotations

import pytest

from ganbench.default_plugins.architectures.sizes import check_positive, halvings


@pytest.mark.parametrize(
    ("resolution", "smallest", "sizes"),
    [
        (28, 7, [28, 14, 7]),
        (28, 4, [28, 14, 7, 4]),
        (45, 4, [45, 23, 12, 6, 3]),
        (4, 7, [4]),
    ],
)
def test_each_size_is_half_the_last_rounded_up(resolution, smallest, sizes):
    assert halvings(resolution, smallest) == sizes


def test_first_option_that_is_not_positive_is_named():
    check_positive(width=1, std=0.1, g_width=None)
    with pytest.raises(ValueError, match="depth must be positive, found 0"):
        check_positive(width=1, depth=0, std=-1.0)
