"""Streams are the same for a seed and a name, and unrelated otherwise."""

from __future__ import annotations

import io
import random

import numpy as np
import torch

from ganbench.util.random_streams import (
    others_state,
    restore_others,
    seed_all,
    stream,
    stream_seed,
    undisturbed,
)


def drawn() -> list[float]:
    return [torch.rand(1).item(), np.random.rand(), np.random.randn(), random.gauss()]


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


def test_everybodys_generators_begin_by_the_seed_and_the_name():
    with undisturbed():
        seeded = []
        for seed, name in ((1, "losses"), (2, "losses"), (1, "data"), (1, "losses")):
            seed_all(seed, name)
            seeded.append(drawn())
    first, *_, again = seeded
    assert again == first
    assert len({value for values in seeded for value in values}) == 3 * len(first)


def test_state_of_pythons_and_numpys_generators_outlives_a_file_of_plain_values():
    with undisturbed():
        seed_all(3, "losses")
        drawn()  # which leaves half of a pair of normal numbers
        file = io.BytesIO()
        torch.save(others_state(), file)
        expected = drawn()[1:]
        seed_all(4, "losses")
        file.seek(0)
        restore_others(torch.load(file, weights_only=True))
        assert drawn()[1:] == expected
