"""A cell's networks: assembled, sampled from, saved and loaded."""
