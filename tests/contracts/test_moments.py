import pytest
import torch

from ganbench import Moments, MomentSums


def test_moments_do_not_depend_on_batches_order_or_shards():
    generator = torch.Generator().manual_seed(0)
    features = 3 + 0.05 * torch.randn(1000, 6, generator=generator, dtype=torch.float64)
    mean, covariance = features.mean(0), features.T.cov()
    scale = covariance.diagonal().max().item()
    sharded = MomentSums()
    for shard in range(4):
        sums = MomentSums()
        for batch in features[shard::4].split(90):
            sums.add(batch)
        sharded.merge(sums)
    sharded.merge(MomentSums())
    shuffled = features[torch.randperm(1000, generator=generator)]
    for found in (
        *(Moments.of(features.split(size)) for size in (1, 7, 400, 1000)),
        Moments.of(shuffled.split(64)),
        sharded.moments(),
    ):
        assert found.num_samples == 1000
        torch.testing.assert_close(found.mean, mean, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(found.covariance, covariance, rtol=0, atol=1e-12 * scale)
        torch.testing.assert_close(found.root @ found.root.T, covariance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_moments_need_two_samples(count):
    with pytest.raises(ValueError, match=f"at least two samples, and there are {count}"):
        Moments.of([torch.zeros(1, 3)][:count])
