"""The built-in plugins. A module below that defines hooks is found by them: no list names it.

Where a package has an `ORDER`, lists show its modules in that order, and those that are not in it
after them, by name.
"""

ORDER = (
    "losses",
    "constraints",
    "conditionings",
    "architectures",
    "datasets",
    "samplers",
    "features",
    "metrics",
    "reporters",
    "executors",
)
