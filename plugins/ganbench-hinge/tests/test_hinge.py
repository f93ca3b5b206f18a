from ganbench_hinge import Hinge

from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(Hinge)
def test_conformance(check):
    check()
