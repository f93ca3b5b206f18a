"""Errors say where they came from."""

from __future__ import annotations

import pytest
import torch

from ganbench.errors import DataError, Diverged, noting, told


def test_notes_follow_the_message_and_bugs_keep_their_name():
    with pytest.raises(DataError) as caught, noting(lambda: "outer"), noting(lambda: "inner"):
        raise DataError("no file")
    assert told(caught.value) == "no file (inner) (outer)"
    assert told(KeyError("x")) == "KeyError: 'x'"


def test_traces_of_torchs_own_code_are_left_out():
    with pytest.raises((RuntimeError, TypeError)) as caught:
        torch.empty(10**38)
    assert "\n" not in told(caught.value)
    assert told(RuntimeError("a\nb\nException raised from f at x.cpp:1\nframe #0: f")) == (
        "RuntimeError: a\nb"
    )


def test_divergence_is_a_finding_and_gets_no_note():
    with pytest.raises(Diverged) as caught, noting(lambda: "while training"):
        raise Diverged("D's loss is nan")
    assert told(caught.value) == "D's loss is nan"
