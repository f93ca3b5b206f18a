"""Four plugins as somebody writes them whose code is checked by mypy --strict and pyright."""
