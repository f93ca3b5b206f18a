"""Data sets that everyone knows, by name: brought once, and held to their checksums."""
