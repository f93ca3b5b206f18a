"""Finding, loading, listing and scaffolding plugins."""
