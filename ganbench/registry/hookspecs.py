"""The hooks of the plugin group `ganbench`, one for each kind of plugin.

Each is called with a function to hand classes to, one plugin at a time:

    @hookimpl
    def register_losses(register):
        register(MyLoss)
"""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from ganbench.registry.kinds import KINDS, Kind

PROJECT = "ganbench"
API_VERSION = 1
"""Of the hooks and contracts. A plugin may say which it is written for: `GANBENCH_API = 1`."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


def specifications() -> type:
    """Return a class with the hook of every kind, for `PluginManager.add_hookspecs`."""
    hooks = {kind.hook: staticmethod(_specification(kind)) for kind in KINDS.values()}
    return type("Hooks", (), hooks)


def _specification(kind: Kind) -> Callable[[Callable[[type], None]], None]:
    def hook(register: Callable[[type], None]) -> None: ...

    hook.__name__ = hook.__qualname__ = kind.hook
    hook.__doc__ = f"Register {kind.what}: call `register(My{kind.contract})` for each."
    return hookspec(hook)
