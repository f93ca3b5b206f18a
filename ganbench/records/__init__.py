"""What a run writes down, as values. Nothing here imports torch."""
