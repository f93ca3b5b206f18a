"""Numbers that others published, and how ours stand beside them."""
