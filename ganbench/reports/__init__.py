"""Beside and beyond the tables: published numbers, exports, GitHub."""
