"""Benchmark files as texts, for the tests of this room."""

from __future__ import annotations

import pytest

from ganbench.config import benchmark_file
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.registry.registry import Registry


@pytest.fixture
def parse(plugins: Registry):
    def parse(text: str, **how) -> benchmark_file.Config:
        return benchmark_file.parse(Document.parse(text, "b.yaml"), plugins, **how)

    return parse


@pytest.fixture
def refused(parse):
    """The message with which a text is refused."""

    def refused(text: str, **how) -> str:
        with pytest.raises(ConfigError) as caught:
            parse(text, **how)
        return str(caught.value)

    return refused
