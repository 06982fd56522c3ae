"""Maps of one grid, vectors of maps."""

import torch

from osdpm_plugin.models.pooling import mean_and_max, to_coarsest_grid


def test_finer_maps_are_averaged():
    fine = torch.tensor([[1.0, 3.0, 5.0, 7.0], [1.0, 3.0, 5.0, 7.0]])[None, None]  # (1, 1, 2, 4)
    coarse = torch.tensor([[10.0, 20.0]], dtype=torch.float16)[None, None]  # (1, 1, 1, 2)
    pooled = to_coarsest_grid([fine, coarse])
    assert torch.equal(pooled[0], torch.tensor([[2.0, 6.0]])[None, None])
    assert torch.equal(pooled[1], torch.tensor([[10.0, 20.0]])[None, None])
    assert all(m.dtype == torch.float32 for m in pooled)


def test_the_order_of_maps_stays():
    maps = [torch.zeros(2, 3, 2, 2), torch.ones(2, 5, 4, 4)]
    assert [tuple(m.shape) for m in to_coarsest_grid(maps)] == [(2, 3, 2, 2), (2, 5, 2, 2)]


def test_means_come_before_maxima():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[-4.0, -8.0], [-4.0, -8.0]]]])  # (1, 2, 2, 2)
    assert mean_and_max(x).tolist() == [[3.0, -6.0, 6.0, -4.0]]
