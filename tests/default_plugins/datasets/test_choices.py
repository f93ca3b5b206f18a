"""What was mistyped is told with the nearest name and all there are."""

from __future__ import annotations

from ganbench.default_plugins.datasets.image_files.choices import shortened, unknown


def test_nearest_name_and_all_names_are_told():
    assert unknown("Blonde_hair", ["Bald", "Blond_Hair"]) == (
        "; did you mean 'Blond_Hair'?\n  known: Bald, Blond_Hair"
    )
    assert unknown("zzz", []) == "\n  known: none"


def test_long_lists_are_shortened():
    assert shortened(map(str, range(3)), most=3) == "0, 1, 2"
    assert shortened(map(str, range(1502)), most=2) == "0, 1 and 1,500 more"
