"""What metrics call the classes."""

from __future__ import annotations

from ganbench import Dataset


def class_name(dataset: Dataset, label: int) -> str:
    """Return a class's name, or its number where the names do not tell classes apart."""
    names = dataset.class_names()
    return names[label] if names and len(set(names)) == len(names) else str(label)
