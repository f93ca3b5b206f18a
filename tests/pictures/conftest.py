import pytest


@pytest.fixture(scope="module")
def blank_pages():
    """Here they are looked at."""
