"""One trial, many trials, their folders and provenance."""
