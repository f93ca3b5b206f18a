"""Many runs as one: merged, shown together, ranked. Nothing here imports torch."""
