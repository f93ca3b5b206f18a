"""Streams are the same for a seed and a name, and unrelated otherwise."""

from __future__ import annotations

import torch

from ganbench.util.random_streams import stream, stream_seed


def test_seeds_are_those_of_published_runs():
    assert stream_seed(0, "init") == 1519069808562059438
    assert stream_seed(1, "init") == 5267816590608909949


def test_streams_of_other_names_and_seeds_are_others():
    seeds = {stream_seed(seed, name) for seed in range(20) for name in ("init", "data", "z")}
    assert len(seeds) == 60
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_stream_begins_anew_and_leaves_torchs_own_alone():
    before = torch.get_rng_state()
    first, second = (torch.rand(4, generator=stream(3, "z")) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
