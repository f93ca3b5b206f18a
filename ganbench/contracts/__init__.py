"""What plugins implement. A plugin class is a dataclass, and its fields are its YAML options."""
