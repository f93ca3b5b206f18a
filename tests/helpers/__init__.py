"""What several test files are written with."""
