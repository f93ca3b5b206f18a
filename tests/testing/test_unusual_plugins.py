"""Published methods that are right and unlike the built-ins raise no alarm in the kit."""

from __future__ import annotations

from helpers import methods

from ganbench.testing import parametrize_with_checks

UNUSUAL = [cls for name in methods.FILES for cls in methods.plugins(name)]


@parametrize_with_checks(*UNUSUAL)
def test_unusual_plugin_conforms(check):
    check()
