"""The one tree of errors a user can cause. Anything outside it is a bug and keeps its traceback."""


class GanbenchError(Exception):
    """A problem the message explains in full: where, what was found, what was possible."""


class ConfigError(GanbenchError):
    """The benchmark file, an override or a command-line value cannot be used."""


class PluginError(GanbenchError):
    """A plugin could not be loaded or registered."""


class ContractError(GanbenchError):
    """A plugin broke the contract of its kind."""


class Incompatible(GanbenchError):
    """A cell that cannot be built; the message is the reason that tables show."""


class DataError(GanbenchError):
    """A data set or a weights file is missing, damaged or not what it claims to be."""


class RunError(GanbenchError):
    """A run directory cannot be used: taken, unwritable, incomplete or of another benchmark."""


class Diverged(GanbenchError):
    """Training produced a loss that is not finite."""
