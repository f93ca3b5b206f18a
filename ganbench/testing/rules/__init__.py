"""One module of rules per kind of plugin."""
