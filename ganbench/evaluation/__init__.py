"""From samples to numbers: metrics over features, control rows, cached statistics."""
