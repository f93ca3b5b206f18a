"""Whether one run is worse than another: measurements, exact tests, verdicts, baselines."""
